/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One client: reads messages on the main loop, writes answers in order. Counted by references, since a worker may still hold it when the
 * client has gone; sending to a closed connection does nothing. */
#pragma once

#include <gio/gio.h>

#include "engine/serve/message.h"

typedef struct PmtConnection PmtConnection;

typedef struct PmtConnectionEvents {
  /* On the main loop. The message is the callee's. */
  void (*message) (void *user, PmtConnection *connection, PmtMessage *message);
  /* Once, on the main loop: end of file, an error, or pmt_connection_close(). */
  void (*closed) (void *user, PmtConnection *connection);
  void *user;
} PmtConnectionEvents;

/* Takes references of the streams; `owner` (a GSocketConnection, or NULL) is kept alive with them. Reading starts at once. */
PmtConnection *pmt_connection_new (GInputStream *in, GOutputStream *out, GObject *owner, const PmtConnectionEvents *events);
PmtConnection *pmt_connection_ref (PmtConnection *connection);
void pmt_connection_unref (PmtConnection *connection);

/* Any thread; takes the message. Order is kept per thread. */
void pmt_connection_send (PmtConnection *connection, PmtMessage *message);
/* Any thread: an "error" answer for `id`. */
void pmt_connection_send_error (PmtConnection *connection, gint64 id, const GError *error);
/* Any thread: true once the client has gone. */
gboolean pmt_connection_gone (PmtConnection *connection);
/* Main loop: after what is queued has been written, the connection is closed. */
void pmt_connection_close (PmtConnection *connection);

/* What the server keeps for this client (main loop only). */
void pmt_connection_set_data (PmtConnection *connection, void *data, GDestroyNotify free_data);
void *pmt_connection_data (PmtConnection *connection);
