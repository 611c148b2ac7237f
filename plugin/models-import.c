/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/models-import.h"

#include <glib/gi18n.h>

#include "plugin/engine-command.h"

struct PmtModelsImport {
  GtkWindow *parent;
  PmtModelsImportHandlers handlers;
  gpointer user;
  GQueue waiting; /* char *, first "c" or "l" for copy and link */
  char *name;     /* of the file at work */
  char *placed;   /* the last one */
  GPtrArray *problems; /* sentences on files that could not be imported since the first that waited */
  PmtEngineCommand *command;
};

/* So many sentences can be read at once. */
#define MOST_PROBLEMS 6

PmtModelsImport *
pmt_models_import_new (GtkWindow *parent, const PmtModelsImportHandlers *handlers, gpointer user)
{
  PmtModelsImport *self = g_new0 (PmtModelsImport, 1);

  self->parent = parent;
  self->handlers = *handlers;
  self->user = user;
  g_queue_init (&self->waiting);
  self->problems = g_ptr_array_new_with_free_func (g_free);
  return self;
}

void
pmt_models_import_free (PmtModelsImport *self)
{
  if (!self)
    return;
  pmt_engine_command_free (self->command);
  g_queue_clear_full (&self->waiting, g_free);
  g_free (self->name);
  g_free (self->placed);
  g_ptr_array_unref (self->problems);
  g_free (self);
}

static void next (PmtModelsImport *self);

static void
on_line (gpointer user, JsonObject *line)
{
  PmtModelsImport *self = user;
  JsonNode *progress = json_object_get_member (line, "progress"), *imported = json_object_get_member (line, "imported");

  if (progress && JSON_NODE_HOLDS_OBJECT (progress)) {
    JsonObject *object = json_node_get_object (progress);
    gint64 done = json_object_get_int_member_with_default (object, "done", 0), of = json_object_get_int_member_with_default (object, "of", 0);
    g_autofree char *a = g_format_size ((guint64) done), *b = g_format_size ((guint64) of), *text = g_strdup_printf (_("%s: %s of %s"), self->name, a, b);
    self->handlers.said (self->user, of > 0 ? (double) done / (double) of : 0, text, FALSE);
  } else if (imported && JSON_NODE_HOLDS_OBJECT (imported)) {
    g_free (self->placed);
    self->placed = g_strdup (json_object_get_string_member_with_default (json_node_get_object (imported), "path", NULL));
  }
}

static char *
join_problems (const PmtModelsImport *self)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < self->problems->len && i < MOST_PROBLEMS; i++)
    g_string_append_printf (text, "%s%s", i ? "\n" : "", (char *) self->problems->pdata[i]);
  if (self->problems->len > MOST_PROBLEMS)
    g_string_append (text, "\n…");
  return g_string_free (text, FALSE);
}

/* In a window of its own: the one that lists the models says how many there are now. */
static void
show_problems (const PmtModelsImport *self, const char *sentences)
{
  const guint n = self->problems->len;
  GtkWidget *window = gtk_message_dialog_new (self->parent, GTK_DIALOG_DESTROY_WITH_PARENT, GTK_MESSAGE_WARNING, GTK_BUTTONS_CLOSE,
                                              ngettext ("%u file was not imported, all others were.", "%u files were not imported, all others were.", n), n);

  gtk_message_dialog_format_secondary_text (GTK_MESSAGE_DIALOG (window), "%s", sentences);
  gtk_window_set_title (GTK_WINDOW (window), _("Import Models"));
  g_signal_connect (window, "response", G_CALLBACK (gtk_widget_destroy), NULL);
  gtk_window_present (GTK_WINDOW (window));
}

/* All that waited is done. */
static void
conclude (PmtModelsImport *self)
{
  g_autofree char *placed = g_steal_pointer (&self->placed), *sentences = join_problems (self);

  if (self->problems->len && !placed)
    self->handlers.said (self->user, -1, sentences, TRUE);
  else if (self->problems->len)
    show_problems (self, sentences);
  g_ptr_array_set_size (self->problems, 0);
  if (placed)
    self->handlers.imported (self->user, placed);
}

static void
on_finished (gpointer user, const GError *error)
{
  PmtModelsImport *self = user;

  if (error) /* it goes with the command */
    g_ptr_array_add (self->problems, g_strdup (error->message));
  g_clear_pointer (&self->command, pmt_engine_command_free);
  next (self);
  if (!self->command)
    conclude (self);
}

static void
next (PmtModelsImport *self)
{
  const PmtEngineCommandHandlers handlers = { on_line, on_finished };
  g_autofree char *entry = g_queue_pop_head (&self->waiting), *text = NULL;
  const char *words[] = { "import", "--json", NULL, NULL, NULL };
  int n = 2;

  if (!entry)
    return;
  if (entry[0] == 'l')
    words[n++] = "--link";
  words[n] = entry + 1;
  g_free (self->name);
  self->name = g_filename_display_basename (entry + 1);
  text = g_strdup_printf (_("Looking at %s"), self->name);
  self->handlers.said (self->user, 0, text, FALSE);
  self->command = pmt_engine_command_start (words, &handlers, self);
}

enum { COPY = 1, LINK };

static int
ask (PmtModelsImport *self, char **paths)
{
  g_autofree char *name = g_filename_display_basename (paths[0]);
  guint n = g_strv_length (paths);
  GtkWidget *question = gtk_message_dialog_new (self->parent, GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT, GTK_MESSAGE_QUESTION, GTK_BUTTONS_NONE, NULL);
  g_autofree char *text = n == 1 ? g_strdup_printf (_("Import %s?"), name) : g_strdup_printf (ngettext ("Import %u file?", "Import %u files?", n), n);
  int answer;

  g_object_set (question, "text", text, "secondary-text",
                _("A copy can be used when the original is gone. A link takes no room, and is of use as long as the original stays where it is."), NULL);
  gtk_window_set_title (GTK_WINDOW (question), _("Import Models"));
  gtk_dialog_add_buttons (GTK_DIALOG (question), _("_Cancel"), GTK_RESPONSE_CANCEL, _("_Link"), LINK, _("C_opy"), COPY, NULL);
  gtk_dialog_set_default_response (GTK_DIALOG (question), COPY);
  answer = gtk_dialog_run (GTK_DIALOG (question));
  gtk_widget_destroy (question);
  return answer;
}

void
pmt_models_import_add (PmtModelsImport *self, char **paths)
{
  int how = ask (self, paths);

  if (how != COPY && how != LINK)
    return;
  for (; *paths; paths++)
    g_queue_push_tail (&self->waiting, g_strconcat (how == LINK ? "l" : "c", *paths, NULL));
  if (!self->command)
    next (self);
}

gboolean
pmt_models_import_runs (const PmtModelsImport *self)
{
  return self && self->command;
}
