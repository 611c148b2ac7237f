/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A connection to the engine that never blocks: everything happens in callbacks of the default main context, so a dialog stays alive
 * and a headless run spins a main loop. The protocol is pentimento/protocol.h. */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

typedef struct PmtEngineClient PmtEngineClient;

typedef struct PmtEngineHandlers {
  /* The engine answered our greeting and speaks our protocol. Once, before any message. */
  void (*ready) (gpointer user, JsonObject *hello);
  /* One message; payload is NULL without one. Both are lent for the call: take a reference to keep them. */
  void (*message) (gpointer user, JsonObject *message, GBytes *payload);
  /* The connection is over: it could not be made, broke, or the engine sent what cannot be understood. Once, the last call. */
  void (*failed) (gpointer user, const GError *error);
} PmtEngineHandlers;

/* Connects, and starts the engine when nobody answers; waits for it at most ten seconds. No handler is called before this returns.
 * max_payload limits what a single message may carry (set it to what a job can rightly answer). */
PmtEngineClient *pmt_engine_client_new (const PmtEngineHandlers *handlers, gpointer user);
void pmt_engine_client_set_max_payload (PmtEngineClient *client, gsize bytes);

/* Queues one message; takes the message, refs the payload (NULL: none) and writes "bytes" itself. Only after ready. */
void pmt_engine_client_send (PmtEngineClient *client, JsonObject *message, GBytes *payload);
/* A new message of that type and id. */
JsonObject *pmt_engine_message_new (const char *type, gint64 id);

/* Closes the connection, which also cancels the client's job. No handler is called any more, also when called from one. */
void pmt_engine_client_free (PmtEngineClient *client);
