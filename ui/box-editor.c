/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/box-editor.h"

#include <glib/gi18n.h>

#include "ui/box-canvas.h"
#include "ui/form.h"

typedef struct Editor {
  GObject *object;
  char *property;
  GPtrArray *boxes;
  PmtBoxCanvas *canvas;
  GtkWidget *rows, *buttons, *problem;
  PmtBoxImport *import;
  gpointer import_user;
  gboolean busy; /* the property is being set from here */
} Editor;

static void fill_rows (Editor *editor);

static Editor *
editor_of (GtkWidget *widget)
{
  return g_object_get_data (G_OBJECT (widget), "pmt-box-editor");
}

static void
say (Editor *editor, const char *problem)
{
  gtk_label_set_text (GTK_LABEL (editor->problem), problem ? problem : "");
  gtk_widget_set_visible (editor->problem, problem != NULL);
}

static void
commit (Editor *editor)
{
  g_autofree char *text = pmt_box_list_to_text (editor->boxes);

  editor->busy = TRUE;
  g_object_set (editor->object, editor->property, text, NULL);
  editor->busy = FALSE;
  say (editor, NULL);
}

/* ---- the list of phrases ---- */

static GtkWidget *
entry_at (Editor *editor, int i)
{
  return i < 0 ? NULL : gtk_grid_get_child_at (GTK_GRID (editor->rows), 1, i);
}

static void
focus_phrase (Editor *editor)
{
  GtkWidget *entry = entry_at (editor, pmt_box_canvas_chosen (editor->canvas));

  if (entry)
    gtk_widget_grab_focus (entry);
}

static guint
row_of (GtkWidget *widget)
{
  return GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (widget), "pmt-row"));
}

static gboolean
on_draw_swatch (GtkWidget *swatch, cairo_t *cairo, gpointer unused)
{
  GdkRGBA colour;

  pmt_box_colour (row_of (swatch), &colour);
  gdk_cairo_set_source_rgba (cairo, &colour);
  cairo_paint (cairo);
  return GDK_EVENT_STOP;
}

static void
on_phrase (GtkEditable *entry, Editor *editor)
{
  PmtBoxEntry *box = g_ptr_array_index (editor->boxes, row_of (GTK_WIDGET (entry)));

  g_free (box->phrase);
  box->phrase = g_strdup (gtk_entry_get_text (GTK_ENTRY (entry)));
  pmt_box_canvas_update (editor->canvas);
  commit (editor);
}

static gboolean
on_phrase_focus (GtkWidget *entry, GdkEvent *event, Editor *editor)
{
  pmt_box_canvas_choose (editor->canvas, (int) row_of (entry));
  return GDK_EVENT_PROPAGATE;
}

static void
remove_box (Editor *editor, guint i)
{
  g_ptr_array_remove_index (editor->boxes, i);
  pmt_box_canvas_update (editor->canvas);
  fill_rows (editor);
  commit (editor);
}

static void
on_delete (GtkButton *button, Editor *editor)
{
  remove_box (editor, row_of (GTK_WIDGET (button)));
  gtk_widget_grab_focus (pmt_box_canvas_widget (editor->canvas));
}

static void
add_row (Editor *editor, guint i)
{
  const PmtBoxEntry *box = g_ptr_array_index (editor->boxes, i);
  GtkWidget *swatch = gtk_drawing_area_new (), *entry = gtk_entry_new ();
  GtkWidget *button = gtk_button_new_from_icon_name ("edit-delete-symbolic", GTK_ICON_SIZE_BUTTON);
  GtkWidget *const widgets[] = { swatch, entry, button };
  g_autofree char *name = g_strdup_printf (_("Phrase of box %u"), i + 1), *deletes = g_strdup_printf (_("Delete box %u"), i + 1);

  for (gsize k = 0; k < G_N_ELEMENTS (widgets); k++) {
    g_object_set_data (G_OBJECT (widgets[k]), "pmt-row", GUINT_TO_POINTER (i));
    gtk_grid_attach (GTK_GRID (editor->rows), widgets[k], (int) k, (int) i, 1, 1);
  }
  gtk_widget_set_size_request (swatch, 14, 14);
  gtk_widget_set_valign (swatch, GTK_ALIGN_CENTER);
  gtk_widget_set_hexpand (entry, TRUE);
  gtk_entry_set_text (GTK_ENTRY (entry), box->phrase);
  gtk_entry_set_placeholder_text (GTK_ENTRY (entry), _("What belongs in this box"));
  gtk_entry_set_activates_default (GTK_ENTRY (entry), TRUE);
  atk_object_set_name (gtk_widget_get_accessible (entry), name);
  atk_object_set_name (gtk_widget_get_accessible (button), deletes);
  gtk_widget_set_tooltip_text (button, deletes);
  g_signal_connect (swatch, "draw", G_CALLBACK (on_draw_swatch), NULL);
  g_signal_connect (entry, "changed", G_CALLBACK (on_phrase), editor);
  g_signal_connect (entry, "focus-in-event", G_CALLBACK (on_phrase_focus), editor);
  g_signal_connect (button, "clicked", G_CALLBACK (on_delete), editor);
}

static void
fill_rows (Editor *editor)
{
  g_autoptr (GList) old = gtk_container_get_children (GTK_CONTAINER (editor->rows));

  for (GList *item = old; item; item = item->next)
    gtk_widget_destroy (item->data);
  for (guint i = 0; i < editor->boxes->len; i++)
    add_row (editor, i);
  gtk_widget_show_all (editor->rows);
  gtk_widget_set_visible (editor->rows, editor->boxes->len > 0);
  pmt_window_fit (editor->rows, FALSE);
}

/* ---- from the canvas ---- */

static void
on_changed (gpointer user)
{
  commit (user);
}

static void
on_added (gpointer user)
{
  Editor *editor = user;

  fill_rows (editor);
  commit (editor);
  focus_phrase (editor);
}

static void
on_removed (gpointer user, guint i)
{
  remove_box (user, i);
}

static void
on_named (gpointer user)
{
  focus_phrase (user);
}

/* ---- from outside ---- */

static void
read_property (Editor *editor)
{
  g_autofree char *text = NULL, *problem = NULL;

  g_object_get (editor->object, editor->property, &text, NULL);
  g_ptr_array_set_size (editor->boxes, 0);
  pmt_box_list_parse (editor->boxes, text, &problem);
  say (editor, problem);
  pmt_box_canvas_update (editor->canvas);
  fill_rows (editor);
}

static void
on_notify (GObject *object, GParamSpec *spec, Editor *editor)
{
  if (!editor->busy)
    read_property (editor);
}

static void
on_insert (GtkButton *button, Editor *editor)
{
  pmt_box_canvas_insert (editor->canvas);
}

static void
on_import (GtkButton *button, Editor *editor)
{
  g_autofree char *problem = NULL, *text = editor->import (editor->import_user, &problem);

  if (!text || !pmt_box_list_parse (editor->boxes, text, &problem)) {
    say (editor, problem);
    return;
  }
  /* what does not fit any more is left out, and said */
  if (editor->boxes->len > PMT_BOX_LIST_MOST) {
    problem = g_strdup_printf (_("There are %u layout boxes and a job takes at most %d: the last ones were left out."), editor->boxes->len,
                               PMT_BOX_LIST_MOST);
    g_ptr_array_set_size (editor->boxes, PMT_BOX_LIST_MOST);
  }
  pmt_box_canvas_update (editor->canvas);
  fill_rows (editor);
  commit (editor);
  say (editor, problem);
}

static void
editor_free (gpointer data)
{
  Editor *editor = data;

  g_ptr_array_unref (editor->boxes);
  g_object_unref (editor->object);
  g_free (editor->property);
  g_free (editor);
}

static void
on_destroy (GtkWidget *box, Editor *editor)
{
  g_signal_handlers_disconnect_by_data (editor->object, editor);
}

static void
add_button (Editor *editor, const char *label, const char *tip, GCallback clicked)
{
  GtkWidget *button = gtk_button_new_with_mnemonic (label);

  gtk_widget_set_tooltip_text (button, tip);
  g_signal_connect (button, "clicked", clicked, editor);
  gtk_box_pack_start (GTK_BOX (editor->buttons), button, FALSE, FALSE, 0);
  gtk_widget_show (button);
}

void
pmt_box_editor_set_picture (GtkWidget *widget, GdkPixbuf *picture)
{
  pmt_box_canvas_set_picture (editor_of (widget)->canvas, picture);
}

void
pmt_box_editor_add_import (GtkWidget *widget, const char *label, const char *tip, PmtBoxImport *import, gpointer user)
{
  Editor *editor = editor_of (widget);

  editor->import = import;
  editor->import_user = user;
  add_button (editor, label, tip, G_CALLBACK (on_import));
}

GtkWidget *
pmt_box_editor_new (GObject *object, const char *property, int width, int height)
{
  const PmtBoxCanvasHandlers handlers = { on_changed, on_added, on_removed, on_named };
  Editor *editor = g_new0 (Editor, 1);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  g_autofree char *signal = g_strconcat ("notify::", property, NULL);

  editor->object = g_object_ref (object);
  editor->property = g_strdup (property);
  editor->boxes = pmt_box_list_new ();
  editor->canvas = pmt_box_canvas_new (editor->boxes, width, height, &handlers, editor);
  editor->rows = gtk_grid_new ();
  gtk_grid_set_row_spacing (GTK_GRID (editor->rows), 4);
  gtk_grid_set_column_spacing (GTK_GRID (editor->rows), 8);
  editor->buttons = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  editor->problem = gtk_label_new (NULL);
  gtk_label_set_xalign (GTK_LABEL (editor->problem), 0);
  gtk_label_set_line_wrap (GTK_LABEL (editor->problem), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (editor->problem), 48);
  add_button (editor, _("New Box"), _("Adds a box in the middle of the picture"), G_CALLBACK (on_insert));
  gtk_box_pack_start (GTK_BOX (box), pmt_box_canvas_widget (editor->canvas), FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), editor->rows, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), editor->buttons, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), editor->problem, FALSE, FALSE, 0);
  gtk_widget_show (editor->buttons);
  gtk_widget_show (box);
  g_object_set_data_full (G_OBJECT (box), "pmt-box-editor", editor, editor_free);
  read_property (editor);
  g_signal_connect (object, signal, G_CALLBACK (on_notify), editor);
  g_signal_connect (box, "destroy", G_CALLBACK (on_destroy), editor);
  return box;
}
