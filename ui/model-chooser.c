/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/model-chooser.h"

#include <glib/gi18n.h>
#include <string.h>

#include "ui/model-offers.h"

/* Ids of the rows that open a dialog; no path begins like this. */
#define PICK_FILE "//file"
#define PICK_FOLDER "//folder"

typedef struct Chooser {
  GObject *object;
  char *property;
  char *none;  /* what "" stands for */
  char *kinds; /* of the models on offer; "" none */
  GtkComboBoxText *combo;
  gboolean busy; /* the list is being rewritten */
} Chooser;

typedef struct Filling {
  Chooser *chooser;
  const char *path; /* the value */
  gboolean there;
} Filling;

static void
add_offer (const char *path, const char *label, gpointer user)
{
  Filling *filling = user;

  gtk_combo_box_text_append (filling->chooser->combo, path, label);
  filling->there |= g_strcmp0 (path, filling->path) == 0;
}

static void
show_value (Chooser *chooser)
{
  g_autofree char *path = NULL;
  Filling filling = { chooser };

  g_object_get (chooser->object, chooser->property, &path, NULL);
  chooser->busy = TRUE;
  gtk_combo_box_text_remove_all (chooser->combo);
  gtk_combo_box_text_append (chooser->combo, "", chooser->none);
  filling.path = path;
  pmt_model_offers_visit (chooser->kinds, add_offer, &filling);
  if (path && path[0] && !filling.there) {
    g_autofree char *name = g_filename_display_basename (path);
    gtk_combo_box_text_append (chooser->combo, path, name);
  }
  gtk_combo_box_text_append (chooser->combo, PICK_FILE, _("Choose a file…"));
  gtk_combo_box_text_append (chooser->combo, PICK_FOLDER, _("Choose a folder…"));
  gtk_combo_box_set_active_id (GTK_COMBO_BOX (chooser->combo), path ? path : "");
  chooser->busy = FALSE;
}

/* Settings and recipes are texts. */
static void
refuse_name (GtkWindow *parent)
{
  GtkWidget *dialog = gtk_message_dialog_new (parent, GTK_DIALOG_MODAL, GTK_MESSAGE_ERROR, GTK_BUTTONS_CLOSE, "%s",
                                              _("The name of this model, or of a folder that it is in, is not written in UTF-8: rename it and choose it again."));

  gtk_dialog_run (GTK_DIALOG (dialog));
  gtk_widget_destroy (dialog);
}

/* Newly allocated path, or NULL when the user changed their mind. */
static char *
pick (Chooser *chooser, gboolean folder)
{
  GtkWidget *parent = gtk_widget_get_toplevel (GTK_WIDGET (chooser->combo));
  GtkFileChooserNative *dialog = gtk_file_chooser_native_new (folder ? _("Folder of a Model in Diffusers Layout") : _("Model File"),
                                                              GTK_WINDOW (parent),
                                                              folder ? GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER : GTK_FILE_CHOOSER_ACTION_OPEN,
                                                              _("_Choose"), NULL);
  char *path = NULL;

  if (!folder) {
    GtkFileFilter *filter = gtk_file_filter_new ();
    gtk_file_filter_set_name (filter, _("Models (*.safetensors, *.sft, *.gguf)"));
    gtk_file_filter_add_pattern (filter, "*.safetensors");
    gtk_file_filter_add_pattern (filter, "*.sft");
    gtk_file_filter_add_pattern (filter, "*.gguf");
    gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (dialog), filter);
  }
  if (gtk_native_dialog_run (GTK_NATIVE_DIALOG (dialog)) == GTK_RESPONSE_ACCEPT)
    path = gtk_file_chooser_get_filename (GTK_FILE_CHOOSER (dialog));
  g_object_unref (dialog);
  if (path && !g_utf8_validate (path, -1, NULL)) {
    refuse_name (GTK_WINDOW (parent));
    g_clear_pointer (&path, g_free);
  }
  return path;
}

static void
on_changed (GtkComboBox *combo, Chooser *chooser)
{
  const char *id = gtk_combo_box_get_active_id (combo);
  g_autofree char *path = NULL;

  if (chooser->busy || !id)
    return;
  if (g_str_equal (id, PICK_FILE) || g_str_equal (id, PICK_FOLDER)) {
    path = pick (chooser, g_str_equal (id, PICK_FOLDER));
    if (path)
      g_object_set (chooser->object, chooser->property, path, NULL);
    else
      show_value (chooser);
  } else {
    g_object_set (chooser->object, chooser->property, id, NULL);
  }
}

static void
on_notify (GObject *object, GParamSpec *spec, Chooser *chooser)
{
  show_value (chooser);
}

static void
on_offers (gpointer user)
{
  show_value (user);
}

static void
on_destroy (GtkWidget *combo, Chooser *chooser)
{
  pmt_model_offers_unwatch (chooser);
  g_signal_handlers_disconnect_by_data (chooser->object, chooser);
  g_object_unref (chooser->object);
  g_free (chooser->property);
  g_free (chooser->none);
  g_free (chooser->kinds);
  g_free (chooser);
}

/* Names of models are long, and a dialog must not grow with them. */
static void
shorten (GtkWidget *combo)
{
  g_autoptr (GList) cells = gtk_cell_layout_get_cells (GTK_CELL_LAYOUT (combo));

  for (GList *cell = cells; cell; cell = cell->next)
    g_object_set (cell->data, "ellipsize", PANGO_ELLIPSIZE_MIDDLE, "width-chars", 24, NULL);
}

GtkWidget *
pmt_model_chooser_new (GObject *object, const char *property)
{
  return pmt_network_chooser_new (object, property, _("Sketch (comes with Pentimento)"), "checkpoint diffusers-folder");
}

GtkWidget *
pmt_network_chooser_new (GObject *object, const char *property, const char *none, const char *kinds)
{
  Chooser *chooser = g_new0 (Chooser, 1);
  GtkWidget *combo = gtk_combo_box_text_new ();
  g_autofree char *signal = g_strconcat ("notify::", property, NULL);

  chooser->object = g_object_ref (object);
  chooser->property = g_strdup (property);
  chooser->none = g_strdup (none);
  chooser->kinds = g_strdup (kinds);
  chooser->combo = GTK_COMBO_BOX_TEXT (combo);
  show_value (chooser);
  shorten (combo);
  pmt_model_offers_watch (on_offers, chooser);
  g_signal_connect (combo, "changed", G_CALLBACK (on_changed), chooser);
  g_signal_connect (combo, "destroy", G_CALLBACK (on_destroy), chooser);
  g_signal_connect (object, signal, G_CALLBACK (on_notify), chooser);
  gtk_widget_show (combo);
  return combo;
}
