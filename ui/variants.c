/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/variants.h"

#include <glib/gi18n.h>

/* Sides, in pixels: of the large picture, and of the small ones. */
#define LARGE 300
#define SMALL 84
#define MOST_IN_ROW 3
/* The chequers below what is transparent. */
#define CHEQUER 8
#define LIGHT 0x999999
#define DARK 0x666666

typedef struct Variants {
  GtkWidget *large, *flow, *before;
  void (*chosen) (gpointer user);
  gpointer user;
} Variants;

typedef struct Variant {
  GdkPixbuf *picture, *earlier;
  GtkWidget *tick;
  gpointer data;
} Variant;

static Variants *
variants_of (GtkWidget *widget)
{
  return g_object_get_data (G_OBJECT (widget), "pmt-variants");
}

static Variant *
variant_of (gpointer child)
{
  return g_object_get_data (G_OBJECT (child), "pmt-variant");
}

static void
variant_free (gpointer data)
{
  Variant *variant = data;

  g_clear_object (&variant->picture);
  g_clear_object (&variant->earlier);
  g_free (variant);
}

/* As large as it fits, never larger than it is but for tiny pictures, on chequers. */
static GdkPixbuf *
fitted (GdkPixbuf *picture, int side)
{
  const int width = gdk_pixbuf_get_width (picture), height = gdk_pixbuf_get_height (picture);
  const double scale = (double) side / MAX (width, height);

  return gdk_pixbuf_composite_color_simple (picture, MAX ((int) (width * scale), 1), MAX ((int) (height * scale), 1), GDK_INTERP_BILINEAR, 255,
                                            CHEQUER, LIGHT, DARK);
}

/* In as many pixels as the screen has. */
static void
put (GtkWidget *image, GdkPixbuf *picture, int side)
{
  const int scale = gtk_widget_get_scale_factor (image);
  GdkPixbuf *shown = fitted (picture, side * scale);
  cairo_surface_t *surface = gdk_cairo_surface_create_from_pixbuf (shown, scale, NULL);

  gtk_image_set_from_surface (GTK_IMAGE (image), surface);
  cairo_surface_destroy (surface);
  g_object_unref (shown);
}

/* ---- what is shown ---- */

static GtkFlowBoxChild *
shown_child (Variants *variants)
{
  GList *selected = gtk_flow_box_get_selected_children (GTK_FLOW_BOX (variants->flow));
  GtkFlowBoxChild *child = selected ? selected->data : NULL;

  g_list_free (selected);
  return child;
}

static void
show (Variants *variants)
{
  GtkFlowBoxChild *child = shown_child (variants);
  const Variant *variant = child ? variant_of (child) : NULL;
  gboolean earlier = gtk_toggle_button_get_active (GTK_TOGGLE_BUTTON (variants->before));

  gtk_widget_set_sensitive (variants->before, variant && variant->earlier);
  if (variant)
    put (variants->large, earlier && variant->earlier ? variant->earlier : variant->picture, LARGE);
  else
    gtk_image_clear (GTK_IMAGE (variants->large));
}

/* The arrow keys move the focus; what has it is shown. */
static gboolean
on_focus (GtkWidget *child, GdkEvent *event, GtkWidget *flow)
{
  gtk_flow_box_select_child (GTK_FLOW_BOX (flow), GTK_FLOW_BOX_CHILD (child));
  return GDK_EVENT_PROPAGATE;
}

static gboolean
on_key (GtkWidget *child, GdkEventKey *event, gpointer unused)
{
  GtkToggleButton *tick = GTK_TOGGLE_BUTTON (variant_of (child)->tick);

  if (event->keyval != GDK_KEY_space && event->keyval != GDK_KEY_KP_Space)
    return GDK_EVENT_PROPAGATE;
  gtk_toggle_button_set_active (tick, !gtk_toggle_button_get_active (tick));
  return GDK_EVENT_STOP;
}

static gboolean
on_return (GtkWidget *child, GdkEventKey *event, Variants *variants)
{
  if (event->keyval != GDK_KEY_Return && event->keyval != GDK_KEY_KP_Enter)
    return GDK_EVENT_PROPAGATE;
  variants->chosen (variants->user);
  return GDK_EVENT_STOP;
}

/* The flow box tells of clicks and keys alike; keys have been taken already, and one click only shows. */
static gboolean
on_press (GtkWidget *flow, GdkEventButton *event, Variants *variants)
{
  if (event->type != GDK_2BUTTON_PRESS || event->button != GDK_BUTTON_PRIMARY || !shown_child (variants))
    return GDK_EVENT_PROPAGATE;
  variants->chosen (variants->user);
  return GDK_EVENT_STOP;
}

/* ---- the widget ---- */

/* The parts go one after the other; nothing is shown any more. */
static void
on_destroy (GtkWidget *box, Variants *variants)
{
  g_signal_handlers_disconnect_by_data (variants->flow, variants);
  g_signal_handlers_disconnect_by_data (variants->before, variants);
}

static void
destroy_child (GtkWidget *child, gpointer unused)
{
  gtk_widget_destroy (child);
}

GtkWidget *
pmt_variants_new (void (*chosen) (gpointer user), gpointer user)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6), *scroll = gtk_scrolled_window_new (NULL, NULL);
  Variants *variants = g_new0 (Variants, 1);
  AtkObject *accessible;

  variants->chosen = chosen;
  variants->user = user;
  variants->large = gtk_image_new ();
  gtk_widget_set_size_request (variants->large, LARGE, LARGE);
  variants->before = gtk_toggle_button_new_with_mnemonic (_("_Before"));
  gtk_widget_set_tooltip_text (variants->before, _("Shows the place as it was"));
  gtk_widget_set_halign (variants->before, GTK_ALIGN_CENTER);
  g_signal_connect_swapped (variants->before, "toggled", G_CALLBACK (show), variants);
  variants->flow = gtk_flow_box_new ();
  gtk_flow_box_set_max_children_per_line (GTK_FLOW_BOX (variants->flow), MOST_IN_ROW);
  gtk_flow_box_set_min_children_per_line (GTK_FLOW_BOX (variants->flow), MOST_IN_ROW);
  gtk_flow_box_set_selection_mode (GTK_FLOW_BOX (variants->flow), GTK_SELECTION_BROWSE);
  gtk_widget_set_valign (variants->flow, GTK_ALIGN_START);
  accessible = gtk_widget_get_accessible (variants->flow);
  atk_object_set_name (accessible, _("Results"));
  g_signal_connect_swapped (variants->flow, "selected-children-changed", G_CALLBACK (show), variants);
  g_signal_connect (variants->flow, "button-press-event", G_CALLBACK (on_press), variants);
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroll), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_min_content_height (GTK_SCROLLED_WINDOW (scroll), SMALL + 44);
  gtk_container_add (GTK_CONTAINER (scroll), variants->flow);
  gtk_box_pack_start (GTK_BOX (box), variants->large, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), variants->before, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), scroll, TRUE, TRUE, 0);
  g_object_set_data_full (G_OBJECT (box), "pmt-variants", variants, g_free);
  g_signal_connect (box, "destroy", G_CALLBACK (on_destroy), variants);
  gtk_widget_show_all (box);
  return box;
}

void
pmt_variants_add (GtkWidget *widget, GdkPixbuf *picture, GdkPixbuf *before, const char *label, const char *name, gpointer data)
{
  Variants *variants = variants_of (widget);
  GtkWidget *child = gtk_flow_box_child_new (), *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2), *image = gtk_image_new ();
  Variant *variant = g_new0 (Variant, 1);

  variant->picture = g_object_ref (picture);
  variant->earlier = before ? g_object_ref (before) : NULL;
  variant->data = data;
  variant->tick = gtk_check_button_new_with_label (label);
  gtk_widget_set_can_focus (variant->tick, FALSE); /* the picture has it, and Space ticks */
  gtk_widget_set_halign (variant->tick, GTK_ALIGN_CENTER);
  put (image, picture, SMALL);
  gtk_widget_set_size_request (image, SMALL, SMALL);
  gtk_box_pack_start (GTK_BOX (box), image, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), variant->tick, FALSE, FALSE, 0);
  gtk_container_add (GTK_CONTAINER (child), box);
  gtk_widget_set_tooltip_text (child, name);
  atk_object_set_name (gtk_widget_get_accessible (child), name);
  atk_object_set_name (gtk_widget_get_accessible (variant->tick), name);
  g_object_set_data_full (G_OBJECT (child), "pmt-variant", variant, variant_free);
  g_signal_connect (child, "focus-in-event", G_CALLBACK (on_focus), variants->flow);
  g_signal_connect (child, "key-press-event", G_CALLBACK (on_key), NULL);
  g_signal_connect (child, "key-press-event", G_CALLBACK (on_return), variants);
  gtk_widget_show_all (child);
  gtk_container_add (GTK_CONTAINER (variants->flow), child);
  if (!shown_child (variants))
    gtk_flow_box_select_child (GTK_FLOW_BOX (variants->flow), GTK_FLOW_BOX_CHILD (child));
}

void
pmt_variants_clear (GtkWidget *widget)
{
  Variants *variants = variants_of (widget);

  gtk_container_foreach (GTK_CONTAINER (variants->flow), destroy_child, NULL);
  show (variants);
}

void
pmt_variants_show (GtkWidget *widget, int n)
{
  GtkFlowBox *flow = GTK_FLOW_BOX (variants_of (widget)->flow);
  GtkFlowBoxChild *child = gtk_flow_box_get_child_at_index (flow, n);

  if (!child)
    return;
  gtk_flow_box_select_child (flow, child);
  gtk_widget_grab_focus (GTK_WIDGET (child));
}

GPtrArray *
pmt_variants_chosen (GtkWidget *widget)
{
  Variants *variants = variants_of (widget);
  GPtrArray *chosen = g_ptr_array_new ();
  GList *children = gtk_container_get_children (GTK_CONTAINER (variants->flow));
  GtkFlowBoxChild *shown = shown_child (variants);

  for (GList *child = children; child; child = child->next) {
    const Variant *variant = variant_of (child->data);
    if (gtk_toggle_button_get_active (GTK_TOGGLE_BUTTON (variant->tick)))
      g_ptr_array_add (chosen, variant->data);
  }
  g_list_free (children);
  if (!chosen->len && shown)
    g_ptr_array_add (chosen, variant_of (shown)->data);
  return chosen;
}

int
pmt_variants_count (GtkWidget *widget)
{
  GList *children = gtk_container_get_children (GTK_CONTAINER (variants_of (widget)->flow));
  int n = (int) g_list_length (children);

  g_list_free (children);
  return n;
}
