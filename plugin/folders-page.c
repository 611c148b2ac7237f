/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/folders-page.h"

#include <glib/gi18n.h>

#include "ui/model-words.h"
#include "ui/table.h"

typedef struct Page {
  PmtModelsDialog *dialog;
  GtkWidget *table, *remove, *open;
} Page;

static Page *
page_of (GtkWidget *widget)
{
  return g_object_get_data (G_OBJECT (widget), "pmt-page");
}

static char *
path_text (JsonObject *folder, gint64 *order)
{
  const char *path = json_object_get_string_member_with_default (folder, "path", "");

  if (json_object_get_boolean_member_with_default (folder, "exists", TRUE))
    return g_strdup (path);
  return g_strdup_printf (_("%s (made when the first model comes)"), path);
}

static char *
origin_text (JsonObject *folder, gint64 *order)
{
  return g_strdup (pmt_model_origin_word (json_object_get_string_member_with_default (folder, "origin", "")));
}

static const PmtTableColumn columns[] = { { N_("Folder"), 0, path_text }, { N_("Belongs to"), 20, origin_text } };

static const char *
selected_path (Page *page)
{
  JsonObject *folder = pmt_table_selected (page->table);

  return folder ? json_object_get_string_member_with_default (folder, "path", NULL) : NULL;
}

static void
on_selected (gpointer user)
{
  Page *page = user;
  JsonObject *folder = pmt_table_selected (page->table);

  gtk_widget_set_sensitive (page->open, folder && json_object_get_boolean_member_with_default (folder, "exists", FALSE));
  gtk_widget_set_sensitive (page->remove, folder && g_strcmp0 (json_object_get_string_member_with_default (folder, "origin", ""), "added") == 0);
}

static void
on_toggled (gpointer user, JsonObject *folder, gboolean used)
{
  Page *page = user;
  const char *const words[] = { used ? "--use" : "--ignore", json_object_get_string_member_with_default (folder, "path", ""), NULL };

  pmt_models_dialog_search (page->dialog, words);
}

static void
on_add (GtkWidget *widget, Page *page)
{
  g_autoptr (GtkFileChooserNative) chooser = gtk_file_chooser_native_new (_("Folder with Models"), pmt_models_dialog_window (page->dialog),
                                                                          GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, _("_Add"), NULL);
  g_autofree char *path = NULL;

  if (gtk_native_dialog_run (GTK_NATIVE_DIALOG (chooser)) != GTK_RESPONSE_ACCEPT)
    return;
  path = gtk_file_chooser_get_filename (GTK_FILE_CHOOSER (chooser));
  pmt_models_dialog_search (page->dialog, (const char *const[]) { "--add", path, NULL });
}

static void
on_remove (GtkWidget *widget, Page *page)
{
  g_autofree char *path = g_strdup (selected_path (page));

  if (path)
    pmt_models_dialog_search (page->dialog, (const char *const[]) { "--remove", path, NULL });
}

static void
on_open (GtkWidget *widget, Page *page)
{
  if (selected_path (page))
    pmt_models_dialog_open_folder (page->dialog, selected_path (page));
}

static GtkWidget *
button_new (GtkWidget *box, const char *label, GCallback callback, Page *page)
{
  GtkWidget *button = gtk_button_new_with_mnemonic (label);

  g_signal_connect (button, "clicked", callback, page);
  gtk_box_pack_start (GTK_BOX (box), button, FALSE, FALSE, 0);
  return button;
}

GtkWidget *
pmt_folders_page_new (PmtModelsDialog *dialog)
{
  const PmtTableHandlers handlers = { .selected = on_selected, .toggled = on_toggled };
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 8), *buttons = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  GtkWidget *hint = gtk_label_new (_("Models of other programs are used where they are; nothing is copied. New ones go into Pentimento's own folder."));
  Page *page = g_new0 (Page, 1);

  page->dialog = dialog;
  g_object_set_data_full (G_OBJECT (box), "pmt-page", page, g_free);
  gtk_container_set_border_width (GTK_CONTAINER (box), 10);
  gtk_label_set_xalign (GTK_LABEL (hint), 0);
  gtk_label_set_line_wrap (GTK_LABEL (hint), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (hint), 60);
  gtk_box_pack_start (GTK_BOX (box), hint, FALSE, FALSE, 0);
  page->table = pmt_table_new (_("Folders"), columns, G_N_ELEMENTS (columns), _("Look here"));
  pmt_table_connect (page->table, &handlers, page);
  gtk_box_pack_start (GTK_BOX (box), page->table, TRUE, TRUE, 0);
  button_new (buttons, _("_Add Folder…"), G_CALLBACK (on_add), page);
  page->remove = button_new (buttons, _("_Remove"), G_CALLBACK (on_remove), page);
  page->open = button_new (buttons, _("Show in _File Manager"), G_CALLBACK (on_open), page);
  gtk_box_pack_start (GTK_BOX (box), buttons, FALSE, FALSE, 0);
  on_selected (page);
  gtk_widget_show_all (box);
  return box;
}

void
pmt_folders_page_clear (GtkWidget *widget)
{
  Page *page = page_of (widget);

  pmt_table_clear (page->table);
  on_selected (page);
}

void
pmt_folders_page_add (GtkWidget *widget, JsonObject *folder)
{
  pmt_table_add (page_of (widget)->table, "path", folder);
}
