/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/picture-list.h"

#include <string.h>

#include <glib/gi18n.h>

#include "ui/dropped-files.h"

#define HEIGHT 196
#define NAME_CHARS 16

enum { SMALL, NAME, CAPTION, KEY, COLUMNS };

typedef struct State {
  PmtPictureListHandlers handlers;
  gpointer user;
  GtkWidget *view, *hint;
  GtkListStore *store;
} State;

static State *
state_of (GtkWidget *list)
{
  return g_object_get_data (G_OBJECT (list), "pmt-state");
}

static void
state_free (gpointer data)
{
  State *state = data;

  g_object_unref (state->store);
  g_free (state);
}

static int
count (const State *state)
{
  return gtk_tree_model_iter_n_children (GTK_TREE_MODEL (state->store), NULL);
}

static void
tell_changed (State *state)
{
  gtk_widget_set_visible (state->hint, count (state) == 0);
  state->handlers.changed (state->user);
}

static void
on_edited (GtkCellRendererText *cell, const char *path, const char *text, State *state)
{
  g_autofree char *stripped = g_strstrip (g_strdup (text));
  GtkTreeIter iter;

  if (!gtk_tree_model_get_iter_from_string (GTK_TREE_MODEL (state->store), &iter, path))
    return;
  gtk_list_store_set (state->store, &iter, CAPTION, stripped, -1);
  state->handlers.changed (state->user);
}

static void
on_selection (GtkTreeSelection *selection, State *state)
{
  state->handlers.selected (state->user, gtk_tree_selection_count_selected_rows (selection));
}

/* Return or a double click on any part of the row. */
static void
on_activated (GtkTreeView *view, GtkTreePath *path, GtkTreeViewColumn *column, gpointer unused)
{
  gtk_tree_view_set_cursor (view, path, gtk_tree_view_get_column (view, 1), TRUE);
}

static gboolean
on_key (GtkWidget *view, GdkEventKey *event, GtkWidget *list)
{
  if (event->keyval != GDK_KEY_Delete && event->keyval != GDK_KEY_KP_Delete)
    return GDK_EVENT_PROPAGATE;
  pmt_picture_list_remove_selected (list);
  return GDK_EVENT_STOP;
}

static void
on_dropped (GtkWidget *widget, GdkDragContext *context, int x, int y, GtkSelectionData *data, guint info, guint time, State *state)
{
  g_auto (GStrv) paths = pmt_dropped_files (context, data, time);

  if (*paths)
    state->handlers.dropped (state->user, paths);
}

static void
add_columns (State *state, const char *automatic)
{
  GtkTreeView *view = GTK_TREE_VIEW (state->view);
  GtkTreeViewColumn *picture = gtk_tree_view_column_new (), *caption;
  GtkCellRenderer *small = gtk_cell_renderer_pixbuf_new (), *name = gtk_cell_renderer_text_new (), *text = gtk_cell_renderer_text_new ();

  gtk_tree_view_column_set_title (picture, _("Picture"));
  gtk_tree_view_column_pack_start (picture, small, FALSE);
  gtk_tree_view_column_add_attribute (picture, small, "pixbuf", SMALL);
  gtk_tree_view_column_pack_start (picture, name, TRUE);
  gtk_tree_view_column_add_attribute (picture, name, "text", NAME);
  g_object_set (small, "width", 56, "height", 52, NULL);
  g_object_set (name, "ellipsize", PANGO_ELLIPSIZE_MIDDLE, "width-chars", NAME_CHARS, "max-width-chars", NAME_CHARS, NULL);
  gtk_tree_view_append_column (view, picture);

  g_object_set (text, "editable", TRUE, "placeholder-text", automatic, "wrap-mode", PANGO_WRAP_WORD_CHAR, "wrap-width", 180, NULL);
  g_signal_connect (text, "edited", G_CALLBACK (on_edited), state);
  caption = gtk_tree_view_column_new_with_attributes (_("Caption"), text, "text", CAPTION, NULL);
  gtk_tree_view_column_set_expand (caption, TRUE);
  gtk_tree_view_append_column (view, caption);
}

static GtkWidget *
hint_new (const char *hint)
{
  GtkWidget *label = gtk_label_new (hint);

  gtk_label_set_line_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (label), 44);
  gtk_label_set_justify (GTK_LABEL (label), GTK_JUSTIFY_CENTER);
  gtk_widget_set_halign (label, GTK_ALIGN_CENTER);
  gtk_widget_set_valign (label, GTK_ALIGN_CENTER);
  gtk_style_context_add_class (gtk_widget_get_style_context (label), "dim-label");
  return label;
}

GtkWidget *
pmt_picture_list_new (const char *name, const char *hint, const char *automatic, const PmtPictureListHandlers *handlers, gpointer user)
{
  GtkWidget *list = gtk_overlay_new (), *scroll = gtk_scrolled_window_new (NULL, NULL);
  State *state = g_new0 (State, 1);

  state->handlers = *handlers;
  state->user = user;
  state->store = gtk_list_store_new (COLUMNS, GDK_TYPE_PIXBUF, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING);
  state->view = gtk_tree_view_new_with_model (GTK_TREE_MODEL (state->store));
  state->hint = hint_new (hint);
  g_object_set_data_full (G_OBJECT (list), "pmt-state", state, state_free);
  add_columns (state, automatic);
  gtk_tree_view_set_enable_search (GTK_TREE_VIEW (state->view), FALSE); /* typing is for captions */
  gtk_tree_selection_set_mode (gtk_tree_view_get_selection (GTK_TREE_VIEW (state->view)), GTK_SELECTION_MULTIPLE);
  atk_object_set_name (gtk_widget_get_accessible (state->view), name);
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroll), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_shadow_type (GTK_SCROLLED_WINDOW (scroll), GTK_SHADOW_IN);
  gtk_scrolled_window_set_min_content_height (GTK_SCROLLED_WINDOW (scroll), HEIGHT);
  gtk_container_add (GTK_CONTAINER (scroll), state->view);
  gtk_container_add (GTK_CONTAINER (list), scroll);
  gtk_overlay_add_overlay (GTK_OVERLAY (list), state->hint);
  gtk_overlay_set_overlay_pass_through (GTK_OVERLAY (list), state->hint, TRUE);
  gtk_drag_dest_set (list, GTK_DEST_DEFAULT_ALL, NULL, 0, GDK_ACTION_COPY);
  gtk_drag_dest_add_uri_targets (list);
  g_signal_connect (list, "drag-data-received", G_CALLBACK (on_dropped), state);
  g_signal_connect (gtk_tree_view_get_selection (GTK_TREE_VIEW (state->view)), "changed", G_CALLBACK (on_selection), state);
  g_signal_connect (state->view, "row-activated", G_CALLBACK (on_activated), NULL);
  g_signal_connect (state->view, "key-press-event", G_CALLBACK (on_key), list);
  gtk_widget_show_all (list);
  return list;
}

GtkWidget *
pmt_picture_list_view (GtkWidget *list)
{
  return state_of (list)->view;
}

static gboolean
has_key (const State *state, const char *key)
{
  GtkTreeModel *model = GTK_TREE_MODEL (state->store);
  GtkTreeIter iter;

  for (gboolean more = gtk_tree_model_get_iter_first (model, &iter); more; more = gtk_tree_model_iter_next (model, &iter)) {
    g_autofree char *there = NULL;
    gtk_tree_model_get (model, &iter, KEY, &there, -1);
    if (strcmp (there, key) == 0)
      return TRUE;
  }
  return FALSE;
}

gboolean
pmt_picture_list_add (GtkWidget *list, const char *key, GdkPixbuf *small, const char *name, const char *caption)
{
  State *state = state_of (list);

  if (has_key (state, key))
    return FALSE;
  gtk_list_store_insert_with_values (state->store, NULL, -1, SMALL, small, NAME, name, CAPTION, caption ? caption : "", KEY, key, -1);
  tell_changed (state);
  return TRUE;
}

void
pmt_picture_list_remove_selected (GtkWidget *list)
{
  State *state = state_of (list);
  GtkTreeModel *model = GTK_TREE_MODEL (state->store);
  GList *rows = g_list_reverse (gtk_tree_selection_get_selected_rows (gtk_tree_view_get_selection (GTK_TREE_VIEW (state->view)), NULL));

  /* from the last to the first, so that paths stay true */
  for (GList *row = rows; row; row = row->next) {
    GtkTreeIter iter;
    if (gtk_tree_model_get_iter (model, &iter, row->data))
      gtk_list_store_remove (state->store, &iter);
  }
  if (rows)
    tell_changed (state);
  g_list_free_full (rows, (GDestroyNotify) gtk_tree_path_free);
}

int
pmt_picture_list_count (GtkWidget *list)
{
  return count (state_of (list));
}

void
pmt_picture_list_visit (GtkWidget *list, void (*visit) (gpointer user, const char *key, const char *caption), gpointer user)
{
  GtkTreeModel *model = GTK_TREE_MODEL (state_of (list)->store);
  GtkTreeIter iter;

  for (gboolean more = gtk_tree_model_get_iter_first (model, &iter); more; more = gtk_tree_model_iter_next (model, &iter)) {
    g_autofree char *key = NULL, *caption = NULL;
    gtk_tree_model_get (model, &iter, KEY, &key, CAPTION, &caption, -1);
    visit (user, key, caption);
  }
}
