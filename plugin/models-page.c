/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/models-page.h"

#include <glib/gi18n.h>
#include <string.h>

#include "plugin/default-model.h"
#include "ui/model-words.h"
#include "ui/table.h"

typedef struct Page {
  PmtModelsDialog *dialog;
  GtkWidget *search, *kind, *table, *details, *use, *open;
  GHashTable *kinds; /* ids that the list of kinds has */
} Page;

static Page *
page_of (GtkWidget *widget)
{
  return g_object_get_data (G_OBJECT (widget), "pmt-page");
}

static const char *
text_of (JsonObject *model, const char *member)
{
  return json_object_get_string_member_with_default (model, member, "");
}

/* ---- columns ---- */

static char *
name_text (JsonObject *model, gint64 *order)
{
  g_autofree char *name = g_path_get_basename (text_of (model, "name"));

  return g_utf8_make_valid (name, -1);
}

static char *
kind_text (JsonObject *model, gint64 *order)
{
  const char *use = pmt_model_use_word (text_of (model, "use")), *kind = pmt_model_kind_word (text_of (model, "kind"));

  return use ? g_strdup_printf ("%s (%s)", kind, use) : g_strdup (kind);
}

static char *
family_text (JsonObject *model, gint64 *order)
{
  return g_strdup (text_of (model, "label"));
}

static char *
size_text (JsonObject *model, gint64 *order)
{
  *order = json_object_get_int_member_with_default (model, "bytes", 0);
  return pmt_model_size_text (*order);
}

static char *
origin_text (JsonObject *model, gint64 *order)
{
  return g_strdup (pmt_model_origin_word (text_of (model, "origin")));
}

static const PmtTableColumn columns[] = {
  { N_("Name"), 0, name_text },       { N_("What it is"), 18, kind_text },     { N_("Made for"), 20, family_text },
  { N_("Size"), 10, size_text, TRUE }, { N_("Belongs to"), 16, origin_text },
};

/* ---- search ---- */

static gboolean
matches (JsonObject *model, gpointer user)
{
  Page *page = user;
  const char *kind = gtk_combo_box_get_active_id (GTK_COMBO_BOX (page->kind));
  g_autofree char *words = g_utf8_casefold (gtk_entry_get_text (GTK_ENTRY (page->search)), -1);
  g_autofree char *all = g_strjoin (" ", text_of (model, "name"), text_of (model, "label"), text_of (model, "what"),
                                    pmt_model_kind_word (text_of (model, "kind")), pmt_model_origin_word (text_of (model, "origin")), NULL);
  g_autofree char *folded = g_utf8_casefold (all, -1);
  g_auto (GStrv) parts = g_strsplit (words, " ", -1);

  if (kind && kind[0] && !g_str_equal (kind, text_of (model, "kind")))
    return FALSE;
  for (char **part = parts; *part; part++)
    if (!strstr (folded, *part))
      return FALSE;
  return TRUE;
}

static void
on_search (GtkWidget *widget, Page *page)
{
  pmt_table_filter (page->table, matches, page);
}

/* Escape empties the field, and in an empty one closes the window as everywhere else. */
static void
on_stop_search (GtkEntry *search, Page *page)
{
  if (gtk_entry_get_text (search)[0])
    gtk_entry_set_text (search, "");
  else
    gtk_dialog_response (GTK_DIALOG (pmt_models_dialog_window (page->dialog)), GTK_RESPONSE_CLOSE);
}

/* ---- the selected one ---- */

static gboolean
can_draw (JsonObject *model)
{
  const char *kind = text_of (model, "kind");

  return json_object_get_boolean_member_with_default (model, "works", FALSE) &&
         (g_str_equal (kind, "checkpoint") || g_str_equal (kind, "diffusers-folder"));
}

static void
on_selected (gpointer user)
{
  Page *page = user;
  JsonObject *model = pmt_table_selected (page->table);
  const char *use = model ? text_of (model, "use") : "";
  const char *problem = model ? json_object_get_string_member_with_default (model, "problem", NULL) : NULL;
  g_autofree char *text = NULL;

  gtk_widget_set_sensitive (page->use, model && can_draw (model));
  gtk_widget_set_sensitive (page->open, model != NULL);
  gtk_button_set_label (GTK_BUTTON (page->use), g_str_equal (use, "edit")      ? _("_Use for Edit")
                                                : g_str_equal (use, "inpaint") ? _("_Use for Fill")
                                                                               : _("_Use for Fill and Generate"));
  if (!model)
    text = g_strdup (_("Select a model to see where it is and whether it works."));
  else if (problem)
    text = g_strdup (problem);
  else
    text = g_strdup_printf (_("%s. It works."), text_of (model, "path"));
  gtk_label_set_text (GTK_LABEL (page->details), text);
}

static void
on_use (GtkWidget *widget, Page *page)
{
  JsonObject *model = pmt_table_selected (page->table);
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL, *text = NULL;
  const char *use;

  if (!model || !can_draw (model))
    return;
  name = name_text (model, NULL);
  use = text_of (model, "use");
  if (!pmt_default_model_set (text_of (model, "path"), use, &error)) {
    pmt_models_dialog_say (page->dialog, error->message, TRUE);
    return;
  }
  if (g_str_equal (use, "edit"))
    text = g_strdup_printf (_("Edit by Instruction starts with %s from now on."), name);
  else if (g_str_equal (use, "inpaint"))
    text = g_strdup_printf (_("Fill starts with %s from now on."), name);
  else
    text = g_strdup_printf (_("Fill and Generate start with %s from now on."), name);
  pmt_models_dialog_say (page->dialog, text, FALSE);
}

static void
on_activated (gpointer user)
{
  on_use (NULL, user);
}

static void
on_open (GtkWidget *widget, Page *page)
{
  JsonObject *model = pmt_table_selected (page->table);
  g_autofree char *folder = model ? g_path_get_dirname (text_of (model, "path")) : NULL;

  if (folder)
    pmt_models_dialog_open_folder (page->dialog, folder);
}

static void
choose (Page *page, GtkFileChooserAction action)
{
  g_autoptr (GtkFileChooserNative) chooser = gtk_file_chooser_native_new (_("Import Models"), pmt_models_dialog_window (page->dialog), action,
                                                                          _("_Import"), NULL);
  g_autoptr (GSList) files = NULL;
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);

  if (action == GTK_FILE_CHOOSER_ACTION_OPEN) {
    GtkFileFilter *filter = gtk_file_filter_new ();
    gtk_file_filter_set_name (filter, _("Models (*.safetensors, *.gguf)"));
    gtk_file_filter_add_pattern (filter, "*.safetensors");
    gtk_file_filter_add_pattern (filter, "*.gguf");
    gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (chooser), filter);
  }
  gtk_file_chooser_set_select_multiple (GTK_FILE_CHOOSER (chooser), TRUE);
  if (gtk_native_dialog_run (GTK_NATIVE_DIALOG (chooser)) == GTK_RESPONSE_ACCEPT)
    files = gtk_file_chooser_get_filenames (GTK_FILE_CHOOSER (chooser));
  for (GSList *file = files; file; file = file->next)
    g_ptr_array_add (paths, file->data);
  g_ptr_array_add (paths, NULL);
  if (files)
    pmt_models_dialog_import (page->dialog, (char **) paths->pdata);
}

static void
on_import (GtkWidget *widget, Page *page)
{
  choose (page, GTK_FILE_CHOOSER_ACTION_OPEN);
}

/* In diffusers layout. */
static void
on_import_folder (GtkWidget *widget, Page *page)
{
  choose (page, GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER);
}

/* ---- the page ---- */

static void
page_free (gpointer data)
{
  Page *page = data;

  g_hash_table_unref (page->kinds);
  g_free (page);
}

static GtkWidget *
button_new (GtkWidget *box, const char *label, GCallback callback, Page *page)
{
  GtkWidget *button = gtk_button_new_with_mnemonic (label);

  g_signal_connect (button, "clicked", callback, page);
  gtk_box_pack_start (GTK_BOX (box), button, FALSE, FALSE, 0);
  return button;
}

static GtkWidget *
search_row_new (Page *page)
{
  GtkWidget *row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *label = gtk_label_new_with_mnemonic (_("_Search"));

  page->search = gtk_search_entry_new ();
  gtk_label_set_mnemonic_widget (GTK_LABEL (label), page->search);
  gtk_entry_set_placeholder_text (GTK_ENTRY (page->search), _("Name, kind or family"));
  page->kind = gtk_combo_box_text_new ();
  gtk_combo_box_text_append (GTK_COMBO_BOX_TEXT (page->kind), "", _("All kinds"));
  gtk_combo_box_set_active (GTK_COMBO_BOX (page->kind), 0);
  atk_object_set_name (gtk_widget_get_accessible (page->kind), _("Kind"));
  gtk_box_pack_start (GTK_BOX (row), label, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (row), page->search, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (row), page->kind, FALSE, FALSE, 0);
  g_signal_connect (page->search, "search-changed", G_CALLBACK (on_search), page);
  g_signal_connect (page->search, "stop-search", G_CALLBACK (on_stop_search), page);
  g_signal_connect (page->kind, "changed", G_CALLBACK (on_search), page);
  return row;
}

GtkWidget *
pmt_models_page_new (PmtModelsDialog *dialog)
{
  const PmtTableHandlers handlers = { on_selected, on_activated };
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 8), *buttons = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  Page *page = g_new0 (Page, 1);

  page->dialog = dialog;
  page->kinds = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_object_set_data_full (G_OBJECT (box), "pmt-page", page, page_free);
  gtk_container_set_border_width (GTK_CONTAINER (box), 10);
  gtk_box_pack_start (GTK_BOX (box), search_row_new (page), FALSE, FALSE, 0);
  page->table = pmt_table_new (_("Models"), columns, G_N_ELEMENTS (columns), NULL);
  pmt_table_filter (page->table, matches, page);
  pmt_table_connect (page->table, &handlers, page);
  gtk_box_pack_start (GTK_BOX (box), page->table, TRUE, TRUE, 0);
  page->details = gtk_label_new (NULL);
  gtk_label_set_xalign (GTK_LABEL (page->details), 0);
  gtk_label_set_yalign (GTK_LABEL (page->details), 0);
  gtk_label_set_line_wrap (GTK_LABEL (page->details), TRUE);
  gtk_label_set_line_wrap_mode (GTK_LABEL (page->details), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_lines (GTK_LABEL (page->details), 3);
  gtk_label_set_ellipsize (GTK_LABEL (page->details), PANGO_ELLIPSIZE_END);
  gtk_label_set_max_width_chars (GTK_LABEL (page->details), 40);
  gtk_label_set_selectable (GTK_LABEL (page->details), TRUE);
  gtk_widget_set_can_focus (page->details, FALSE);
  gtk_widget_set_size_request (page->details, -1, 54);
  gtk_box_pack_start (GTK_BOX (box), page->details, FALSE, FALSE, 0);
  page->use = button_new (buttons, _("_Use for Fill and Generate"), G_CALLBACK (on_use), page);
  gtk_button_set_use_underline (GTK_BUTTON (page->use), TRUE);
  page->open = button_new (buttons, _("Show in _File Manager"), G_CALLBACK (on_open), page);
  gtk_box_set_child_packing (GTK_BOX (buttons), button_new (buttons, _("Import Fo_lder…"), G_CALLBACK (on_import_folder), page), FALSE, FALSE, 0, GTK_PACK_END);
  gtk_box_set_child_packing (GTK_BOX (buttons), button_new (buttons, _("_Import…"), G_CALLBACK (on_import), page), FALSE, FALSE, 0, GTK_PACK_END);
  gtk_box_pack_start (GTK_BOX (box), buttons, FALSE, FALSE, 0);
  on_selected (page);
  gtk_widget_show_all (box);
  return box;
}

void
pmt_models_page_clear (GtkWidget *widget)
{
  Page *page = page_of (widget);

  pmt_table_clear (page->table);
  on_selected (page);
}

/* Kinds that there are, in their fixed order. */
static void
offer_kind (Page *page, const char *kind)
{
  int at = 1;

  if (!g_hash_table_add (page->kinds, g_strdup (kind)))
    return;
  for (const char *const *known = pmt_model_kinds; *known && !g_str_equal (*known, kind); known++)
    at += g_hash_table_contains (page->kinds, *known);
  gtk_combo_box_text_insert (GTK_COMBO_BOX_TEXT (page->kind), at, kind, pmt_model_kind_word (kind));
}

void
pmt_models_page_add (GtkWidget *widget, JsonObject *model)
{
  Page *page = page_of (widget);

  offer_kind (page, text_of (model, "kind"));
  pmt_table_add (page->table, "path", model);
}

void
pmt_models_page_select (GtkWidget *widget, const char *path)
{
  pmt_table_select (page_of (widget)->table, "path", path);
}
