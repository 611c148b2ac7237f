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
  char *placed;
  PmtEngineCommand *command;
};

PmtModelsImport *
pmt_models_import_new (GtkWindow *parent, const PmtModelsImportHandlers *handlers, gpointer user)
{
  PmtModelsImport *self = g_new0 (PmtModelsImport, 1);

  self->parent = parent;
  self->handlers = *handlers;
  self->user = user;
  g_queue_init (&self->waiting);
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

static void
on_finished (gpointer user, const GError *error)
{
  PmtModelsImport *self = user;
  g_autofree char *placed = g_steal_pointer (&self->placed);

  g_clear_pointer (&self->command, pmt_engine_command_free);
  if (error) {
    g_autofree char *text = g_strdup (error->message);
    g_queue_clear_full (&self->waiting, g_free); /* one sentence at a time */
    self->handlers.said (self->user, -1, text, TRUE);
  } else {
    next (self);
    if (!self->command && placed)
      self->handlers.imported (self->user, placed);
  }
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
