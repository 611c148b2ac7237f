/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The list with columns (ui/table.h), and choosers that follow the list of offers (ui/model-chooser.h). */
#include <string.h>

#include "tests/ui/window.h"
#include "ui/model-chooser.h"
#include "ui/model-offers.h"
#include "ui/table.h"

/* ---- table ---- */

static char *
name_text (JsonObject *row, gint64 *order)
{
  return g_strdup (json_object_get_string_member (row, "name"));
}

static char *
size_text (JsonObject *row, gint64 *order)
{
  *order = json_object_get_int_member (row, "size");
  return g_strdup_printf ("%" G_GINT64_FORMAT " bytes", *order);
}

static const PmtTableColumn columns[] = { { "Name", 0, name_text }, { "Size", 10, size_text, TRUE } };

static void
add (GtkWidget *table, const char *name, gint64 size)
{
  JsonObject *row = json_object_new ();

  json_object_set_string_member (row, "name", name);
  json_object_set_int_member (row, "size", size);
  json_object_set_boolean_member (row, "use", size > 50);
  pmt_table_add (table, "name", row);
  json_object_unref (row);
}

/* Names from top to bottom. */
static char *
shown (GtkWidget *table)
{
  GtkTreeModel *model = gtk_tree_view_get_model (GTK_TREE_VIEW (pmt_table_view (table)));
  GString *text = g_string_new (NULL);
  GtkTreeIter iter;

  for (gboolean there = gtk_tree_model_get_iter_first (model, &iter); there; there = gtk_tree_model_iter_next (model, &iter)) {
    JsonObject *row = NULL;
    gtk_tree_model_get (model, &iter, 0, &row, -1);
    g_string_append_printf (text, "%s ", json_object_get_string_member (row, "name"));
    json_object_unref (row);
  }
  return g_string_free (text, FALSE);
}

static void
assert_shown (GtkWidget *table, const char *expected)
{
  g_autofree char *text = shown (table);

  g_assert_cmpstr (text, ==, expected);
}

static gboolean
is_small (JsonObject *row, gpointer limit)
{
  return json_object_get_int_member (row, "size") < *(gint64 *) limit;
}

static void
test_table (void)
{
  GtkWidget *table = pmt_table_new ("Things", columns, G_N_ELEMENTS (columns), NULL), *window;
  GtkTreeSortable *sortable;
  gint64 limit = 1000;

  window = window_new (table);
  add (table, "ten", 10);
  add (table, "nine", 9);
  add (table, "hundred", 100);
  assert_shown (table, "ten nine hundred ");
  sortable = GTK_TREE_SORTABLE (gtk_tree_view_get_model (GTK_TREE_VIEW (pmt_table_view (table))));
  gtk_tree_sortable_set_sort_column_id (sortable, 6, GTK_SORT_ASCENDING); /* sizes are numbers, no texts */
  assert_shown (table, "nine ten hundred ");
  pmt_table_filter (table, is_small, &limit);
  limit = 50;
  pmt_table_filter (table, is_small, &limit);
  assert_shown (table, "nine ten ");
  g_assert_cmpint (pmt_table_shown (table), ==, 2);
  pmt_table_select (table, "name", "ten");
  g_assert_cmpstr (json_object_get_string_member (pmt_table_selected (table), "name"), ==, "ten");
  add (table, "ten", 5); /* in the place of the old one */
  assert_shown (table, "ten nine ");
  pmt_table_select (table, "name", "hundred"); /* not to be seen */
  g_assert_cmpstr (json_object_get_string_member (pmt_table_selected (table), "name"), ==, "ten");
  pmt_table_clear (table);
  g_assert_null (pmt_table_selected (table));
  gtk_widget_destroy (window);
  settle ();
}

static char *toggled;

static void
on_toggled (gpointer user, JsonObject *row, gboolean used)
{
  g_free (toggled);
  toggled = g_strdup_printf ("%s %s", json_object_get_string_member (row, "name"), used ? "on" : "off");
}

/* Space on a row's box. */
static void
test_toggle (void)
{
  const PmtTableHandlers handlers = { .toggled = on_toggled };
  GtkWidget *table = pmt_table_new ("Things", columns, G_N_ELEMENTS (columns), "Use"), *window = window_new (table);
  g_autoptr (GtkTreePath) second = gtk_tree_path_new_from_string ("1");
  GtkTreeViewColumn *column = gtk_tree_view_get_column (GTK_TREE_VIEW (pmt_table_view (table)), 0);
  g_autoptr (GList) cells = gtk_cell_layout_get_cells (GTK_CELL_LAYOUT (column));

  pmt_table_connect (table, &handlers, NULL);
  add (table, "ten", 10);
  add (table, "hundred", 100);
  g_signal_emit_by_name (cells->data, "toggled", "1");
  g_assert_cmpstr (toggled, ==, "hundred off");
  g_signal_emit_by_name (cells->data, "toggled", "0");
  g_assert_cmpstr (toggled, ==, "ten on");
  g_clear_pointer (&toggled, g_free);
  gtk_widget_destroy (window);
  settle ();
}

/* ---- choosers ---- */

static char *
rows_of (GtkWidget *combo)
{
  GtkTreeModel *model = gtk_combo_box_get_model (GTK_COMBO_BOX (combo));
  GString *text = g_string_new (NULL);
  GtkTreeIter iter;

  for (gboolean there = gtk_tree_model_get_iter_first (model, &iter); there; there = gtk_tree_model_iter_next (model, &iter)) {
    g_autofree char *label = NULL;
    gtk_tree_model_get (model, &iter, 0, &label, -1);
    g_string_append_printf (text, "%s|", label);
  }
  return g_string_free (text, FALSE);
}

static void
assert_rows (GtkWidget *combo, const char *expected)
{
  g_autofree char *text = rows_of (combo);

  g_assert_cmpstr (text, ==, expected);
}

/* The settings are a label, whose text is the path. */
static void
test_offers (void)
{
  GObject *settings = g_object_ref_sink (G_OBJECT (gtk_label_new ("")));
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0), *window;
  GtkWidget *model = pmt_model_chooser_new (settings, "label"), *net = pmt_network_chooser_new (settings, "label", "None", "controlnet t2i-adapter");

  gtk_box_pack_start (GTK_BOX (box), model, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), net, FALSE, FALSE, 0);
  window = window_new (box);
  assert_rows (net, "None|Choose a file…|Choose a folder…|");
  pmt_model_offers_add ("t2i-adapter", "/m/sketch.safetensors", "sketch");
  pmt_model_offers_add ("checkpoint", "/m/one.safetensors", "one (Stable Diffusion 1.x)");
  pmt_model_offers_add ("controlnet", "/m/canny.safetensors", "canny");
  pmt_model_offers_add ("controlnet", "/m/canny.safetensors", "canny again");
  settle ();
  assert_rows (net, "None|canny|sketch|Choose a file…|Choose a folder…|");
  assert_rows (model, "Sketch (comes with Pentimento)|one (Stable Diffusion 1.x)|Choose a file…|Choose a folder…|");

  gtk_combo_box_set_active_id (GTK_COMBO_BOX (net), "/m/canny.safetensors");
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (settings)), ==, "/m/canny.safetensors");
  /* a value from elsewhere has a row of its own, under its name, and stays while offers come */
  gtk_label_set_text (GTK_LABEL (settings), "/far/away.safetensors");
  pmt_model_offers_add ("controlnet", "/m/depth.safetensors", "depth");
  settle ();
  assert_rows (net, "None|canny|depth|sketch|away.safetensors|Choose a file…|Choose a folder…|");
  g_assert_cmpstr (gtk_combo_box_get_active_id (GTK_COMBO_BOX (net)), ==, "/far/away.safetensors");
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (settings)), ==, "/far/away.safetensors");

  gtk_widget_destroy (window);
  pmt_model_offers_add ("controlnet", "/m/late.safetensors", "late"); /* nobody listens any more */
  settle ();
  g_object_unref (settings);
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ui/table/sorts-and-filters", test_table);
  g_test_add_func ("/ui/table/boxes", test_toggle);
  g_test_add_func ("/ui/model-chooser/offers", test_offers);
  return g_test_run ();
}
