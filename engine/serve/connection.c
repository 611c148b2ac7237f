/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/serve/connection.h"

#include <stdatomic.h>
#include <stdbool.h>

#define READ_SIZE 65536

struct PmtConnection {
  gatomicrefcount refs;
  GInputStream *in;
  GOutputStream *out;
  GObject *owner;
  GCancellable *cancellable;
  PmtConnectionEvents events;
  PmtMessageReader *reader;
  guint8 buffer[READ_SIZE];
  GQueue outgoing;      /* PmtMessage; head is being written */
  GBytes *line;         /* of the head message */
  gboolean writing;
  gboolean closing;     /* close when outgoing is empty */
  gboolean closed_told;
  atomic_bool gone;
  void *data;
  GDestroyNotify free_data;
};

static void write_next (PmtConnection *self);
static void read_next (PmtConnection *self);

PmtConnection *
pmt_connection_ref (PmtConnection *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pmt_connection_unref (PmtConnection *self)
{
  if (!self || !g_atomic_ref_count_dec (&self->refs))
    return;
  pmt_message_reader_free (self->reader);
  g_queue_clear_full (&self->outgoing, (GDestroyNotify) pmt_message_free);
  g_clear_pointer (&self->line, g_bytes_unref);
  if (self->free_data)
    self->free_data (self->data);
  g_clear_object (&self->in);
  g_clear_object (&self->out);
  g_clear_object (&self->owner);
  g_clear_object (&self->cancellable);
  g_free (self);
}

static void
finish (PmtConnection *self)
{
  atomic_store (&self->gone, true);
  g_cancellable_cancel (self->cancellable);
  if (self->closed_told)
    return;
  self->closed_told = TRUE;
  g_output_stream_close (self->out, NULL, NULL);
  g_input_stream_close (self->in, NULL, NULL);
  self->events.closed (self->events.user, self);
}

static void
on_message (void *user, PmtMessage *message)
{
  PmtConnection *self = user;

  if (self->closing || atomic_load (&self->gone))
    pmt_message_free (message);
  else
    self->events.message (self->events.user, self, message);
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer user)
{
  PmtConnection *self = user;
  g_autoptr (GError) error = NULL;
  gssize n = g_input_stream_read_finish (G_INPUT_STREAM (source), result, &error);

  if (n <= 0) {
    finish (self);
  } else if (!self->closing && !pmt_message_reader_feed (self->reader, self->buffer, (size_t) n, &error)) {
    pmt_connection_send_error (self, 0, error);
    pmt_connection_close (self);
  }
  if (!atomic_load (&self->gone))
    read_next (self);
  pmt_connection_unref (self);
}

static void
read_next (PmtConnection *self)
{
  g_input_stream_read_async (self->in, self->buffer, READ_SIZE, G_PRIORITY_DEFAULT, self->cancellable, on_read,
                             pmt_connection_ref (self));
}

static void
drop_head (PmtConnection *self)
{
  g_clear_pointer (&self->line, g_bytes_unref);
  pmt_message_free (g_queue_pop_head (&self->outgoing));
}

static void
on_payload_written (GObject *source, GAsyncResult *result, gpointer user)
{
  PmtConnection *self = user;
  gboolean ok = g_output_stream_write_all_finish (G_OUTPUT_STREAM (source), result, NULL, NULL);

  self->writing = FALSE;
  drop_head (self);
  if (ok)
    write_next (self);
  else
    finish (self);
  pmt_connection_unref (self);
}

static void
on_line_written (GObject *source, GAsyncResult *result, gpointer user)
{
  PmtConnection *self = user;
  gboolean ok = g_output_stream_write_all_finish (G_OUTPUT_STREAM (source), result, NULL, NULL);
  PmtMessage *head = g_queue_peek_head (&self->outgoing);

  if (ok && head->size > 0) {
    g_output_stream_write_all_async (self->out, head->payload, head->size, G_PRIORITY_DEFAULT, self->cancellable,
                                     on_payload_written, pmt_connection_ref (self));
  } else {
    self->writing = FALSE;
    drop_head (self);
    if (ok)
      write_next (self);
    else
      finish (self);
  }
  pmt_connection_unref (self);
}

static void
write_next (PmtConnection *self)
{
  PmtMessage *head = g_queue_peek_head (&self->outgoing);

  if (self->writing || atomic_load (&self->gone))
    return;
  if (!head) {
    if (self->closing)
      finish (self);
    return;
  }
  self->writing = TRUE;
  self->line = pmt_message_line (head);
  g_output_stream_write_all_async (self->out, g_bytes_get_data (self->line, NULL), g_bytes_get_size (self->line), G_PRIORITY_DEFAULT,
                                   self->cancellable, on_line_written, pmt_connection_ref (self));
}

typedef struct Posted {
  PmtConnection *connection;
  PmtMessage *message;
} Posted;

static gboolean
on_posted (gpointer user)
{
  Posted *posted = user;
  PmtConnection *self = posted->connection;

  if (atomic_load (&self->gone)) {
    pmt_message_free (posted->message);
  } else {
    g_queue_push_tail (&self->outgoing, posted->message);
    write_next (self);
  }
  pmt_connection_unref (self);
  g_free (posted);
  return G_SOURCE_REMOVE;
}

void
pmt_connection_send (PmtConnection *self, PmtMessage *message)
{
  Posted *posted = g_new (Posted, 1);

  posted->connection = pmt_connection_ref (self);
  posted->message = message;
  /* Always by way of the loop, never at once: so messages of one thread keep their order whichever thread it is. */
  g_idle_add_full (G_PRIORITY_DEFAULT, on_posted, posted, NULL);
}

void
pmt_connection_send_error (PmtConnection *self, gint64 id, const GError *error)
{
  PmtMessage *message = pmt_message_new ("error", id);
  g_autofree char *shown = pmt_error_shown (error->message);
  PmtError code = error->domain == PMT_ERROR ? (PmtError) error->code : PMT_ERROR_INTERNAL;

  json_object_set_string_member (message->header, "code", pmt_error_name (code));
  json_object_set_string_member (message->header, "message", shown);
  pmt_connection_send (self, message);
}

gboolean
pmt_connection_gone (PmtConnection *self)
{
  return atomic_load (&self->gone);
}

static gboolean
on_close_posted (gpointer user)
{
  PmtConnection *self = user;

  self->closing = TRUE;
  write_next (self);
  pmt_connection_unref (self);
  return G_SOURCE_REMOVE;
}

void
pmt_connection_close (PmtConnection *self)
{
  g_idle_add_full (G_PRIORITY_DEFAULT, on_close_posted, pmt_connection_ref (self), NULL);
}

void
pmt_connection_set_data (PmtConnection *self, void *data, GDestroyNotify free_data)
{
  if (self->free_data)
    self->free_data (self->data);
  self->data = data;
  self->free_data = free_data;
}

void *
pmt_connection_data (PmtConnection *self)
{
  return self->data;
}

PmtConnection *
pmt_connection_new (GInputStream *in, GOutputStream *out, GObject *owner, const PmtConnectionEvents *events)
{
  PmtConnection *self = g_new0 (PmtConnection, 1);

  g_atomic_ref_count_init (&self->refs);
  self->in = g_object_ref (in);
  self->out = g_object_ref (out);
  self->owner = owner ? g_object_ref (owner) : NULL;
  self->cancellable = g_cancellable_new ();
  self->events = *events;
  self->reader = pmt_message_reader_new (on_message, self);
  g_queue_init (&self->outgoing);
  read_next (self);
  return self;
}
