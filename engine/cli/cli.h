/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line: one file per command, each with one PmtCommand, listed in main.c. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#include "engine/base/cancel.h"
#include "engine/base/error.h"

typedef struct PmtCommand {
  const char *name;    /* "generate" */
  const char *summary; /* one line of `pentimento-engine --help` */
  /* argv[0] is the command's name. FALSE + error: the sentence goes to stderr and the exit status is 1 (130 when cancelled). */
  gboolean (*run) (int argc, char **argv, GError **error);
} PmtCommand;

extern const PmtCommand pmt_command_generate, pmt_command_fill, pmt_command_edit, pmt_command_run, pmt_command_inspect, pmt_command_net,
  pmt_command_schedule, pmt_command_tokens, pmt_command_methods, pmt_command_samplers, pmt_command_serve,
  pmt_command_preprocess, pmt_command_preprocessors, pmt_command_diagnostics, pmt_command_bench, pmt_command_models, pmt_command_rank,
  pmt_command_import, pmt_command_learn;

/* Parses a command's options. `usage` is what follows the command's name in its help ("PATH"); with n_words > 0 exactly so many words
 * must be left, which are stored (newly allocated). Texts come as the bytes they are, so declare them G_OPTION_ARG_FILENAME:
 * G_OPTION_ARG_STRING would refuse UTF-8 in the C locale. PMT_ERROR_INPUT. */
gboolean pmt_cli_parse (const PmtCommand *command, const char *usage, const char *description, const GOptionEntry *entries, int argc,
                        char **argv, char **words, int n_words, GError **error);

/* FALSE + PMT_ERROR_INPUT naming the option when its text is not UTF-8. NULL is fine. */
gboolean pmt_cli_check_utf8 (const char *option, const char *text, GError **error);

/* "512x768" (x, X or ×), sides from 1 to PMT_PICTURE_MAX_SIDE. PMT_ERROR_INPUT. */
gboolean pmt_cli_read_size (const char *text, int *width, int *height, GError **error);

/* A flag that Ctrl-C and SIGTERM set from now on; a second one ends the process at once with status 130. */
const PmtCancel *pmt_cli_cancel (void);

/* Pretty JSON and a line feed on stdout. */
void pmt_cli_print_json (JsonNode *node);
