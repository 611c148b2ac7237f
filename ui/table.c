/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/table.h"

#include <glib/gi18n.h>
#include <string.h>

/* Columns of the store: the object, whether it has a problem, then text and order of each column. */
enum { COLUMN_ROW, COLUMN_ICON, COLUMN_TIP, COLUMN_USE, FIRST };

typedef struct Table {
  GtkListStore *store;
  GtkTreeModel *filtered, *sorted;
  GtkWidget *view;
  const PmtTableColumn *columns;
  int n;
  PmtTableFilter *filter;
  gpointer filter_user;
  PmtTableHandlers handlers;
  gpointer user;
} Table;

static Table *
table_of (GtkWidget *widget)
{
  return g_object_get_data (G_OBJECT (widget), "pmt-table");
}

static gboolean
is_shown (GtkTreeModel *model, GtkTreeIter *iter, gpointer user)
{
  const Table *table = user;
  JsonObject *row = NULL;
  gboolean shown;

  gtk_tree_model_get (model, iter, COLUMN_ROW, &row, -1);
  shown = row && (!table->filter || table->filter (row, table->filter_user));
  if (row)
    json_object_unref (row);
  return shown;
}

static int
compare (GtkTreeModel *model, GtkTreeIter *a, GtkTreeIter *b, gpointer user)
{
  int column = GPOINTER_TO_INT (user), result;
  gint64 one, other;
  g_autofree char *text = NULL, *text_b = NULL;

  gtk_tree_model_get (model, a, column, &text, column + 1, &one, -1);
  gtk_tree_model_get (model, b, column, &text_b, column + 1, &other, -1);
  result = one < other ? -1 : one > other;
  return result ? result : g_utf8_collate (text ? text : "", text_b ? text_b : "");
}

static void
on_selected (GtkTreeSelection *selection, Table *table)
{
  if (table->handlers.selected)
    table->handlers.selected (table->user);
}

static void
on_activated (GtkTreeView *view, GtkTreePath *path, GtkTreeViewColumn *column, Table *table)
{
  if (table->handlers.activated)
    table->handlers.activated (table->user);
}

static void
on_toggled (GtkCellRendererToggle *cell, char *path, Table *table)
{
  GtkTreeIter iter;
  JsonObject *row = NULL;
  gboolean used;

  if (!gtk_tree_model_get_iter_from_string (table->sorted, &iter, path))
    return;
  gtk_tree_model_get (table->sorted, &iter, COLUMN_ROW, &row, COLUMN_USE, &used, -1);
  if (row && table->handlers.toggled)
    table->handlers.toggled (table->user, row, !used);
  if (row)
    json_object_unref (row);
}

static void
add_column (Table *table, int i)
{
  const PmtTableColumn *column = &table->columns[i];
  GtkTreeViewColumn *shown = gtk_tree_view_column_new ();
  GtkCellRenderer *text = gtk_cell_renderer_text_new ();

  gtk_tree_view_column_set_title (shown, _(column->title));
  if (i == 0) {
    GtkCellRenderer *icon = gtk_cell_renderer_pixbuf_new ();
    gtk_tree_view_column_pack_start (shown, icon, FALSE);
    gtk_tree_view_column_add_attribute (shown, icon, "icon-name", COLUMN_ICON);
  }
  gtk_tree_view_column_pack_start (shown, text, TRUE);
  gtk_tree_view_column_add_attribute (shown, text, "text", FIRST + 2 * i);
  /* of a file's name both ends count */
  g_object_set (text, "xalign", column->right ? 1.0 : 0.0, "ellipsize", i == 0 && !column->width ? PANGO_ELLIPSIZE_MIDDLE : PANGO_ELLIPSIZE_END, NULL);
  if (column->width) {
    g_object_set (text, "width-chars", column->width, NULL);
    /* where there is no row whose text would ask for it: else the last title is out of sight */
    gtk_tree_view_column_set_min_width (shown, 7 * column->width);
  } else {
    /* its own wish, the longest text, would push the others out of sight */
    gtk_tree_view_column_set_sizing (shown, GTK_TREE_VIEW_COLUMN_FIXED);
    gtk_tree_view_column_set_fixed_width (shown, 160);
    gtk_tree_view_column_set_expand (shown, TRUE);
  }
  gtk_tree_view_column_set_resizable (shown, TRUE);
  gtk_tree_view_column_set_sort_column_id (shown, FIRST + 2 * i);
  gtk_tree_view_append_column (GTK_TREE_VIEW (table->view), shown);
}

static void
table_free (gpointer data)
{
  Table *table = data;

  g_object_unref (table->sorted);
  g_object_unref (table->filtered);
  g_object_unref (table->store);
  g_free (table);
}

static void
make_models (Table *table)
{
  GType types[FIRST + 2 * PMT_TABLE_MAX_COLUMNS] = { JSON_TYPE_OBJECT, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_BOOLEAN };

  for (int i = 0; i < table->n; i++) {
    types[FIRST + 2 * i] = G_TYPE_STRING;
    types[FIRST + 2 * i + 1] = G_TYPE_INT64;
  }
  table->store = gtk_list_store_newv (FIRST + 2 * table->n, types);
  table->filtered = gtk_tree_model_filter_new (GTK_TREE_MODEL (table->store), NULL);
  gtk_tree_model_filter_set_visible_func (GTK_TREE_MODEL_FILTER (table->filtered), is_shown, table, NULL);
  table->sorted = gtk_tree_model_sort_new_with_model (table->filtered);
  for (int i = 0; i < table->n; i++)
    gtk_tree_sortable_set_sort_func (GTK_TREE_SORTABLE (table->sorted), FIRST + 2 * i, compare, GINT_TO_POINTER (FIRST + 2 * i), NULL);
}

GtkWidget *
pmt_table_new (const char *name, const PmtTableColumn *columns, int n, const char *toggle)
{
  GtkWidget *scrolled = gtk_scrolled_window_new (NULL, NULL);
  Table *table = g_new0 (Table, 1);

  g_assert (n <= PMT_TABLE_MAX_COLUMNS);
  table->columns = columns;
  table->n = n;
  make_models (table);
  table->view = gtk_tree_view_new_with_model (table->sorted);
  gtk_tree_view_set_tooltip_column (GTK_TREE_VIEW (table->view), COLUMN_TIP);
  gtk_tree_view_set_enable_search (GTK_TREE_VIEW (table->view), FALSE);
  atk_object_set_name (gtk_widget_get_accessible (table->view), name);
  if (toggle) {
    GtkCellRenderer *cell = gtk_cell_renderer_toggle_new ();
    gtk_tree_view_append_column (GTK_TREE_VIEW (table->view), gtk_tree_view_column_new_with_attributes (toggle, cell, "active", COLUMN_USE, NULL));
    g_signal_connect (cell, "toggled", G_CALLBACK (on_toggled), table);
  }
  for (int i = 0; i < n; i++)
    add_column (table, i);
  g_signal_connect (gtk_tree_view_get_selection (GTK_TREE_VIEW (table->view)), "changed", G_CALLBACK (on_selected), table);
  g_signal_connect (table->view, "row-activated", G_CALLBACK (on_activated), table);
  g_object_set_data_full (G_OBJECT (scrolled), "pmt-table", table, table_free);
  gtk_scrolled_window_set_shadow_type (GTK_SCROLLED_WINDOW (scrolled), GTK_SHADOW_IN);
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scrolled), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_container_add (GTK_CONTAINER (scrolled), table->view);
  gtk_widget_show_all (scrolled);
  return scrolled;
}

/* ---- rows ---- */

static gboolean
find_row (Table *table, const char *key, const char *value, GtkTreeIter *iter)
{
  gboolean there = gtk_tree_model_get_iter_first (GTK_TREE_MODEL (table->store), iter);

  while (there) {
    JsonObject *row = NULL;
    gboolean same;
    gtk_tree_model_get (GTK_TREE_MODEL (table->store), iter, COLUMN_ROW, &row, -1);
    same = row && g_strcmp0 (json_object_get_string_member_with_default (row, key, NULL), value) == 0;
    if (row)
      json_object_unref (row);
    if (same)
      return TRUE;
    there = gtk_tree_model_iter_next (GTK_TREE_MODEL (table->store), iter);
  }
  return FALSE;
}

void
pmt_table_add (GtkWidget *widget, const char *key, JsonObject *row)
{
  Table *table = table_of (widget);
  const char *problem = json_object_get_string_member_with_default (row, "problem", NULL);
  g_autofree char *tip = problem ? g_markup_escape_text (problem, -1) : NULL;
  GtkTreeIter iter;

  if (!find_row (table, key, json_object_get_string_member_with_default (row, key, NULL), &iter))
    gtk_list_store_append (table->store, &iter);
  for (int i = 0; i < table->n; i++) {
    gint64 order = 0;
    g_autofree char *text = table->columns[i].text (row, &order);
    gtk_list_store_set (table->store, &iter, FIRST + 2 * i, text, FIRST + 2 * i + 1, order, -1);
  }
  /* the object last: only then the row is shown */
  gtk_list_store_set (table->store, &iter, COLUMN_ICON, problem ? "dialog-warning-symbolic" : NULL, COLUMN_TIP, tip, COLUMN_USE,
                      json_object_get_boolean_member_with_default (row, "use", FALSE), COLUMN_ROW, row, -1);
}

void
pmt_table_clear (GtkWidget *widget)
{
  gtk_list_store_clear (table_of (widget)->store);
}

int
pmt_table_shown (GtkWidget *widget)
{
  return gtk_tree_model_iter_n_children (table_of (widget)->sorted, NULL);
}

JsonObject *
pmt_table_selected (GtkWidget *widget)
{
  Table *table = table_of (widget);
  GtkTreeModel *model;
  GtkTreeIter iter;
  JsonObject *row = NULL;

  if (!gtk_tree_selection_get_selected (gtk_tree_view_get_selection (GTK_TREE_VIEW (table->view)), &model, &iter))
    return NULL;
  gtk_tree_model_get (model, &iter, COLUMN_ROW, &row, -1);
  if (row)
    json_object_unref (row); /* the store has it */
  return row;
}

void
pmt_table_select (GtkWidget *widget, const char *key, const char *value)
{
  Table *table = table_of (widget);
  GtkTreeIter iter, in_filter, in_sort;
  g_autoptr (GtkTreePath) path = NULL;

  if (!value) {
    if (!gtk_tree_model_get_iter_first (table->sorted, &in_sort))
      return;
  } else if (!find_row (table, key, value, &iter) ||
             !gtk_tree_model_filter_convert_child_iter_to_iter (GTK_TREE_MODEL_FILTER (table->filtered), &in_filter, &iter) ||
             !gtk_tree_model_sort_convert_child_iter_to_iter (GTK_TREE_MODEL_SORT (table->sorted), &in_sort, &in_filter))
    return;
  path = gtk_tree_model_get_path (table->sorted, &in_sort);
  gtk_tree_view_set_cursor (GTK_TREE_VIEW (table->view), path, NULL, FALSE);
}

void
pmt_table_filter (GtkWidget *widget, PmtTableFilter *filter, gpointer user)
{
  Table *table = table_of (widget);

  table->filter = filter;
  table->filter_user = user;
  gtk_tree_model_filter_refilter (GTK_TREE_MODEL_FILTER (table->filtered));
}

void
pmt_table_connect (GtkWidget *widget, const PmtTableHandlers *handlers, gpointer user)
{
  Table *table = table_of (widget);

  table->handlers = *handlers;
  table->user = user;
}

GtkWidget *
pmt_table_view (GtkWidget *widget)
{
  return table_of (widget)->view;
}
