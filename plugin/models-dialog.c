/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/models-dialog.h"

#include <glib/gi18n.h>
#include <libgimp/gimpui.h>
#include <string.h>

#include "plugin/catalogue-page.h"
#include "plugin/close-guard.h"
#include "plugin/engine-command.h"
#include "plugin/folders-page.h"
#include "plugin/help.h"
#include "plugin/models-import.h"
#include "plugin/models-page.h"
#include "plugin/models.h"
#include "ui/dropped-files.h"
#include "ui/job-bar.h"

struct PmtModelsDialog {
  GtkWidget *window, *list, *catalogue, *folders, *bar;
  PmtEngineCommand *search;
  gboolean fresh; /* the search has not answered yet: what is shown is the last one's */
  GPtrArray *models; /* JsonObject */
  int broken, places;
  char *own, *selected;
  PmtModelsImport *import;
};

GtkWindow *
pmt_models_dialog_window (PmtModelsDialog *self)
{
  return GTK_WINDOW (self->window);
}

GPtrArray *
pmt_models_dialog_models (PmtModelsDialog *self)
{
  return self->models;
}

const char *
pmt_models_dialog_own_folder (PmtModelsDialog *self)
{
  return self->own;
}

void
pmt_models_dialog_say (PmtModelsDialog *self, const char *sentence, gboolean error)
{
  pmt_job_bar_say (self->bar, sentence, error);
}

/* ---- search ---- */

/* The first answer takes the old rows away, so that a list does not flicker. */
static void
begin_rows (PmtModelsDialog *self)
{
  if (!self->fresh)
    return;
  self->fresh = FALSE;
  g_ptr_array_set_size (self->models, 0);
  self->broken = self->places = 0;
  pmt_models_page_clear (self->list);
  pmt_folders_page_clear (self->folders);
}

static void
take_folder (PmtModelsDialog *self, JsonObject *folder)
{
  if (g_strcmp0 (json_object_get_string_member_with_default (folder, "origin", NULL), "own") == 0) {
    g_free (self->own);
    self->own = g_strdup (json_object_get_string_member_with_default (folder, "path", NULL));
  }
  self->places += json_object_get_boolean_member_with_default (folder, "use", FALSE);
  pmt_folders_page_add (self->folders, folder);
}

static void
take_model (PmtModelsDialog *self, JsonObject *model)
{
  g_autofree char *text = NULL;

  g_ptr_array_add (self->models, json_object_ref (model));
  self->broken += !json_object_get_boolean_member_with_default (model, "works", FALSE);
  pmt_models_page_add (self->list, model);
  text = g_strdup_printf (ngettext ("Looking at files: %u", "Looking at files: %u", self->models->len), self->models->len);
  pmt_job_bar_progress (self->bar, -1, text);
}

static JsonObject *
member (JsonObject *line, const char *name)
{
  JsonNode *node = json_object_get_member (line, name);

  return node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static void
on_line (gpointer user, JsonObject *line)
{
  PmtModelsDialog *self = user;

  begin_rows (self);
  if (member (line, "folder"))
    take_folder (self, member (line, "folder"));
  else if (member (line, "model"))
    take_model (self, member (line, "model"));
}

static void
sum_up (PmtModelsDialog *self)
{
  g_autofree char *files = g_strdup_printf (ngettext ("%u file", "%u files", self->models->len), self->models->len);
  g_autofree char *places = g_strdup_printf (ngettext ("%d folder", "%d folders", (gulong) self->places), self->places), *text = NULL;

  if (self->models->len == 0)
    text = g_strdup (_("There are no models beside the one that comes with Pentimento: drop a file here, get one under Get More, or add a folder."));
  else if (self->broken)
    text = g_strdup_printf (ngettext ("%s in %s; %d of them does not work, marked with a sign", "%s in %s; %d of them do not work, marked with a sign",
                                      (gulong) self->broken),
                            files, places, self->broken);
  else
    text = g_strdup_printf (_("%s in %s"), files, places);
  pmt_job_bar_say (self->bar, text, FALSE);
}

static void
on_searched (gpointer user, const GError *error)
{
  PmtModelsDialog *self = user;

  g_clear_pointer (&self->search, pmt_engine_command_free);
  if (error) {
    pmt_job_bar_say (self->bar, error->message, TRUE);
  } else {
    begin_rows (self);
    sum_up (self);
  }
  pmt_models_page_select (self->list, self->selected);
  g_clear_pointer (&self->selected, g_free);
  pmt_catalogue_page_refresh (self->catalogue);
}

void
pmt_models_dialog_search (PmtModelsDialog *self, const char *const *words)
{
  const PmtEngineCommandHandlers handlers = { on_line, on_searched };
  g_autoptr (GPtrArray) all = g_ptr_array_new ();

  g_ptr_array_add (all, "models");
  g_ptr_array_add (all, "--json");
  for (; words && *words; words++)
    g_ptr_array_add (all, (gpointer) *words);
  g_ptr_array_add (all, NULL);
  pmt_engine_command_free (self->search);
  self->fresh = TRUE;
  pmt_job_bar_progress (self->bar, -1, _("Looking for models"));
  self->search = pmt_engine_command_start ((const char *const *) all->pdata, &handlers, self);
}

/* ---- import ---- */

static void
on_imported (gpointer user, const char *path)
{
  PmtModelsDialog *self = user;

  g_free (self->selected);
  self->selected = g_strdup (path);
  pmt_models_dialog_search (self, NULL);
}

static void
on_import_said (gpointer user, double fraction, const char *text, gboolean error)
{
  PmtModelsDialog *self = user;

  if (fraction >= 0)
    pmt_job_bar_progress (self->bar, fraction, text);
  else
    pmt_job_bar_say (self->bar, text, error);
}

void
pmt_models_dialog_import (PmtModelsDialog *self, char **paths)
{
  const PmtModelsImportHandlers handlers = { on_import_said, on_imported };

  if (!self->import)
    self->import = pmt_models_import_new (GTK_WINDOW (self->window), &handlers, self);
  pmt_models_import_add (self->import, paths);
}

static void
on_dropped (GtkWidget *widget, GdkDragContext *context, int x, int y, GtkSelectionData *data, guint info, guint time, PmtModelsDialog *self)
{
  g_auto (GStrv) paths = pmt_dropped_files (context, data, time);

  if (*paths)
    pmt_models_dialog_import (self, paths);
  else
    pmt_models_dialog_say (self, _("What was dropped is no file on this machine: save it first, then drop the file."), TRUE);
}

void
pmt_models_dialog_open_folder (PmtModelsDialog *self, const char *path)
{
  g_autofree char *uri = g_filename_to_uri (path, NULL, NULL);
  g_autoptr (GError) error = NULL;

  if (uri && !gtk_show_uri_on_window (GTK_WINDOW (self->window), uri, GDK_CURRENT_TIME, &error)) {
    g_autofree char *text = g_strdup_printf (_("The folder %s cannot be shown (%s): open it in a file manager."), path, error->message);
    pmt_models_dialog_say (self, text, TRUE);
  }
}

/* ---- the window ---- */

static gboolean
may_close (gpointer user)
{
  PmtModelsDialog *self = user;

  if (pmt_catalogue_page_loads (self->catalogue))
    return pmt_close_guard_ask (GTK_WINDOW (self->window), _("Stop the download?"),
                                _("It ends with this window. What has come is kept: the next Download goes on with it."), _("_Keep Open"),
                                _("_Stop"));
  if (pmt_models_import_runs (self->import))
    return pmt_close_guard_ask (GTK_WINDOW (self->window), _("Stop the import?"),
                                _("It ends with this window. Nothing is left of a file that is not complete."), _("_Keep Open"), _("_Stop"));
  return TRUE;
}

static void
add_page (GtkWidget *book, GtkWidget *page, const char *label)
{
  GtkWidget *tab = gtk_label_new_with_mnemonic (label);

  gtk_widget_show (tab);
  gtk_notebook_append_page (GTK_NOTEBOOK (book), page, tab);
  gtk_label_set_mnemonic_widget (GTK_LABEL (tab), page);
}

void
pmt_models_dialog_run (void)
{
  PmtModelsDialog self = { 0 };
  GtkWidget *content, *book = gtk_notebook_new ();

  self.models = g_ptr_array_new_with_free_func ((GDestroyNotify) json_object_unref);
  self.window = gimp_dialog_new (_("Models"), "pentimento-models", NULL, 0, gimp_standard_help_func, PMT_PROCEDURE_MODELS, _("_Close"),
                                 GTK_RESPONSE_CLOSE, NULL);
  pmt_help_free_letter (GTK_DIALOG (self.window));
  self.list = pmt_models_page_new (&self);
  self.catalogue = pmt_catalogue_page_new (&self);
  self.folders = pmt_folders_page_new (&self);
  self.bar = pmt_job_bar_new ();
  add_page (book, self.list, _("_Models"));
  add_page (book, self.catalogue, _("_Get More"));
  add_page (book, self.folders, _("F_olders"));
  gtk_widget_show (book);
  content = gtk_dialog_get_content_area (GTK_DIALOG (self.window));
  gtk_container_set_border_width (GTK_CONTAINER (content), 10);
  gtk_box_set_spacing (GTK_BOX (content), 8);
  gtk_box_pack_start (GTK_BOX (content), book, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (content), self.bar, FALSE, FALSE, 0);
  gtk_window_set_default_size (GTK_WINDOW (self.window), 860, 560);
  gtk_drag_dest_set (self.window, GTK_DEST_DEFAULT_ALL, NULL, 0, GDK_ACTION_COPY);
  gtk_drag_dest_add_uri_targets (self.window);
  g_signal_connect (self.window, "drag-data-received", G_CALLBACK (on_dropped), &self);
  pmt_close_guard_add (GTK_DIALOG (self.window), may_close, &self);
  pmt_models_dialog_search (&self, NULL);

  gimp_dialog_run (GIMP_DIALOG (self.window));
  pmt_engine_command_free (self.search);
  pmt_models_import_free (self.import);
  gtk_widget_destroy (self.window);
  g_ptr_array_unref (self.models);
  g_free (self.own);
  g_free (self.selected);
}
