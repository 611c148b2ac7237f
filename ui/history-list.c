/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/history-list.h"

#define SMALL 64
#define LARGE 320
#define LIST_WIDTH 360
#define LIST_HEIGHT 380

/* GIMP's themes give what is in a row a background of its own, and hardly one to the row that is selected. */
#define STYLE "row:selected { background-color: @theme_selected_bg_color; color: @theme_selected_fg_color; } box, label { background: none; }"

typedef struct List {
  GtkCssProvider *style;
  GtkListBox *rows;
  GtkWidget *large;
  void (*chosen) (gpointer user);
  void (*changed) (gpointer user);
  gpointer user;
} List;

static List *
list_of (GtkWidget *widget)
{
  return g_object_get_data (G_OBJECT (widget), "pmt-list");
}

/* At that size on any screen; an empty image when the file is gone. */
static void
put (GtkWidget *image, const char *path, int side)
{
  const int scale = gtk_widget_get_scale_factor (image);
  g_autoptr (GdkPixbuf) picture = gdk_pixbuf_new_from_file_at_size (path, side * scale, side * scale, NULL);
  cairo_surface_t *surface = picture ? gdk_cairo_surface_create_from_pixbuf (picture, scale, NULL) : NULL;

  gtk_image_set_from_surface (GTK_IMAGE (image), surface);
  if (surface)
    cairo_surface_destroy (surface);
}

static void
on_changed (GtkListBox *rows, List *list)
{
  GList *selected = gtk_list_box_get_selected_rows (rows);

  if (selected)
    put (list->large, g_object_get_data (selected->data, "pmt-picture"), LARGE);
  else
    gtk_image_clear (GTK_IMAGE (list->large));
  g_list_free (selected);
  list->changed (list->user);
}

static void
on_activated (GtkListBox *rows, GtkListBoxRow *row, List *list)
{
  list->chosen (list->user);
}

static void
list_free (gpointer data)
{
  g_object_unref (((List *) data)->style);
  g_free (data);
}

static void
add_style (List *list, GtkWidget *widget)
{
  gtk_style_context_add_provider (gtk_widget_get_style_context (widget), GTK_STYLE_PROVIDER (list->style), GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
}

static void
on_destroy (GtkWidget *widget, List *list)
{
  g_signal_handlers_disconnect_by_data (list->rows, list);
}

GtkWidget *
pmt_history_list_new (void (*chosen) (gpointer user), void (*changed) (gpointer user), gpointer user)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12), *scroll = gtk_scrolled_window_new (NULL, NULL), *rows = gtk_list_box_new ();
  List *list = g_new0 (List, 1);

  *list = (List) { gtk_css_provider_new (), GTK_LIST_BOX (rows), gtk_image_new (), chosen, changed, user };
  gtk_css_provider_load_from_data (list->style, STYLE, -1, NULL);
  gtk_list_box_set_selection_mode (list->rows, GTK_SELECTION_MULTIPLE);
  gtk_list_box_set_activate_on_single_click (list->rows, FALSE);
  g_signal_connect (rows, "selected-rows-changed", G_CALLBACK (on_changed), list);
  g_signal_connect (rows, "row-activated", G_CALLBACK (on_activated), list);
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroll), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_shadow_type (GTK_SCROLLED_WINDOW (scroll), GTK_SHADOW_IN);
  gtk_widget_set_size_request (scroll, LIST_WIDTH, LIST_HEIGHT);
  gtk_container_add (GTK_CONTAINER (scroll), rows);
  gtk_widget_set_size_request (list->large, LARGE, LARGE);
  gtk_widget_set_valign (list->large, GTK_ALIGN_START);
  gtk_box_pack_start (GTK_BOX (box), scroll, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (box), list->large, FALSE, FALSE, 0);
  g_object_set_data_full (G_OBJECT (box), "pmt-list", list, list_free);
  g_signal_connect (box, "destroy", G_CALLBACK (on_destroy), list);
  gtk_widget_show_all (box);
  return box;
}

void
pmt_history_list_add (GtkWidget *widget, const char *picture, const char *line, const char *small, gpointer data)
{
  List *list = list_of (widget);
  GtkWidget *row = gtk_list_box_row_new (), *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 10), *image = gtk_image_new ();
  GtkWidget *texts = gtk_box_new (GTK_ORIENTATION_VERTICAL, 4), *labels[] = { gtk_label_new (line), gtk_label_new (small) };
  g_autofree char *name = g_strconcat (line, ", ", small, NULL);

  put (image, picture, SMALL);
  gtk_widget_set_size_request (image, SMALL, SMALL);
  for (gsize i = 0; i < G_N_ELEMENTS (labels); i++) {
    gtk_label_set_xalign (GTK_LABEL (labels[i]), 0);
    gtk_label_set_ellipsize (GTK_LABEL (labels[i]), PANGO_ELLIPSIZE_END);
    gtk_box_pack_start (GTK_BOX (texts), labels[i], FALSE, FALSE, 0);
    add_style (list, labels[i]);
  }
  gtk_style_context_add_class (gtk_widget_get_style_context (labels[1]), GTK_STYLE_CLASS_DIM_LABEL);
  gtk_widget_set_valign (texts, GTK_ALIGN_CENTER);
  gtk_container_set_border_width (GTK_CONTAINER (box), 4);
  gtk_box_pack_start (GTK_BOX (box), image, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), texts, TRUE, TRUE, 0);
  gtk_container_add (GTK_CONTAINER (row), box);
  add_style (list, row);
  add_style (list, box);
  add_style (list, texts);
  gtk_widget_set_tooltip_text (row, line);
  atk_object_set_name (gtk_widget_get_accessible (row), name);
  g_object_set_data_full (G_OBJECT (row), "pmt-picture", g_strdup (picture), g_free);
  g_object_set_data (G_OBJECT (row), "pmt-data", data);
  gtk_widget_show_all (row);
  gtk_container_add (GTK_CONTAINER (list->rows), row);
}

void
pmt_history_list_set_empty (GtkWidget *widget, const char *sentence)
{
  GtkWidget *label = gtk_label_new (sentence);

  gtk_label_set_line_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (label), 36);
  gtk_widget_set_margin_top (label, 24);
  gtk_widget_set_margin_start (label, 12);
  gtk_widget_set_margin_end (label, 12);
  gtk_widget_show (label);
  gtk_list_box_set_placeholder (list_of (widget)->rows, label);
}

GPtrArray *
pmt_history_list_selected (GtkWidget *widget)
{
  GPtrArray *data = g_ptr_array_new ();
  GList *selected = gtk_list_box_get_selected_rows (list_of (widget)->rows);

  for (GList *row = selected; row; row = row->next)
    g_ptr_array_add (data, g_object_get_data (row->data, "pmt-data"));
  g_list_free (selected);
  return data;
}

void
pmt_history_list_remove_selected (GtkWidget *widget)
{
  GList *selected = gtk_list_box_get_selected_rows (list_of (widget)->rows);

  for (GList *row = selected; row; row = row->next)
    gtk_widget_destroy (row->data);
  g_list_free (selected);
}

void
pmt_history_list_focus (GtkWidget *widget)
{
  List *list = list_of (widget);
  GtkListBoxRow *row = gtk_list_box_get_row_at_index (list->rows, 0);

  if (!row)
    return;
  gtk_list_box_select_row (list->rows, row);
  gtk_widget_grab_focus (GTK_WIDGET (row));
}
