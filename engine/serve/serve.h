/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `pentimento-engine serve`: the engine behind the GIMP plug-in. */
#pragma once

#include <gio/gio.h>

#include "engine/base/error.h"

typedef struct PmtServeOptions {
  const char *socket;  /* path; NULL with stdio == FALSE: the default path */
  gboolean stdio;      /* serve one client over standard input and output, end with it */
  const char *log;     /* file for this process's messages, or NULL: stays on stderr */
  int idle_seconds;    /* leave after so long without a client (socket mode) */
} PmtServeOptions;
#define PMT_SERVE_IDLE_SECONDS 600

/* Blocks until idle, SIGTERM or SIGINT (the running job is cancelled), or end of file in stdio mode. Another engine on the same
 * socket is no error: this one leaves at once and returns TRUE. */
gboolean pmt_serve (const PmtServeOptions *options, GError **error);

/* $XDG_RUNTIME_DIR/pentimento/BUILDID.sock, or the same in a folder of the user under the temp folder. Free with g_free. */
char *pmt_serve_default_socket (void);
