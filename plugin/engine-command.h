/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One run of the engine's program as a command that prints JSON, an object a line: what needs no model in memory and should not wait behind a
 * job (lists of files, imports). A file that would crash the reader cannot hurt GIMP. */
#pragma once

#include <json-glib/json-glib.h>

typedef struct PmtEngineCommand PmtEngineCommand;

typedef struct PmtEngineCommandHandlers {
  void (*line) (gpointer user, JsonObject *line); /* lent for the call */
  /* The end, once, the last call. error: the program's own sentence, or why it could not be run. */
  void (*finished) (gpointer user, const GError *error);
} PmtEngineCommandHandlers;

/* words: NULL-terminated, without the program. No handler is called before this returns. */
PmtEngineCommand *pmt_engine_command_start (const char *const *words, const PmtEngineCommandHandlers *handlers, gpointer user);
/* Ends the program (SIGTERM, which it tidies up after), running or not. NULL is fine. No handler is called any more, also when called from
 * one. */
void pmt_engine_command_free (PmtEngineCommand *command);
