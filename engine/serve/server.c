/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The main loop: clients, their blobs, and when to leave. */
#include "engine/serve/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <gio/gunixoutputstream.h>
#include <glib-unix.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/cpu.h"
#include "engine/base/threads.h"
#include "engine/serve/blobs.h"
#include "engine/serve/jobs.h"
#include "engine/serve/questions.h"
#include "engine/serve/socket.h"
#include "pentimento/build-id.h"
#include "pentimento/protocol.h"

/* Inputs that a client may send ahead of its jobs. */
#define MAX_BLOBS 256

typedef struct Server {
  GMainLoop *loop;
  PmtJobs *jobs;
  PmtWorker *questions;
  GPtrArray *clients; /* PmtConnection, referenced */
  gboolean stdio;
  int idle_seconds;
  guint idle_source;
} Server;

typedef struct Client {
  gboolean greeted;
  PmtBlobs *blobs;
} Client;

static void
client_free (gpointer data)
{
  Client *client = data;

  pmt_blobs_free (client->blobs);
  g_free (client);
}

static gboolean
on_idle (gpointer user)
{
  Server *server = user;

  server->idle_source = 0;
  g_message ("No client for %d seconds: leaving.", server->idle_seconds);
  g_main_loop_quit (server->loop);
  return G_SOURCE_REMOVE;
}

/* Called whenever a client or a job has come or gone. */
static void
watch_idleness (Server *server)
{
  gboolean idle = server->clients->len == 0 && pmt_jobs_pending (server->jobs) == 0;

  if (!idle && server->idle_source) {
    g_source_remove (server->idle_source);
    server->idle_source = 0;
  } else if (idle && server->stdio) {
    g_main_loop_quit (server->loop);
  } else if (idle && !server->idle_source) {
    server->idle_source = g_timeout_add_seconds ((guint) server->idle_seconds, on_idle, server);
  }
}

static void
on_job_ended (void *user)
{
  watch_idleness (user);
}

static gboolean
say_hello (PmtConnection *connection, const PmtMessage *message, GError **error)
{
  Client *client = pmt_connection_data (connection);
  PmtMessage *answer;
  PmtCpuLevel level;
  gint64 protocol;

  if (!pmt_message_int (message->header, "protocol", 0, G_MAXINT32, 0, &protocol, error) || !pmt_cpu_select (&level, error))
    return FALSE;
  if (protocol != PMT_PROTOCOL_VERSION) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_ENGINE,
                 "This engine (%s) speaks protocol %d and was asked for %d: install plug-in and engine from the same release.",
                 PMT_VERSION, PMT_PROTOCOL_VERSION, (int) protocol);
    return FALSE;
  }
  client->greeted = TRUE;
  answer = pmt_message_new ("hello", message->id);
  json_object_set_int_member (answer->header, "protocol", PMT_PROTOCOL_VERSION);
  json_object_set_string_member (answer->header, "engine", PMT_VERSION);
  json_object_set_string_member (answer->header, "build", PMT_BUILD_ID);
  json_object_set_string_member (answer->header, "cpu", pmt_cpu_name (level));
  json_object_set_int_member (answer->header, "threads", pmt_threads ());
  json_object_set_int_member (answer->header, "pid", getpid ());
  pmt_connection_send (connection, answer);
  return TRUE;
}

static void
submit (Server *server, PmtConnection *connection, const PmtMessage *message)
{
  Client *client = pmt_connection_data (connection);

  pmt_jobs_submit (server->jobs, connection, message, pmt_blobs_remove (client->blobs, message->id));
  watch_idleness (server);
}

static void
on_message (void *user, PmtConnection *connection, PmtMessage *message)
{
  Server *server = user;
  Client *client = pmt_connection_data (connection);
  g_autoptr (GError) error = NULL;
  gboolean fatal = FALSE;

  if (g_str_equal (message->type, "hello")) {
    fatal = !say_hello (connection, message, &error);
  } else if (!client->greeted) {
    g_set_error (&error, PMT_ERROR, PMT_ERROR_INPUT, "The first message has to be \"hello\", and it was \"%s\".", message->type);
    fatal = TRUE;
  } else if (g_str_equal (message->type, "blob")) {
    pmt_blobs_take (client->blobs, message, &error);
  } else if (g_str_equal (message->type, "job")) {
    submit (server, connection, message);
  } else if (g_str_equal (message->type, "cancel")) {
    pmt_jobs_cancel (server->jobs, connection, message->id); /* a job that has ended meanwhile needs no answer */
  } else if (g_str_equal (message->type, "keep")) {
    pmt_jobs_keep (server->jobs, connection, message->id);
  } else if (g_str_equal (message->type, "bye")) {
    pmt_connection_close (connection);
  } else if (pmt_question_answer (server->questions, connection, message, client->blobs)) {
    return;
  } else {
    g_set_error (&error, PMT_ERROR, PMT_ERROR_INPUT, "This engine (%s) does not know the message \"%s\".", PMT_VERSION, message->type);
  }

  if (error)
    pmt_connection_send_error (connection, message->id, error);
  if (fatal)
    pmt_connection_close (connection);
  pmt_message_free (message);
}

static void
on_closed (void *user, PmtConnection *connection)
{
  Server *server = user;

  pmt_jobs_drop (server->jobs, connection);
  g_ptr_array_remove (server->clients, connection);
  watch_idleness (server);
}

static void
add_client (Server *server, GInputStream *in, GOutputStream *out, GObject *owner)
{
  PmtConnectionEvents events = { on_message, on_closed, server };
  PmtConnection *connection = pmt_connection_new (in, out, owner, &events);
  Client *client = g_new0 (Client, 1);

  client->blobs = pmt_blobs_new (MAX_BLOBS, PMT_PROTOCOL_MAX_PAYLOAD);
  pmt_connection_set_data (connection, client, client_free);
  g_ptr_array_add (server->clients, connection);
  watch_idleness (server);
}

static gboolean
on_incoming (GSocketService *service, GSocketConnection *stream, GObject *source, gpointer user)
{
  g_autoptr (GError) error = NULL;

  if (!pmt_socket_peer_is_us (g_socket_connection_get_socket (stream), &error))
    g_warning ("%s", error->message);
  else
    add_client (user, g_io_stream_get_input_stream (G_IO_STREAM (stream)), g_io_stream_get_output_stream (G_IO_STREAM (stream)),
                G_OBJECT (stream));
  return TRUE;
}

static gboolean
on_signal (gpointer user)
{
  Server *server = user;

  g_main_loop_quit (server->loop);
  return G_SOURCE_CONTINUE;
}

/* stdout and stderr to the log, so that no pipe of whoever started us stays open. */
static gboolean
open_log (const char *path, GError **error)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

  if (fd < 0 || dup2 (fd, STDOUT_FILENO) < 0 || dup2 (fd, STDERR_FILENO) < 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_IO, "The log %s cannot be written: %s.", path, g_strerror (errno));
    return FALSE;
  }
  close (fd);
  return TRUE;
}

static void
run_loop (Server *server)
{
  guint term = g_unix_signal_add (SIGTERM, on_signal, server);
  guint interrupt = g_unix_signal_add (SIGINT, on_signal, server);

  watch_idleness (server);
  g_main_loop_run (server->loop);
  g_source_remove (term);
  g_source_remove (interrupt);
}

static void
serve_stdio (Server *server)
{
  g_autoptr (GInputStream) in = g_unix_input_stream_new (dup (STDIN_FILENO), TRUE);
  g_autoptr (GOutputStream) out = g_unix_output_stream_new (dup (STDOUT_FILENO), TRUE);

  /* Nothing that prints may get between the messages. */
  dup2 (STDERR_FILENO, STDOUT_FILENO);
  add_client (server, in, out, NULL);
  run_loop (server);
}

static gboolean
serve_socket (Server *server, const char *path, GError **error)
{
  g_autoptr (GSocketService) service = g_socket_service_new ();
  gboolean taken;
  int lock = -1;

  if (!pmt_socket_listen (service, path, &lock, &taken, error)) {
    if (taken)
      g_message ("Another engine already serves %s: leaving.", path);
    return taken;
  }
  setsid (); /* fails when we lead a group already: then no terminal can take us down either */
  g_signal_connect (service, "incoming", G_CALLBACK (on_incoming), server);
  g_socket_service_start (service);
  g_message ("pentimento-engine %s serves %s", PMT_VERSION, path);
  run_loop (server);
  g_socket_service_stop (service);
  g_socket_listener_close (G_SOCKET_LISTENER (service));
  unlink (path); /* while we still hold the lock: nobody else's socket is there */
  close (lock);
  return TRUE;
}

gboolean
pmt_serve (const PmtServeOptions *options, GError **error)
{
  g_autofree char *path = options->socket ? g_strdup (options->socket) : pmt_serve_default_socket ();
  Server server = { .stdio = options->stdio, .idle_seconds = options->idle_seconds };
  gboolean ok = TRUE;

  if (options->log && !open_log (options->log, error))
    return FALSE;
  signal (SIGPIPE, SIG_IGN);
  server.loop = g_main_loop_new (NULL, FALSE);
  server.jobs = pmt_jobs_new (on_job_ended, &server);
  server.questions = pmt_worker_new ("questions");
  server.clients = g_ptr_array_new_with_free_func ((GDestroyNotify) pmt_connection_unref);

  if (options->stdio)
    serve_stdio (&server);
  else
    ok = serve_socket (&server, path, error);

  server.stdio = FALSE;
  pmt_jobs_free (server.jobs);
  pmt_worker_free (server.questions);
  if (server.idle_source)
    g_source_remove (server.idle_source);
  g_ptr_array_unref (server.clients);
  g_main_loop_unref (server.loop);
  return ok;
}
