/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/engine-command.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <signal.h>

#include "plugin/engine-place.h"
#include "plugin/error.h"

struct PmtEngineCommand {
  int refs; /* the owner's, and one per operation under way */
  gboolean dead;
  PmtEngineCommandHandlers handlers;
  gpointer user;
  char **words;
  GSubprocess *process;
  GDataInputStream *lines;
  GString *complaint; /* standard error */
  GInputStream *errors;
  char chunk[1024];
  int open; /* streams that have not ended */
  guint timer;
};

static void read_line (PmtEngineCommand *self);
static void read_complaint (PmtEngineCommand *self);

static PmtEngineCommand *
hold (PmtEngineCommand *self)
{
  self->refs++;
  return self;
}

static void
release (PmtEngineCommand *self)
{
  if (--self->refs > 0)
    return;
  g_clear_object (&self->lines);
  g_clear_object (&self->process);
  g_string_free (self->complaint, TRUE);
  g_strfreev (self->words);
  g_free (self);
}

static void
end (PmtEngineCommand *self, GError *error)
{
  if (!self->dead) {
    self->dead = TRUE;
    self->handlers.finished (self->user, error);
  }
  g_clear_error (&error);
}

static void
on_ended (GObject *source, GAsyncResult *result, gpointer user)
{
  PmtEngineCommand *self = user;
  GError *error = NULL;

  g_subprocess_wait_finish (G_SUBPROCESS (source), result, NULL);
  if (!g_subprocess_get_successful (self->process)) {
    g_autofree char *text = g_utf8_make_valid (g_strstrip (self->complaint->str), -1);
    error = text[0] ? g_error_new_literal (PMT_ERROR, PMT_ERROR_JOB, text)
                    : g_error_new_literal (PMT_ERROR, PMT_ERROR_ENGINE, _("The engine ended without a word: install Pentimento again if it repeats."));
  }
  end (self, error);
  release (self);
}

/* Both streams have ended: the program is about to. */
static void
stream_over (PmtEngineCommand *self)
{
  if (--self->open == 0)
    g_subprocess_wait_async (self->process, NULL, on_ended, hold (self));
}

static void
on_line (GObject *source, GAsyncResult *result, gpointer user)
{
  PmtEngineCommand *self = user;
  gsize length = 0;
  g_autofree char *line = g_data_input_stream_read_line_finish (self->lines, result, &length, NULL);

  if (line && !self->dead) {
    g_autoptr (JsonNode) node = g_utf8_validate (line, -1, NULL) ? json_from_string (line, NULL) : NULL;
    if (node && JSON_NODE_HOLDS_OBJECT (node))
      self->handlers.line (self->user, json_node_get_object (node));
  }
  if (line)
    read_line (self);
  else
    stream_over (self);
  release (self);
}

static void
read_line (PmtEngineCommand *self)
{
  g_data_input_stream_read_line_async (self->lines, G_PRIORITY_DEFAULT_IDLE, NULL, on_line, hold (self));
}

static void
on_complaint (GObject *source, GAsyncResult *result, gpointer user)
{
  PmtEngineCommand *self = user;
  gssize got = g_input_stream_read_finish (G_INPUT_STREAM (source), result, NULL);

  if (got > 0) {
    if (self->complaint->len < 8192)
      g_string_append_len (self->complaint, self->chunk, got);
    read_complaint (self);
  } else
    stream_over (self);
  release (self);
}

static void
read_complaint (PmtEngineCommand *self)
{
  g_input_stream_read_async (self->errors, self->chunk, sizeof self->chunk, G_PRIORITY_DEFAULT, NULL, on_complaint, hold (self));
}

static gboolean
spawn (PmtEngineCommand *self, GError **error)
{
  PmtEnginePlace place;
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autoptr (GError) problem = NULL;

  if (!pmt_engine_place_init (&place, error))
    return FALSE;
  g_ptr_array_add (argv, place.program);
  for (char **word = self->words; *word; word++)
    g_ptr_array_add (argv, *word);
  g_ptr_array_add (argv, NULL);
  self->process = g_subprocess_newv ((const char *const *) argv->pdata, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &problem);
  if (!self->process)
    g_set_error (error, PMT_ERROR, PMT_ERROR_ENGINE,
                 _("The engine %s cannot be started (%s): install Pentimento again, or name the engine in the environment variable PENTIMENTO_ENGINE."),
                 place.program, problem->message);
  pmt_engine_place_clear (&place);
  return self->process != NULL;
}

static gboolean
on_begin (gpointer user)
{
  PmtEngineCommand *self = user;
  GError *error = NULL;

  self->timer = 0;
  if (!spawn (self, &error)) {
    end (self, error);
    return G_SOURCE_REMOVE;
  }
  self->lines = g_data_input_stream_new (g_subprocess_get_stdout_pipe (self->process));
  self->errors = g_subprocess_get_stderr_pipe (self->process);
  self->open = 2;
  read_line (self);
  read_complaint (self);
  return G_SOURCE_REMOVE;
}

PmtEngineCommand *
pmt_engine_command_start (const char *const *words, const PmtEngineCommandHandlers *handlers, gpointer user)
{
  PmtEngineCommand *self = g_new0 (PmtEngineCommand, 1);

  self->refs = 1;
  self->handlers = *handlers;
  self->user = user;
  self->words = g_strdupv ((char **) words);
  self->complaint = g_string_new (NULL);
  self->timer = g_idle_add (on_begin, self);
  return self;
}

void
pmt_engine_command_free (PmtEngineCommand *command)
{
  if (!command)
    return;
  command->dead = TRUE;
  g_clear_handle_id (&command->timer, g_source_remove);
  if (command->process)
    g_subprocess_send_signal (command->process, SIGTERM);
  release (command);
}
