/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/form.h"

#include "ui/completion.h"
#include "ui/weight.h"

#define WEIGHT_STEP 0.1
/* Pixels from the top of a field to that of its text. */
#define FIRST_LINE 7
#define PMT_PROMPT_TEXT "pmt-prompt-text"
#define PMT_PROMPT_HEAD "pmt-prompt-head"

GtkWidget *
pmt_form_new (void)
{
  GtkWidget *form = gtk_grid_new ();

  gtk_grid_set_row_spacing (GTK_GRID (form), 6);
  gtk_grid_set_column_spacing (GTK_GRID (form), 12);
  gtk_widget_show (form);
  return form;
}

/* A row of fields gets the focus in its first one. */
static GtkWidget *
first_field (GtkWidget *field)
{
  g_autoptr (GList) children = GTK_IS_BOX (field) ? gtk_container_get_children (GTK_CONTAINER (field)) : NULL;

  return children ? first_field (children->data) : field;
}

void
pmt_form_add (GtkWidget *form, const char *label, GtkWidget *field, const char *tip)
{
  GtkWidget *name = gtk_label_new_with_mnemonic (label);
  int row = 0;

  while (gtk_grid_get_child_at (GTK_GRID (form), 0, row))
    row++;
  gtk_label_set_xalign (GTK_LABEL (name), 0);
  gtk_label_set_mnemonic_widget (GTK_LABEL (name), first_field (field));
  if (GTK_IS_BOX (field) && gtk_orientable_get_orientation (GTK_ORIENTABLE (field)) == GTK_ORIENTATION_VERTICAL) {
    gtk_widget_set_valign (name, GTK_ALIGN_START); /* beside the first line */
    gtk_widget_set_margin_top (name, FIRST_LINE);
  }
  gtk_widget_set_tooltip_text (name, tip);
  gtk_widget_set_tooltip_text (field, tip);
  gtk_widget_set_hexpand (field, TRUE);
  gtk_grid_attach (GTK_GRID (form), name, 0, row, 1, 1);
  gtk_grid_attach (GTK_GRID (form), field, 1, row, 1, 1);
  gtk_widget_show (name);
}

void
pmt_window_fit (GtkWidget *inside, gboolean shrink)
{
  GtkWidget *window = gtk_widget_get_toplevel (inside);
  int width, height, natural;

  if (!GTK_IS_WINDOW (window) || !gtk_widget_get_mapped (window))
    return;
  gtk_window_get_size (GTK_WINDOW (window), &width, &height);
  gtk_widget_get_preferred_height_for_width (window, width, NULL, &natural);
  gtk_window_resize (GTK_WINDOW (window), width, shrink ? natural : MAX (height, natural));
}

/* What was unfolded comes into view, with its head at the top where it is higher than the view. */
static gboolean
come_into_view (gpointer fold)
{
  GtkWidget *view = gtk_widget_get_ancestor (fold, GTK_TYPE_VIEWPORT), *inside = view ? gtk_bin_get_child (GTK_BIN (view)) : NULL;
  int top;

  if (inside && gtk_widget_translate_coordinates (fold, inside, 0, 0, NULL, &top))
    gtk_adjustment_clamp_page (gtk_scrollable_get_vadjustment (GTK_SCROLLABLE (view)), top, top + gtk_widget_get_allocated_height (fold));
  return G_SOURCE_REMOVE;
}

/* The view learns its new height only after this. */
static void
on_unfolded (GtkWidget *fold, GdkRectangle *place, gpointer unused)
{
  g_signal_handlers_disconnect_by_func (fold, on_unfolded, NULL);
  g_idle_add_full (G_PRIORITY_DEFAULT_IDLE, come_into_view, g_object_ref (fold), g_object_unref);
}

/* GTK's own way would push the buttons off the screen. */
static void
on_fold (GtkExpander *fold, GParamSpec *spec, gpointer unused)
{
  pmt_window_fit (GTK_WIDGET (fold), !gtk_expander_get_expanded (fold));
  g_signal_handlers_disconnect_by_func (fold, on_unfolded, NULL);
  if (gtk_expander_get_expanded (fold))
    g_signal_connect (fold, "size-allocate", G_CALLBACK (on_unfolded), NULL);
}

GtkWidget *
pmt_fold_new (const char *label, GtkWidget *content, gboolean open)
{
  GtkWidget *fold = gtk_expander_new_with_mnemonic (label);

  gtk_widget_set_margin_top (content, 6);
  gtk_widget_set_margin_start (content, 12);
  gtk_container_add (GTK_CONTAINER (fold), content);
  gtk_expander_set_expanded (GTK_EXPANDER (fold), open);
  /* GTK counts the mnemonics of what is folded away, and would then only move the focus there */
  g_object_bind_property (fold, "expanded", content, "visible", G_BINDING_SYNC_CREATE);
  g_signal_connect (fold, "notify::expanded", G_CALLBACK (on_fold), NULL);
  gtk_widget_show (fold);
  return fold;
}

static int
screen_height (void)
{
  GdkDisplay *display = gdk_display_get_default ();
  GdkMonitor *monitor = gdk_display_get_primary_monitor (display);
  GdkRectangle area;

  gdk_monitor_get_workarea (monitor ? monitor : gdk_display_get_monitor (display, 0), &area);
  return area.height;
}

GtkWidget *
pmt_scroll_new (GtkWidget *content, int rest)
{
  GtkWidget *scroll = gtk_scrolled_window_new (NULL, NULL);

  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroll), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_overlay_scrolling (GTK_SCROLLED_WINDOW (scroll), FALSE);
  gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (scroll), TRUE);
  gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (scroll), MAX (screen_height () - rest, 200));
  gtk_widget_set_margin_start (gtk_scrolled_window_get_vscrollbar (GTK_SCROLLED_WINDOW (scroll)), 8);
  gtk_container_add (GTK_CONTAINER (scroll), content);
  gtk_container_set_focus_vadjustment (GTK_CONTAINER (content), gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (scroll)));
  gtk_widget_show (scroll);
  return scroll;
}

static gboolean
on_key (GtkWidget *text, GdkEventKey *event, gpointer unused)
{
  if ((event->state & GDK_CONTROL_MASK) && (event->keyval == GDK_KEY_Up || event->keyval == GDK_KEY_Down))
    return pmt_weight_change (gtk_text_view_get_buffer (GTK_TEXT_VIEW (text)), event->keyval == GDK_KEY_Up ? WEIGHT_STEP : -WEIGHT_STEP);
  if ((event->keyval != GDK_KEY_Return && event->keyval != GDK_KEY_KP_Enter) || !(event->state & GDK_CONTROL_MASK))
    return GDK_EVENT_PROPAGATE;
  gtk_window_activate_default (GTK_WINDOW (gtk_widget_get_toplevel (text)));
  return GDK_EVENT_STOP;
}

/* What a scrollbar needs: GTK asks for it only when the window is there, which would then be too low for its content. */
#define SCROLLBAR_HEIGHT 50

static int
line_height (GtkWidget *text)
{
  PangoLayout *layout = gtk_widget_create_pango_layout (text, "Ág");
  int height = 0;

  pango_layout_get_pixel_size (layout, NULL, &height);
  g_object_unref (layout);
  return height;
}

GtkWidget *
pmt_prompt_new (GObject *object, const char *property, const char *label, int lines)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 3), *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  GtkWidget *name = gtk_label_new_with_mnemonic (label);
  GtkWidget *scroll = gtk_scrolled_window_new (NULL, NULL);
  GtkWidget *text = gtk_text_view_new ();

  gtk_text_view_set_wrap_mode (GTK_TEXT_VIEW (text), GTK_WRAP_WORD_CHAR);
  gtk_text_view_set_accepts_tab (GTK_TEXT_VIEW (text), FALSE);
  gtk_text_view_set_left_margin (GTK_TEXT_VIEW (text), 6);
  gtk_text_view_set_right_margin (GTK_TEXT_VIEW (text), 6);
  gtk_text_view_set_top_margin (GTK_TEXT_VIEW (text), 4);
  gtk_text_view_set_bottom_margin (GTK_TEXT_VIEW (text), 4);
  pmt_completion_attach (text); /* before our keys: an open list takes Return and Escape */
  g_signal_connect (text, "key-press-event", G_CALLBACK (on_key), NULL);
  g_object_bind_property (object, property, gtk_text_view_get_buffer (GTK_TEXT_VIEW (text)), "text",
                          G_BINDING_BIDIRECTIONAL | G_BINDING_SYNC_CREATE);

  gtk_label_set_xalign (GTK_LABEL (name), 0);
  gtk_label_set_mnemonic_widget (GTK_LABEL (name), text);
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroll), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_shadow_type (GTK_SCROLLED_WINDOW (scroll), GTK_SHADOW_IN);
  gtk_scrolled_window_set_min_content_height (GTK_SCROLLED_WINDOW (scroll), MAX (lines * line_height (text) + 8, SCROLLBAR_HEIGHT));
  gtk_container_add (GTK_CONTAINER (scroll), text);
  gtk_box_pack_start (GTK_BOX (head), name, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), head, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), scroll, TRUE, TRUE, 0);
  g_object_set_data (G_OBJECT (box), PMT_PROMPT_TEXT, text);
  g_object_set_data (G_OBJECT (box), PMT_PROMPT_HEAD, head);
  gtk_widget_show_all (box);
  return box;
}

GtkWidget *
pmt_prompt_text (GtkWidget *prompt)
{
  return g_object_get_data (G_OBJECT (prompt), PMT_PROMPT_TEXT);
}

void
pmt_prompt_add (GtkWidget *prompt, GtkWidget *widget)
{
  gtk_box_pack_end (GTK_BOX (g_object_get_data (G_OBJECT (prompt), PMT_PROMPT_HEAD)), widget, FALSE, FALSE, 0);
}
