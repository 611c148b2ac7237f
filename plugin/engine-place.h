/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the engine is: its program, its socket, its log; and how it is started.
 *
 * The program is `pentimento-engine` beside the plug-in's own, or the one that the environment variable PENTIMENTO_ENGINE names.
 * The socket is $XDG_RUNTIME_DIR/pentimento/BUILDID.sock (without that variable: in a folder of the user's below the temporary
 * one), so that plug-in and engine of one build find each other; a program named by PENTIMENTO_ENGINE gets a name of its own, and so
 * does each language but English: the engine translates its own sentences, in the language that it inherits from GIMP. */
#pragma once

#include <gio/gio.h>

typedef struct PmtEnginePlace {
  char *program; /* absolute path; need not exist */
  char *socket;
  char *log; /* what the engine writes to standard output and error */
} PmtEnginePlace;

/* Makes the socket's folder (0700) and checks that it is this user's alone. On failure *place holds nothing. */
gboolean pmt_engine_place_init (PmtEnginePlace *place, GError **error);
void pmt_engine_place_clear (PmtEnginePlace *place);

/* Starts `PROGRAM serve --socket SOCKET` in a session of its own, so that it outlives plug-in and GIMP. The caller owns the result;
 * dropping it leaves the engine alone. A missing or unusable program is PMT_ERROR_ENGINE. */
GSubprocess *pmt_engine_place_start (const PmtEnginePlace *place, GError **error);

/* The last line that the engine logged, at most 300 bytes of it; NULL if there is none or it is no complaint. Newly allocated. */
char *pmt_engine_place_last_words (const PmtEnginePlace *place);
