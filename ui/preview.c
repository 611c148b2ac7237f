/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/preview.h"

#define LEAST 96

typedef struct State {
  GdkPixbuf *picture; /* NULL: none yet */
  double shape;
} State;

static State *
state_of (GtkWidget *preview)
{
  return g_object_get_data (G_OBJECT (preview), "pmt-state");
}

static void
state_free (gpointer data)
{
  State *state = data;

  g_clear_object (&state->picture);
  g_free (state);
}

static gboolean
on_draw (GtkWidget *widget, cairo_t *cr, gpointer unused)
{
  State *state = state_of (widget);
  const int room_width = gtk_widget_get_allocated_width (widget), room_height = gtk_widget_get_allocated_height (widget);
  double width = room_width, height = room_height;

  if (!state->picture)
    return GDK_EVENT_STOP;
  if (width / height > state->shape)
    width = height * state->shape;
  else
    height = width / state->shape;
  cairo_translate (cr, (room_width - width) / 2, (room_height - height) / 2);
  cairo_rectangle (cr, 0, 0, width, height);
  cairo_clip (cr);
  cairo_scale (cr, width / gdk_pixbuf_get_width (state->picture), height / gdk_pixbuf_get_height (state->picture));
  gdk_cairo_set_source_pixbuf (cr, state->picture, 0, 0);
  cairo_pattern_set_filter (cairo_get_source (cr), CAIRO_FILTER_GOOD);
  cairo_pattern_set_extend (cairo_get_source (cr), CAIRO_EXTEND_PAD); /* no faded border */
  cairo_paint (cr);
  return GDK_EVENT_STOP;
}

GtkWidget *
pmt_preview_new (void)
{
  GtkWidget *preview = gtk_drawing_area_new ();
  State *state = g_new0 (State, 1);

  state->shape = 1;
  g_object_set_data_full (G_OBJECT (preview), "pmt-state", state, state_free);
  gtk_widget_set_size_request (preview, LEAST, LEAST);
  g_signal_connect (preview, "draw", G_CALLBACK (on_draw), NULL);
  gtk_widget_show (preview);
  return preview;
}

void
pmt_preview_show (GtkWidget *preview, int width, int height, GBytes *rgb, double shape)
{
  State *state = state_of (preview);

  g_clear_object (&state->picture);
  if (rgb)
    state->picture = gdk_pixbuf_new_from_bytes (rgb, GDK_COLORSPACE_RGB, FALSE, 8, width, height, 3 * width);
  state->shape = shape > 0 ? shape : 1;
  gtk_widget_queue_draw (preview);
}
