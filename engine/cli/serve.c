/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/language.h"
#include "engine/cli/cli.h"
#include "engine/serve/serve.h"

static gboolean
run (int argc, char **argv, GError **error)
{
  g_autofree char *socket = NULL;
  g_autofree char *log = NULL;
  gboolean stdio = FALSE;
  int idle = PMT_SERVE_IDLE_SECONDS;
  const GOptionEntry entries[] = {
    { "socket", 0, 0, G_OPTION_ARG_FILENAME, &socket, "Listen on this Unix socket (default: the user's runtime folder)", "PATH" },
    { "stdio", 0, 0, G_OPTION_ARG_NONE, &stdio, "Serve one client on standard input and output", NULL },
    { "log", 0, 0, G_OPTION_ARG_FILENAME, &log, "Write messages to this file", "FILE" },
    { "idle", 0, 0, G_OPTION_ARG_INT, &idle, "Leave after so many seconds without a client (default: 600)", "SECONDS" },
    G_OPTION_ENTRY_NULL,
  };
  PmtServeOptions options;

  if (!pmt_cli_parse (&pmt_command_serve, NULL, NULL, entries, argc, argv, NULL, 0, error))
    return FALSE;
  if (idle < 1) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "--idle wants a number of seconds of at least 1, not %d.", idle);
    return FALSE;
  }
  if (stdio && socket) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "--stdio and --socket are two ways to serve: give one of them.");
    return FALSE;
  }
  pmt_language_use ();
  options = (PmtServeOptions) { .socket = socket, .stdio = stdio, .log = log, .idle_seconds = idle };
  return pmt_serve (&options, error);
}

const PmtCommand pmt_command_serve = { "serve", "Serve the GIMP plug-in and other clients.", run };
