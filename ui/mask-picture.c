/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/mask-picture.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#define DASH 5
#define SWATCH 22

typedef struct Layer {
  cairo_surface_t *surface; /* A8; NULL: none */
  GdkRectangle at;
} Layer;

typedef struct Parts {
  GtkWidget *area, *label;
  GdkRectangle view, picture_at, context;
  GdkPixbuf *picture;
  Layer layer[PMT_MASKS_SHOWN];
} Parts;

/* Chosen to differ in lightness too. */
static const GdkRGBA colours[PMT_MASKS_SHOWN] = { { 1, 1, 1, 1 }, { 0.25, 0.55, 1, 0.8 }, { 1, 0.62, 0.1, 1 } };
static const GdkRGBA context_colour = { 0.35, 0.9, 0.45, 1 };

static Parts *
parts_of (GtkWidget *widget)
{
  return g_object_get_data (G_OBJECT (widget), "pmt-parts");
}

static void
clear (Parts *parts)
{
  g_clear_object (&parts->picture);
  for (int i = 0; i < PMT_MASKS_SHOWN; i++)
    g_clear_pointer (&parts->layer[i].surface, cairo_surface_destroy);
  parts->context = (GdkRectangle) { 0 };
}

static void
parts_free (gpointer data)
{
  clear (data);
  g_free (data);
}

/* ---- drawing ---- */

/* Diagonal lines over everything. */
static cairo_pattern_t *
hatch_new (const GdkRGBA *colour)
{
  cairo_surface_t *tile = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, 8, 8);
  cairo_t *cairo = cairo_create (tile);
  cairo_pattern_t *pattern;

  gdk_cairo_set_source_rgba (cairo, &(GdkRGBA) { colour->red, colour->green, colour->blue, 0.3 });
  cairo_paint (cairo);
  gdk_cairo_set_source_rgba (cairo, colour);
  cairo_set_line_width (cairo, 2);
  for (int shift = -8; shift <= 8; shift += 8) {
    cairo_move_to (cairo, shift - 1, 9);
    cairo_line_to (cairo, shift + 9, -1);
  }
  cairo_stroke (cairo);
  pattern = cairo_pattern_create_for_surface (tile);
  cairo_pattern_set_extend (pattern, CAIRO_EXTEND_REPEAT);
  cairo_destroy (cairo);
  cairo_surface_destroy (tile);
  return pattern;
}

static void
draw_layer (cairo_t *cairo, const Parts *parts, PmtMaskShown which)
{
  const Layer *layer = &parts->layer[which];
  const GdkRectangle *at = &layer->at;
  cairo_pattern_t *hatch;

  if (!layer->surface)
    return;
  cairo_save (cairo);
  if (which == PMT_MASK_SHOWN_DENOISE) {
    cairo_matrix_t canvas;
    /* the lines keep their width, whatever the canvas's scale */
    cairo_get_matrix (cairo, &canvas);
    hatch = hatch_new (&colours[which]);
    cairo_identity_matrix (cairo);
    cairo_set_source (cairo, hatch);
    cairo_set_matrix (cairo, &canvas);
    cairo_pattern_destroy (hatch);
  } else {
    gdk_cairo_set_source_rgba (cairo, &colours[which]);
  }
  cairo_translate (cairo, at->x - parts->view.x, at->y - parts->view.y);
  cairo_scale (cairo, (double) at->width / cairo_image_surface_get_width (layer->surface),
               (double) at->height / cairo_image_surface_get_height (layer->surface));
  cairo_mask_surface (cairo, layer->surface, 0, 0);
  cairo_restore (cairo);
}

static void
draw_frame (cairo_t *cairo, const GdkRectangle *frame, double pixel)
{
  cairo_rectangle (cairo, frame->x + pixel * 1.5, frame->y + pixel * 1.5, frame->width - 3 * pixel, frame->height - 3 * pixel);
  cairo_set_source_rgba (cairo, 0, 0, 0, 0.7);
  cairo_set_line_width (cairo, 4 * pixel);
  cairo_stroke_preserve (cairo);
  gdk_cairo_set_source_rgba (cairo, &context_colour);
  cairo_set_line_width (cairo, 2 * pixel);
  cairo_stroke (cairo);
}

static gboolean
on_draw (GtkWidget *area, cairo_t *cairo, Parts *parts)
{
  const double scale = parts->view.width ? (double) gtk_widget_get_allocated_width (area) / parts->view.width : 1;
  GdkRectangle context = parts->context;

  /* what nothing covers yet */
  cairo_set_source_rgb (cairo, 0.42, 0.42, 0.42);
  cairo_paint (cairo);
  if (!parts->view.width)
    return FALSE;
  cairo_scale (cairo, scale, scale);
  if (parts->picture) {
    const GdkRectangle *at = &parts->picture_at;
    cairo_save (cairo);
    cairo_translate (cairo, at->x - parts->view.x, at->y - parts->view.y);
    cairo_scale (cairo, (double) at->width / gdk_pixbuf_get_width (parts->picture), (double) at->height / gdk_pixbuf_get_height (parts->picture));
    gdk_cairo_set_source_pixbuf (cairo, parts->picture, 0, 0);
    cairo_paint (cairo);
    cairo_restore (cairo);
  }
  draw_layer (cairo, parts, PMT_MASK_SHOWN_DENOISE);
  draw_layer (cairo, parts, PMT_MASK_SHOWN_BLEND);
  draw_layer (cairo, parts, PMT_MASK_SHOWN_MASK);
  context.x -= parts->view.x;
  context.y -= parts->view.y;
  if (context.width)
    draw_frame (cairo, &context, 1 / scale);
  return FALSE;
}

/* ---- legend ---- */

static gboolean
on_draw_swatch (GtkWidget *swatch, cairo_t *cairo, gpointer what)
{
  const int which = GPOINTER_TO_INT (what);
  cairo_pattern_t *hatch;

  cairo_set_source_rgb (cairo, 0.25, 0.25, 0.25);
  cairo_paint (cairo);
  if (which == PMT_MASKS_SHOWN) {
    draw_frame (cairo, &(GdkRectangle) { 2, 2, SWATCH - 4, SWATCH - 10 }, 1);
  } else if (which == PMT_MASK_SHOWN_DENOISE) {
    hatch = hatch_new (&colours[which]);
    cairo_set_source (cairo, hatch);
    cairo_paint (cairo);
    cairo_pattern_destroy (hatch);
  } else {
    gdk_cairo_set_source_rgba (cairo, &colours[which]);
    cairo_set_line_width (cairo, 2);
    if (which == PMT_MASK_SHOWN_BLEND)
      cairo_set_dash (cairo, (double[]) { DASH, DASH }, 1, 0);
    cairo_move_to (cairo, 0, (SWATCH - 6) / 2.0);
    cairo_line_to (cairo, SWATCH, (SWATCH - 6) / 2.0);
    cairo_stroke (cairo);
  }
  return FALSE;
}

static GtkWidget *
legend_new (void)
{
  const char *const names[] = { _("Mask"), _("Painted anew"), _("Edge of the result"), _("Seen by the model") };
  GtkWidget *grid = gtk_grid_new ();

  gtk_grid_set_column_spacing (GTK_GRID (grid), 8);
  gtk_grid_set_row_spacing (GTK_GRID (grid), 4);
  for (int i = 0; i <= PMT_MASKS_SHOWN; i++) {
    GtkWidget *swatch = gtk_drawing_area_new (), *label = gtk_label_new (names[i]);
    gtk_widget_set_size_request (swatch, SWATCH, SWATCH - 6);
    gtk_widget_set_valign (swatch, GTK_ALIGN_CENTER);
    gtk_label_set_xalign (GTK_LABEL (label), 0);
    gtk_widget_set_margin_end (label, 16);
    g_signal_connect (swatch, "draw", G_CALLBACK (on_draw_swatch), GINT_TO_POINTER (i));
    gtk_grid_attach (GTK_GRID (grid), swatch, i % 2 * 2, i / 2, 1, 1);
    gtk_grid_attach (GTK_GRID (grid), label, i % 2 * 2 + 1, i / 2, 1, 1);
  }
  return grid;
}

/* ---- the widget ---- */

GtkWidget *
pmt_mask_picture_new (void)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  Parts *parts = g_new0 (Parts, 1);

  parts->area = gtk_drawing_area_new ();
  gtk_widget_set_halign (parts->area, GTK_ALIGN_CENTER);
  gtk_widget_set_can_focus (parts->area, TRUE);
  parts->label = gtk_label_new (NULL);
  gtk_label_set_xalign (GTK_LABEL (parts->label), 0);
  gtk_label_set_line_wrap (GTK_LABEL (parts->label), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (parts->label), 48);
  g_object_set_data_full (G_OBJECT (box), "pmt-parts", parts, parts_free);
  g_signal_connect (parts->area, "draw", G_CALLBACK (on_draw), parts);
  /* the picture last: scrolling to it shows all */
  gtk_box_pack_start (GTK_BOX (box), parts->label, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), legend_new (), FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), parts->area, FALSE, FALSE, 0);
  gtk_widget_show_all (box);
  return box;
}

void
pmt_mask_picture_show (GtkWidget *widget, const GdkRectangle *view, GdkPixbuf *picture, const GdkRectangle *at)
{
  Parts *parts = parts_of (widget);
  const double scale = MIN ((double) PMT_MASK_PICTURE_SIDE / view->width, PMT_MASK_PICTURE_SIDE * 0.7 / view->height);

  clear (parts);
  parts->view = *view;
  parts->picture = picture ? g_object_ref (picture) : NULL;
  parts->picture_at = *at;
  gtk_widget_set_size_request (parts->area, MAX ((int) lrint (view->width * scale), 1), MAX ((int) lrint (view->height * scale), 1));
  gtk_widget_queue_draw (parts->area);
}

/* The pixels above 0 that have one of 0 beside them; dashed when `dashed`. */
static gboolean
on_edge (const float *values, int width, int height, int x, int y, gboolean dashed)
{
  const float *v = values + (gsize) y * (gsize) width + (gsize) x;

  if (!(*v > 0) || (dashed && (x + y) / DASH % 2))
    return FALSE;
  return (x > 0 && !(v[-1] > 0)) || (x + 1 < width && !(v[1] > 0)) || (y > 0 && !(v[-width] > 0)) || (y + 1 < height && !(v[width] > 0));
}

void
pmt_mask_picture_set_mask (GtkWidget *widget, PmtMaskShown which, const float *values, int width, int height, const GdkRectangle *at)
{
  Parts *parts = parts_of (widget);
  Layer *layer = &parts->layer[which];
  guint8 *row;

  g_clear_pointer (&layer->surface, cairo_surface_destroy);
  layer->surface = cairo_image_surface_create (CAIRO_FORMAT_A8, width, height);
  layer->at = *at;
  cairo_surface_flush (layer->surface);
  row = cairo_image_surface_get_data (layer->surface);
  for (int y = 0; row && y < height; y++, row += cairo_image_surface_get_stride (layer->surface))
    for (int x = 0; x < width; x++) {
      const float value = CLAMP (values[(gsize) y * (gsize) width + (gsize) x], 0, 1);
      if (which == PMT_MASK_SHOWN_DENOISE)
        row[x] = (guint8) lrintf (value * 255);
      else
        row[x] = on_edge (values, width, height, x, y, which == PMT_MASK_SHOWN_BLEND) ? 255 : 0;
    }
  cairo_surface_mark_dirty (layer->surface);
  gtk_widget_queue_draw (parts->area);
}

void
pmt_mask_picture_set_context (GtkWidget *widget, const GdkRectangle *context, const char *sentence)
{
  Parts *parts = parts_of (widget);
  AtkObject *described = gtk_widget_get_accessible (parts->area);

  parts->context = *context;
  gtk_label_set_text (GTK_LABEL (parts->label), sentence);
  atk_object_set_name (described, _("The masks over the picture"));
  atk_object_set_description (described, sentence);
  gtk_widget_queue_draw (parts->area);
}

void
pmt_mask_picture_focus (GtkWidget *widget)
{
  gtk_widget_grab_focus (parts_of (widget)->area);
}
