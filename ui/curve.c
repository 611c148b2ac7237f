/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/curve.h"

#include <math.h>

#define LEAST_WIDTH 200
#define LEAST_HEIGHT 140
#define SPACE 6
/* So many points are told apart in a window; beyond, every other one goes. */
#define MOST_POINTS 2000

typedef struct Point {
  int at;
  double value;
} Point;

typedef struct State {
  char *name;
  GArray *points; /* Point */
  int of;
} State;

static State *
state_of (GtkWidget *curve)
{
  return g_object_get_data (G_OBJECT (curve), "pmt-state");
}

static void
state_free (gpointer data)
{
  State *state = data;

  g_array_unref (state->points);
  g_free (state->name);
  g_free (state);
}

static void
range_of (const State *state, double *least, double *most)
{
  *least = INFINITY;
  *most = -INFINITY;
  for (guint i = 0; i < state->points->len; i++) {
    const double value = g_array_index (state->points, Point, i).value;
    *least = fmin (*least, value);
    *most = fmax (*most, value);
  }
  /* a level line is drawn in the middle */
  if (*most - *least < 1e-6) {
    *least -= 5e-7;
    *most += 5e-7;
  }
}

/* Text with its upper left corner there, or with `right` its upper right one. */
static void
write_at (GtkWidget *widget, cairo_t *cr, double x, double y, const char *text, gboolean right)
{
  PangoLayout *layout = gtk_widget_create_pango_layout (widget, text);
  int width;

  pango_layout_get_pixel_size (layout, &width, NULL);
  gtk_render_layout (gtk_widget_get_style_context (widget), cr, right ? x - width : x, y, layout);
  g_object_unref (layout);
}

static void
size_of (GtkWidget *widget, const char *text, int *width, int *height)
{
  PangoLayout *layout = gtk_widget_create_pango_layout (widget, text);

  pango_layout_get_pixel_size (layout, width, height);
  g_object_unref (layout);
}

static void
draw_line (const State *state, cairo_t *cr, const GdkRectangle *field, double least, double most, const GdkRGBA *colour)
{
  const double wide = MAX (state->of, 1);

  gdk_cairo_set_source_rgba (cr, colour);
  cairo_set_line_width (cr, 2);
  cairo_set_line_join (cr, CAIRO_LINE_JOIN_ROUND);
  for (guint i = 0; i < state->points->len; i++) {
    const Point *point = &g_array_index (state->points, Point, i);
    const double x = field->x + field->width * CLAMP (point->at / wide, 0, 1);
    const double y = field->y + field->height * (most - point->value) / (most - least);
    if (i == 0)
      cairo_move_to (cr, x, y);
    cairo_line_to (cr, x, y);
  }
  cairo_stroke (cr);
}

static void
draw_axes (cairo_t *cr, const GdkRectangle *field, GdkRGBA colour)
{
  colour.alpha *= 0.4;
  gdk_cairo_set_source_rgba (cr, &colour);
  cairo_set_line_width (cr, 1);
  cairo_move_to (cr, field->x - 2.5, field->y);
  cairo_line_to (cr, field->x - 2.5, field->y + field->height + 2.5);
  cairo_line_to (cr, field->x + field->width, field->y + field->height + 2.5);
  cairo_stroke (cr);
}

static gboolean
on_draw (GtkWidget *widget, cairo_t *cr, gpointer unused)
{
  const State *state = state_of (widget);
  const int width = gtk_widget_get_allocated_width (widget), height = gtk_widget_get_allocated_height (widget);
  g_autofree char *high = NULL, *low = NULL, *end = NULL;
  int high_width, low_width, line;
  double least, most;
  GdkRectangle field;
  GdkRGBA colour;

  gtk_style_context_get_color (gtk_widget_get_style_context (widget), gtk_widget_get_state_flags (widget), &colour);
  write_at (widget, cr, 0, 0, state->name, FALSE);
  if (state->points->len == 0)
    return GDK_EVENT_STOP;
  range_of (state, &least, &most);
  high = g_strdup_printf ("%.4f", most);
  low = g_strdup_printf ("%.4f", least);
  end = g_strdup_printf ("%d", state->of);
  size_of (widget, high, &high_width, &line);
  size_of (widget, low, &low_width, &line);
  field.x = MAX (high_width, low_width) + 2 * SPACE;
  field.y = line + SPACE;
  field.width = MAX (width - field.x - SPACE, 1);
  field.height = MAX (height - 2 * line - 3 * SPACE, 1);
  draw_axes (cr, &field, colour);
  draw_line (state, cr, &field, least, most, &colour);
  write_at (widget, cr, field.x - SPACE - 2, field.y, high, TRUE);
  write_at (widget, cr, field.x - SPACE - 2, field.y + field.height - line, low, TRUE);
  write_at (widget, cr, field.x + field.width, field.y + field.height + SPACE, end, TRUE);
  return GDK_EVENT_STOP;
}

GtkWidget *
pmt_curve_new (const char *name)
{
  GtkWidget *curve = gtk_drawing_area_new ();
  State *state = g_new0 (State, 1);
  AtkObject *accessible = gtk_widget_get_accessible (curve);

  state->name = g_strdup (name);
  state->points = g_array_new (FALSE, FALSE, sizeof (Point));
  g_object_set_data_full (G_OBJECT (curve), "pmt-state", state, state_free);
  gtk_widget_set_size_request (curve, LEAST_WIDTH, LEAST_HEIGHT);
  g_signal_connect (curve, "draw", G_CALLBACK (on_draw), NULL);
  if (accessible)
    atk_object_set_name (accessible, name);
  gtk_widget_show (curve);
  return curve;
}

void
pmt_curve_clear (GtkWidget *curve)
{
  g_array_set_size (state_of (curve)->points, 0);
  gtk_widget_queue_draw (curve);
}

static void
thin_out (GArray *points)
{
  guint kept = 0;

  for (guint i = 0; i < points->len; i += 2)
    g_array_index (points, Point, kept++) = g_array_index (points, Point, i);
  g_array_set_size (points, kept);
}

void
pmt_curve_add (GtkWidget *curve, int at, int of, double value)
{
  State *state = state_of (curve);
  const Point point = { at, value };

  if (!isfinite (value))
    return;
  state->of = of;
  if (state->points->len >= MOST_POINTS)
    thin_out (state->points);
  g_array_append_val (state->points, point);
  gtk_widget_queue_draw (curve);
}

int
pmt_curve_count (GtkWidget *curve)
{
  return (int) state_of (curve)->points->len;
}
