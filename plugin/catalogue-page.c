/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/catalogue-page.h"

#include <glib/gi18n.h>

#include "plugin/catalogue.h"
#include "plugin/download.h"
#include "ui/job-bar.h"
#include "ui/model-words.h"
#include "ui/table.h"

typedef struct Page {
  PmtModelsDialog *dialog;
  GtkWidget *table, *details, *license, *consent, *button, *bar;
  JsonArray *entries;
  JsonObject *loading; /* the entry that comes */
  PmtDownload *download;
} Page;

static Page *
page_of (GtkWidget *widget)
{
  return g_object_get_data (G_OBJECT (widget), "pmt-page");
}

static const char *
text_of (JsonObject *entry, const char *member)
{
  JsonNode *node = json_object_get_member (entry, member);

  return node && json_node_get_value_type (node) == G_TYPE_STRING ? json_node_get_string (node) : NULL;
}

static gint64
bytes_of (JsonObject *entry)
{
  JsonNode *node = json_object_get_member (entry, "bytes");

  return node && json_node_get_value_type (node) == G_TYPE_INT64 ? json_node_get_int (node) : -1;
}

static gboolean
is_there (JsonObject *entry)
{
  return json_object_get_boolean_member_with_default (entry, "there", FALSE);
}

/* ---- columns ---- */

static char *
title_text (JsonObject *entry, gint64 *order)
{
  return g_strdup (text_of (entry, "title"));
}

static char *
purpose_text (JsonObject *entry, gint64 *order)
{
  return g_strdup (_(text_of (entry, "purpose")));
}

static char *
kind_text (JsonObject *entry, gint64 *order)
{
  return g_strdup (pmt_model_kind_word (text_of (entry, "kind")));
}

static char *
size_text (JsonObject *entry, gint64 *order)
{
  *order = bytes_of (entry);
  return pmt_model_size_text (*order);
}

static char *
state_text (JsonObject *entry, gint64 *order)
{
  return g_strdup (is_there (entry) ? _("Yes") : "");
}

static const PmtTableColumn columns[] = {
  { N_("Model"), 28, title_text },    { N_("What for"), 0, purpose_text }, { N_("Kind"), 12, kind_text },
  { N_("Size"), 10, size_text, TRUE }, { N_("Here"), 5, state_text },
};

/* ---- the selected one ---- */

static void
show_license (Page *page, JsonObject *entry)
{
  JsonObject *license = json_object_get_object_member (entry, "license");
  const char *url = json_object_get_string_member_with_default (license, "url", NULL), *site = text_of (entry, "page");
  g_autofree char *name = g_strdup_printf (_("Licence: %s"), json_object_get_string_member_with_default (license, "name", ""));
  g_autofree char *text = NULL;

  text = url ? g_markup_printf_escaped ("<a href=\"%s\">%s</a>", url, name) : g_markup_escape_text (name, -1);
  if (site) {
    g_autofree char *link = g_markup_printf_escaped ("%s    <a href=\"%s\">%s</a>", "", site, _("The model's page"));
    g_autofree char *before = g_steal_pointer (&text);
    text = g_strconcat (before, link, NULL);
  }
  gtk_label_set_markup (GTK_LABEL (page->license), text);
}

/* What it does not work without and is not there: its title; NULL when all is. */
static const char *
missing (Page *page, JsonObject *entry)
{
  JsonArray *needs = json_object_has_member (entry, "needs") ? json_object_get_array_member (entry, "needs") : NULL;

  for (guint i = 0; needs && i < json_array_get_length (needs); i++)
    for (guint k = 0; k < json_array_get_length (page->entries); k++) {
      JsonObject *other = json_array_get_object_element (page->entries, k);
      if (g_strcmp0 (text_of (other, "id"), json_array_get_string_element (needs, i)) == 0 && !is_there (other))
        return text_of (other, "title");
    }
  return NULL;
}

static void
show_details (Page *page, JsonObject *entry)
{
  GString *text = g_string_new (NULL);

  g_string_append_printf (text, _("%s: %s."), text_of (entry, "title"), _(text_of (entry, "purpose")));
  if (is_there (entry))
    g_string_append_printf (text, " %s", _("You have it."));
  if (missing (page, entry)) {
    g_string_append_c (text, ' ');
    g_string_append_printf (text, _("It works only with %s, which you do not have yet."), missing (page, entry));
  }
  gtk_label_set_text (GTK_LABEL (page->details), text->str);
  g_string_free (text, TRUE);
}

static void
refresh (Page *page)
{
  JsonObject *entry = pmt_table_selected (page->table);
  gboolean known = entry && text_of (entry, "sha256"), agreed = gtk_toggle_button_get_active (GTK_TOGGLE_BUTTON (page->consent));

  if (entry) {
    show_license (page, entry);
    show_details (page, entry);
  } else {
    gtk_label_set_text (GTK_LABEL (page->license), "");
    gtk_label_set_text (GTK_LABEL (page->details), _("Nothing is downloaded until you select a model and press Download."));
  }
  gtk_widget_set_visible (page->consent, entry && !known && !page->download);
  gtk_widget_set_sensitive (page->button, page->download || (entry && !is_there (entry) && (known || agreed) && pmt_models_dialog_own_folder (page->dialog)));
  gtk_button_set_label (GTK_BUTTON (page->button), page->download ? _("S_top") : _("_Download"));
  gtk_widget_set_sensitive (page->table, !page->download);
}

static void
on_selected (gpointer user)
{
  Page *page = user;

  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (page->consent), FALSE); /* for each one anew */
  refresh (page);
}

static void
on_consent (GtkWidget *widget, Page *page)
{
  refresh (page);
}

/* ---- download ---- */

static char *
time_text (double seconds)
{
  if (seconds < 90)
    return g_strdup_printf (ngettext ("%d second left", "%d seconds left", (gulong) seconds), (int) seconds);
  if (seconds < 5400)
    return g_strdup_printf (ngettext ("%d minute left", "%d minutes left", (gulong) (seconds / 60 + 0.5)), (int) (seconds / 60 + 0.5));
  return g_strdup_printf (_("%.1f hours left"), seconds / 3600);
}

static void
on_progress (gpointer user, const PmtDownloadProgress *progress)
{
  Page *page = user;
  g_autofree char *done = g_format_size ((guint64) progress->done), *of = progress->of > 0 ? g_format_size ((guint64) progress->of) : NULL;
  g_autofree char *rate = progress->rate > 0 ? g_format_size ((guint64) progress->rate) : NULL;
  g_autofree char *left = progress->left >= 0 ? time_text (progress->left) : NULL, *text = NULL;
  double fraction = progress->of > 0 ? (double) progress->done / (double) progress->of : -1;

  if (progress->stage == PMT_DOWNLOAD_CHECKING)
    text = g_strdup (_("Checking the file"));
  else if (progress->stage == PMT_DOWNLOAD_WAITING)
    text = g_strdup (_("The connection broke off; trying again"));
  else if (of && rate && left)
    text = g_strdup_printf (_("%s of %s, %s/s, %s"), done, of, rate, left);
  else if (of)
    text = g_strdup_printf (_("%s of %s"), done, of);
  else
    text = g_strdup (done);
  pmt_job_bar_progress (page->bar, fraction, text);
}

static void
end_download (Page *page)
{
  g_clear_pointer (&page->download, pmt_download_free);
  g_clear_pointer (&page->loading, json_object_unref);
  refresh (page);
}

static void
on_finished (gpointer user, const GError *error)
{
  Page *page = user;
  g_autofree char *text = error ? g_strdup (error->message) : g_strdup_printf (_("%s is there and was checked."), text_of (page->loading, "title"));

  if (!error && !text_of (page->loading, "sha256")) {
    g_free (text);
    text = g_strdup_printf (_("%s is there; its checksum is not known, so look at what the list of models says of it."), text_of (page->loading, "title"));
  }
  end_download (page);
  pmt_job_bar_say (page->bar, text, error != NULL);
  if (!error)
    pmt_models_dialog_search (page->dialog, NULL);
}

static void
on_button (GtkWidget *widget, Page *page)
{
  const PmtDownloadHandlers handlers = { on_progress, on_finished };
  JsonObject *entry = pmt_table_selected (page->table);
  g_autofree char *target = NULL;

  if (page->download) {
    end_download (page);
    pmt_job_bar_say (page->bar, _("Stopped. What has come is kept: Download goes on with it."), FALSE);
    return;
  }
  if (!entry || !pmt_models_dialog_own_folder (page->dialog))
    return;
  target = g_build_filename (pmt_models_dialog_own_folder (page->dialog), text_of (entry, "folder"), text_of (entry, "file"), NULL);
  page->loading = json_object_ref (entry);
  page->download = pmt_download_start (&(PmtDownloadWish) { .url = text_of (entry, "url"), .target = target, .bytes = bytes_of (entry), .sha256 = text_of (entry, "sha256") },
                                       &handlers, page);
  pmt_job_bar_progress (page->bar, -1, _("Connecting"));
  refresh (page);
}

/* ---- the page ---- */

static void
page_free (gpointer data)
{
  Page *page = data;

  pmt_download_free (page->download);
  g_clear_pointer (&page->loading, json_object_unref);
  g_clear_pointer (&page->entries, json_array_unref);
  g_free (page);
}

static GtkWidget *
wrapped_label_new (void)
{
  GtkWidget *label = gtk_label_new (NULL);

  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_line_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (label), 60);
  return label;
}

GtkWidget *
pmt_catalogue_page_new (PmtModelsDialog *dialog)
{
  const PmtTableHandlers handlers = { .selected = on_selected };
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 8), *row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  g_autoptr (GError) error = NULL;
  Page *page = g_new0 (Page, 1);

  page->dialog = dialog;
  page->entries = pmt_catalogue_load (&error);
  g_object_set_data_full (G_OBJECT (box), "pmt-page", page, page_free);
  gtk_container_set_border_width (GTK_CONTAINER (box), 10);
  page->table = pmt_table_new (_("Models that can be downloaded"), columns, G_N_ELEMENTS (columns), NULL);
  pmt_table_connect (page->table, &handlers, page);
  page->details = wrapped_label_new ();
  page->license = wrapped_label_new ();
  page->consent = gtk_check_button_new_with_mnemonic (_("_Its checksum is not known, so nothing can tell whether it is the right file: download it all the same"));
  page->button = gtk_button_new_with_mnemonic (_("_Download"));
  page->bar = pmt_job_bar_new ();
  gtk_label_set_line_wrap (GTK_LABEL (gtk_bin_get_child (GTK_BIN (page->consent))), TRUE);
  gtk_widget_set_valign (page->button, GTK_ALIGN_CENTER);
  g_signal_connect (page->consent, "toggled", G_CALLBACK (on_consent), page);
  g_signal_connect (page->button, "clicked", G_CALLBACK (on_button), page);
  gtk_box_pack_start (GTK_BOX (box), page->table, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (box), page->details, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (row), page->license, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (row), page->button, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), page->consent, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), row, FALSE, FALSE, 0);
  gtk_widget_show_all (box);
  gtk_box_pack_start (GTK_BOX (box), page->bar, FALSE, FALSE, 0); /* shows its parts itself */
  for (guint i = 0; page->entries && i < json_array_get_length (page->entries); i++)
    pmt_table_add (page->table, "id", json_array_get_object_element (page->entries, i));
  refresh (page);
  if (error)
    pmt_job_bar_say (page->bar, error->message, TRUE);
  return box;
}

void
pmt_catalogue_page_refresh (GtkWidget *widget)
{
  Page *page = page_of (widget);
  GPtrArray *models = pmt_models_dialog_models (page->dialog);

  for (guint i = 0; page->entries && i < json_array_get_length (page->entries); i++) {
    JsonObject *entry = json_array_get_object_element (page->entries, i);
    gboolean there = FALSE;
    for (guint k = 0; k < models->len && !there; k++) {
      g_autofree char *name = g_path_get_basename (json_object_get_string_member_with_default (models->pdata[k], "name", ""));
      there = g_strcmp0 (name, text_of (entry, "file")) == 0;
    }
    if (there != is_there (entry)) {
      json_object_set_boolean_member (entry, "there", there);
      pmt_table_add (page->table, "id", entry);
    }
  }
  refresh (page);
}

gboolean
pmt_catalogue_page_loads (GtkWidget *widget)
{
  return page_of (widget)->download != NULL;
}
