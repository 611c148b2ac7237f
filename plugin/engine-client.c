/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/engine-client.h"

#include <gio/gunixsocketaddress.h>
#include <glib/gi18n.h>
#include <stdlib.h>
#include <string.h>

#include "pentimento/protocol.h"
#include "plugin/engine-place.h"
#include "plugin/error.h"

#define START_SECONDS 10
#define AFTER_END_US 500000
#define RETRY_MS 30
#define CHUNK 65536

struct PmtEngineClient {
  int refs;      /* one of the owner, one per operation under way */
  gboolean dead; /* freed by the owner, or failed: no handler any more */
  PmtEngineHandlers handlers;
  gpointer user;
  GCancellable *cancellable;
  PmtEnginePlace place;
  GSubprocess *process; /* the engine, if this client started it */
  gboolean ended;       /* that one is over */
  gint64 deadline;      /* monotonic µs by which somebody has to answer; 0 = the engine was not started yet */
  guint timer;
  GSocketConnection *connection;
  gboolean greeted;
  gsize max_payload;

  GByteArray *input; /* read, not yet understood */
  guint8 *chunk;     /* CHUNK bytes */
  JsonObject *waiting; /* message whose payload is on its way */
  guint8 *payload;     /* malloc, payload_size bytes */
  gsize payload_size;

  GQueue output; /* GBytes */
  gboolean writing;
};

static void connect_now (PmtEngineClient *client);
static void read_more (PmtEngineClient *client);

static PmtEngineClient *
hold (PmtEngineClient *client)
{
  client->refs++;
  return client;
}

static void
release (PmtEngineClient *client)
{
  if (--client->refs > 0)
    return;
  g_clear_object (&client->connection);
  g_clear_object (&client->process);
  g_clear_object (&client->cancellable);
  g_clear_pointer (&client->waiting, json_object_unref);
  g_queue_clear_full (&client->output, (GDestroyNotify) g_bytes_unref);
  g_byte_array_unref (client->input);
  free (client->payload);
  g_free (client->chunk);
  pmt_engine_place_clear (&client->place);
  g_free (client);
}

/* From here on the client is silent. */
static void
stop (PmtEngineClient *client)
{
  client->dead = TRUE;
  g_cancellable_cancel (client->cancellable);
  g_clear_handle_id (&client->timer, g_source_remove);
}

/* Takes error. */
static void
fail (PmtEngineClient *client, GError *error)
{
  if (!client->dead) {
    stop (client);
    hold (client);
    client->handlers.failed (client->user, error);
    release (client);
  }
  g_error_free (error);
}

static void G_GNUC_PRINTF (2, 3)
fail_with (PmtEngineClient *client, const char *format, ...)
{
  va_list args;
  GError *error;

  va_start (args, format);
  error = g_error_new_valist (PMT_ERROR, PMT_ERROR_ENGINE, format, args);
  va_end (args);
  fail (client, error);
}

/* The connection is gone without a word of the protocol: what the engine logged last is the best that can be said. */
static void
fail_gone (PmtEngineClient *client)
{
  g_autofree char *words = pmt_engine_place_last_words (&client->place);

  if (words)
    fail_with (client, _("The engine stopped before it was done (its last words in %s: “%s”): start the job again, it starts a new engine."),
               client->place.log, words);
  else
    fail_with (client, _("The engine stopped before it was done and left no word in %s: start the job again, it starts a new engine."),
               client->place.log);
}

/* ---- reading ---- */

static void
check_hello (PmtEngineClient *client, JsonObject *message)
{
  gint64 protocol = json_object_get_int_member_with_default (message, "protocol", -1);
  const char *type = json_object_get_string_member (message, "type");

  if (strcmp (type, "error") == 0) {
    fail_with (client, "%s", json_object_get_string_member_with_default (message, "message", _("The engine refused the connection.")));
  } else if (strcmp (type, "hello") != 0 || protocol != PMT_PROTOCOL_VERSION) {
    fail_with (client, _("The engine at %s speaks protocol %d and this plug-in %d: end that engine, or install Pentimento again."),
               client->place.socket, (int) protocol, PMT_PROTOCOL_VERSION);
  } else {
    client->greeted = TRUE;
    client->handlers.ready (client->user, message);
  }
}

static void
dispatch (PmtEngineClient *client, JsonObject *message, GBytes *payload)
{
  if (!client->greeted)
    check_hello (client, message);
  else
    client->handlers.message (client->user, message, payload);
}

/* The object of one line, or NULL after failing. */
static JsonObject *
parse_line (PmtEngineClient *client, const char *line, gsize length)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonNode *root, *type;

  if (!g_utf8_validate (line, (gssize) length, NULL) || !json_parser_load_from_data (parser, line, (gssize) length, NULL) ||
      !(root = json_parser_get_root (parser)) || !JSON_NODE_HOLDS_OBJECT (root) ||
      !(type = json_object_get_member (json_node_get_object (root), "type")) || json_node_get_value_type (type) != G_TYPE_STRING) {
    fail_with (client, _("The engine sent a line that is no message: see %s, and install Pentimento again if it repeats."), client->place.log);
    return NULL;
  }
  return json_node_dup_object (root);
}

/* Takes one whole message out of the input. FALSE when there is none yet, or after failing. */
static gboolean
take_message (PmtEngineClient *client)
{
  const char *start = (const char *) client->input->data;
  const char *end = client->input->len ? memchr (start, '\n', client->input->len) : NULL;
  JsonObject *message;
  gint64 bytes;

  if (client->dead || client->waiting)
    return FALSE;
  if (!end) {
    if (client->input->len > PMT_PROTOCOL_MAX_LINE)
      fail_with (client, _("The engine sent a line without end: see %s, and install Pentimento again if it repeats."), client->place.log);
    return FALSE;
  }
  message = parse_line (client, start, (gsize) (end - start));
  if (!message)
    return FALSE;
  g_byte_array_remove_range (client->input, 0, (guint) (end - start) + 1);

  bytes = json_object_get_int_member_with_default (message, "bytes", 0);
  if (bytes == 0) {
    dispatch (client, message, NULL);
    json_object_unref (message);
    return TRUE;
  }
  if (bytes < 0 || (guint64) bytes > client->max_payload) {
    fail_with (client, _("The engine announced %lu bytes of pixels where at most %lu can be right: see %s, and install Pentimento again if it repeats."),
               (gulong) bytes, (gulong) client->max_payload, client->place.log);
    json_object_unref (message);
    return FALSE;
  }
  client->payload_size = (gsize) bytes;
  client->payload = malloc (client->payload_size);
  if (!client->payload) {
    fail (client, g_error_new (PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory for a result of %lu MB: select a smaller region."),
                               (gulong) client->payload_size >> 20));
    json_object_unref (message);
    return FALSE;
  }
  client->waiting = message;
  return TRUE;
}

static void
payload_complete (PmtEngineClient *client)
{
  g_autoptr (JsonObject) message = g_steal_pointer (&client->waiting);
  g_autoptr (GBytes) payload = g_bytes_new_with_free_func (client->payload, client->payload_size, free, client->payload);

  client->payload = NULL;
  dispatch (client, message, payload);
}

static void
on_payload (GObject *source, GAsyncResult *result, gpointer user)
{
  PmtEngineClient *client = user;
  gsize got = 0;

  if (!g_input_stream_read_all_finish (G_INPUT_STREAM (source), result, &got, NULL) || client->input->len + got < client->payload_size) {
    if (!client->dead)
      fail_gone (client);
  } else if (!client->dead) {
    g_byte_array_set_size (client->input, 0);
    payload_complete (client);
    read_more (client);
  }
  release (client);
}

/* The payload: what was read with its line already, then straight into its own memory. */
static void
read_payload (PmtEngineClient *client)
{
  gsize have = MIN (client->input->len, client->payload_size);

  memcpy (client->payload, client->input->data, have);
  if (have == client->payload_size) {
    g_byte_array_remove_range (client->input, 0, (guint) have);
    payload_complete (client);
    return;
  }
  g_input_stream_read_all_async (g_io_stream_get_input_stream (G_IO_STREAM (client->connection)), client->payload + have,
                                 client->payload_size - have, G_PRIORITY_DEFAULT, client->cancellable, on_payload, hold (client));
}

static void
on_chunk (GObject *source, GAsyncResult *result, gpointer user)
{
  PmtEngineClient *client = user;
  gssize got = g_input_stream_read_finish (G_INPUT_STREAM (source), result, NULL);

  if (!client->dead) {
    if (got <= 0) {
      fail_gone (client);
    } else {
      g_byte_array_append (client->input, client->chunk, (guint) got);
      read_more (client);
    }
  }
  release (client);
}

/* Deals with all that is there, then asks for more. */
static void
read_more (PmtEngineClient *client)
{
  while (take_message (client)) {
    if (client->waiting) {
      read_payload (client);
      if (client->waiting)
        return; /* goes on in on_payload */
    }
  }
  if (!client->dead)
    g_input_stream_read_async (g_io_stream_get_input_stream (G_IO_STREAM (client->connection)), client->chunk, CHUNK, G_PRIORITY_DEFAULT,
                               client->cancellable, on_chunk, hold (client));
}

/* ---- writing ---- */

static void write_next (PmtEngineClient *client);

static void
on_written (GObject *source, GAsyncResult *result, gpointer user)
{
  PmtEngineClient *client = user;
  gboolean good = g_output_stream_write_all_finish (G_OUTPUT_STREAM (source), result, NULL, NULL);

  client->writing = FALSE;
  g_bytes_unref (g_queue_pop_head (&client->output));
  /* A broken pipe is told by the reader, who may still find the engine's reason before the end. */
  if (good && !client->dead)
    write_next (client);
  release (client);
}

static void
write_next (PmtEngineClient *client)
{
  GBytes *next = g_queue_peek_head (&client->output);
  gsize size;
  const void *data;

  if (!next || client->writing)
    return;
  client->writing = TRUE;
  data = g_bytes_get_data (next, &size);
  g_output_stream_write_all_async (g_io_stream_get_output_stream (G_IO_STREAM (client->connection)), data, size, G_PRIORITY_DEFAULT,
                                   client->cancellable, on_written, hold (client));
}

JsonObject *
pmt_engine_message_new (const char *type, gint64 id)
{
  JsonObject *message = json_object_new ();

  json_object_set_string_member (message, "type", type);
  json_object_set_int_member (message, "id", id);
  return message;
}

void
pmt_engine_client_send (PmtEngineClient *client, JsonObject *message, GBytes *payload)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *text = NULL;
  char *line;

  if (payload)
    json_object_set_int_member (message, "bytes", (gint64) g_bytes_get_size (payload));
  json_node_take_object (node, message);
  if (client->dead || !client->connection)
    return;
  text = json_to_string (node, FALSE);
  line = g_strconcat (text, "\n", NULL);
  g_queue_push_tail (&client->output, g_bytes_new_take (line, strlen (line)));
  if (payload)
    g_queue_push_tail (&client->output, g_bytes_ref (payload));
  write_next (client);
}

/* ---- connecting ---- */

static void
greet (PmtEngineClient *client)
{
  JsonObject *hello = pmt_engine_message_new ("hello", 0);

  json_object_set_int_member (hello, "protocol", PMT_PROTOCOL_VERSION);
  json_object_set_string_member (hello, "client", "pentimento-gimp " PMT_VERSION);
  pmt_engine_client_send (client, hello, NULL);
  read_more (client);
}

static gboolean
on_retry (gpointer user)
{
  PmtEngineClient *client = user;

  client->timer = 0;
  connect_now (client);
  return G_SOURCE_REMOVE;
}

/* An engine that ends may have lost the race for the socket to another one, which gets a moment to answer. */
static void
on_ended (GObject *source, GAsyncResult *result, gpointer user)
{
  PmtEngineClient *client = user;

  g_subprocess_wait_finish (G_SUBPROCESS (source), result, NULL);
  client->ended = TRUE;
  client->deadline = MIN (client->deadline, g_get_monotonic_time () + AFTER_END_US);
  release (client);
}

static void
fail_start (PmtEngineClient *client)
{
  g_autofree char *words = pmt_engine_place_last_words (&client->place);

  if (client->ended)
    fail_with (client, _("The engine %s ended before it answered (its last words in %s: “%s”): install Pentimento again if it repeats."),
               client->place.program, client->place.log, words ? words : "");
  else
    fail_with (client, _("The engine %s did not answer within %d seconds (its last words in %s: “%s”): install Pentimento again if it repeats."),
               client->place.program, START_SECONDS, client->place.log, words ? words : "");
}

/* Nobody listens: the engine is started the first time, waited for after that. */
static void
nobody_there (PmtEngineClient *client)
{
  GError *error = NULL;

  if (!client->deadline) {
    client->process = pmt_engine_place_start (&client->place, &error);
    if (!client->process) {
      fail (client, error);
      return;
    }
    client->deadline = g_get_monotonic_time () + START_SECONDS * G_USEC_PER_SEC;
    g_subprocess_wait_async (client->process, client->cancellable, on_ended, hold (client));
  } else if (g_get_monotonic_time () > client->deadline) {
    fail_start (client);
    return;
  }
  client->timer = g_timeout_add (RETRY_MS, on_retry, client);
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer user)
{
  PmtEngineClient *client = user;
  GSocketConnection *connection = g_socket_client_connect_finish (G_SOCKET_CLIENT (source), result, NULL);

  if (client->dead) {
    g_clear_object (&connection);
  } else if (connection) {
    client->connection = connection;
    greet (client);
  } else {
    nobody_there (client);
  }
  release (client);
}

static void
connect_now (PmtEngineClient *client)
{
  g_autoptr (GSocketClient) connector = g_socket_client_new ();
  g_autoptr (GSocketAddress) address = g_unix_socket_address_new (client->place.socket);

  g_socket_client_connect_async (connector, G_SOCKET_CONNECTABLE (address), client->cancellable, on_connected, hold (client));
}

static gboolean
on_begin (gpointer user)
{
  PmtEngineClient *client = user;
  GError *error = NULL;

  client->timer = 0;
  if (pmt_engine_place_init (&client->place, &error))
    connect_now (client);
  else
    fail (client, error);
  return G_SOURCE_REMOVE;
}

PmtEngineClient *
pmt_engine_client_new (const PmtEngineHandlers *handlers, gpointer user)
{
  PmtEngineClient *client = g_new0 (PmtEngineClient, 1);

  client->refs = 1;
  client->handlers = *handlers;
  client->user = user;
  client->cancellable = g_cancellable_new ();
  client->input = g_byte_array_new ();
  client->chunk = g_malloc (CHUNK);
  g_queue_init (&client->output);
  client->timer = g_idle_add (on_begin, client);
  return client;
}

void
pmt_engine_client_set_max_payload (PmtEngineClient *client, gsize bytes)
{
  client->max_payload = bytes;
}

void
pmt_engine_client_free (PmtEngineClient *client)
{
  if (!client)
    return;
  /* The socket closes with the last operation, at the next turn of the main loop. */
  stop (client);
  release (client);
}
