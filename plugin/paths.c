/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/paths.h"

#include <cairo.h>
#include <glib/gi18n.h>
#include <math.h>
#include <stdlib.h>

#include "plugin/error.h"
#include "plugin/layout-box.h"

/* Largest distance of the interpolated line from the curve, in pixels. */
#define PRECISION 0.1
/* A stroke's width as a part of the drawing's longer side; scribble networks were trained on lines about this wide. */
#define STROKE_PART 128

/* The points of one stroke, x and y in turn; NULL unless it is as closed as asked for. Free with g_free. */
static double *
stroke_points (GimpPath *path, int stroke, gboolean wanted, gsize *n)
{
  gboolean closed = FALSE;
  double *points = gimp_path_stroke_interpolate (path, stroke, PRECISION, n, &closed);

  if (*n < 4 || closed != wanted)
    g_clear_pointer (&points, g_free);
  return points;
}

/* FALSE when the path has no closed stroke. */
static gboolean
closed_bounds (GimpPath *path, PmtBounds *bounds)
{
  gsize n_strokes = 0;
  g_autofree int *strokes = gimp_path_get_strokes (path, &n_strokes);
  gboolean any = FALSE;

  *bounds = (PmtBounds) { INFINITY, INFINITY, -INFINITY, -INFINITY };
  for (gsize i = 0; i < n_strokes; i++) {
    gsize n = 0;
    g_autofree double *points = stroke_points (path, strokes[i], TRUE, &n);
    for (gsize k = 0; points && k + 1 < n; k += 2) {
      bounds->x0 = fmin (bounds->x0, points[k]);
      bounds->y0 = fmin (bounds->y0, points[k + 1]);
      bounds->x1 = fmax (bounds->x1, points[k]);
      bounds->y1 = fmax (bounds->y1, points[k + 1]);
      any = TRUE;
    }
  }
  return any;
}

JsonArray *
pmt_paths_boxes (GimpImage *image, const PmtRect *area, GError **error)
{
  g_autofree GimpPath **paths = gimp_image_get_paths (image);
  g_autoptr (JsonArray) boxes = json_array_new ();
  guint n;

  for (gsize i = 0; paths && paths[i]; i++) {
    g_autofree char *name = gimp_item_get_name (GIMP_ITEM (paths[i]));
    PmtBounds bounds;
    if (closed_bounds (paths[i], &bounds))
      pmt_layout_box_add (boxes, bounds, name, area);
  }
  n = json_array_get_length (boxes);
  if (n == 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("No closed path lies in the region: draw one around each place and name it after what belongs there, or paint without boxes."));
    return NULL;
  }
  if (n > PMT_LAYOUT_BOXES_MOST) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("%u closed paths lie in the region and a job takes at most %d boxes: delete some, or select a smaller region."),
                 n, PMT_LAYOUT_BOXES_MOST);
    return NULL;
  }
  return g_steal_pointer (&boxes);
}

/* Whether anything of the stroke's points lies in area. */
static gboolean
draw_stroke (cairo_t *cairo, const double *points, gsize n, const PmtRect *area)
{
  gboolean inside = FALSE;

  cairo_move_to (cairo, points[0] - area->x, points[1] - area->y);
  for (gsize k = 0; k + 1 < n; k += 2) {
    const double x = points[k] - area->x, y = points[k + 1] - area->y;
    cairo_line_to (cairo, x, y);
    inside |= x >= 0 && y >= 0 && x <= area->width && y <= area->height;
  }
  return inside;
}

static gboolean
draw_all (GimpImage *image, cairo_t *cairo, const PmtRect *area)
{
  g_autofree GimpPath **paths = gimp_image_get_paths (image);
  gboolean any = FALSE;

  for (gsize i = 0; paths && paths[i]; i++) {
    gsize n_strokes = 0;
    g_autofree int *strokes = gimp_path_get_strokes (paths[i], &n_strokes);
    for (gsize s = 0; s < n_strokes; s++) {
      gsize n = 0;
      g_autofree double *points = stroke_points (paths[i], strokes[s], FALSE, &n);
      any |= points && draw_stroke (cairo, points, n, area);
    }
  }
  return any;
}

static GBytes *
pixels_of (cairo_surface_t *surface, const PmtRect *area, GError **error)
{
  const gsize size = (gsize) area->width * (gsize) area->height * 4 * sizeof (float);
  const guint8 *row = cairo_image_surface_get_data (surface);
  const int stride = cairo_image_surface_get_stride (surface);
  float *pixels = malloc (size), *pixel = pixels;

  if (!pixels) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory for %d×%d pixels (%lu MB): select a smaller region."),
                 area->width, area->height, (gulong) size >> 20);
    return NULL;
  }
  for (int y = 0; y < area->height; y++, row += stride)
    for (int x = 0; x < area->width; x++, pixel += 4) {
      pixel[0] = pixel[1] = pixel[2] = (float) row[x] / 255;
      pixel[3] = 1;
    }
  return g_bytes_new_with_free_func (pixels, size, free, pixels);
}

GBytes *
pmt_paths_strokes (GimpImage *image, const PmtRect *area, GError **error)
{
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_A8, area->width, area->height);
  cairo_t *cairo = cairo_create (surface);
  GBytes *pixels = NULL;

  cairo_set_line_width (cairo, fmax (2, fmax (area->width, area->height) / STROKE_PART));
  cairo_set_line_cap (cairo, CAIRO_LINE_CAP_ROUND);
  cairo_set_line_join (cairo, CAIRO_LINE_JOIN_ROUND);
  if (!draw_all (image, cairo, area)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("No open path lies in the region: draw the lines with the path tool, or take a layer as control picture."));
  } else {
    cairo_stroke (cairo);
    cairo_surface_flush (surface);
    if (cairo_status (cairo) != CAIRO_STATUS_SUCCESS)
      g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("The lines of the paths cannot be drawn (%s): select a smaller region."),
                   cairo_status_to_string (cairo_status (cairo)));
    else
      pixels = pixels_of (surface, area, error);
  }
  cairo_destroy (cairo);
  cairo_surface_destroy (surface);
  return pixels;
}

/* ---- one path ---- */

/* FALSE when the path has no closed stroke. */
static gboolean
add_closed (GimpPath *path, cairo_t *cairo, const PmtRect *box)
{
  gsize n_strokes = 0;
  g_autofree int *strokes = gimp_path_get_strokes (path, &n_strokes);
  gboolean any = FALSE;

  for (gsize i = 0; i < n_strokes; i++) {
    gsize n = 0;
    g_autofree double *points = stroke_points (path, strokes[i], TRUE, &n);
    for (gsize k = 0; points && k + 1 < n; k += 2) {
      if (k == 0)
        cairo_move_to (cairo, points[k] - box->x, points[k + 1] - box->y);
      else
        cairo_line_to (cairo, points[k] - box->x, points[k + 1] - box->y);
    }
    if (points)
      cairo_close_path (cairo);
    any |= points != NULL;
  }
  return any;
}

gboolean
pmt_path_fill (GimpPath *path, const PmtRect *box, float *values, GError **error)
{
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_A8, box->width, box->height);
  cairo_t *cairo = cairo_create (surface);
  gboolean good = FALSE;

  cairo_set_fill_rule (cairo, CAIRO_FILL_RULE_EVEN_ODD);
  if (!add_closed (path, cairo, box)) {
    g_autofree char *name = gimp_item_get_name (GIMP_ITEM (path));
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The path “%s” has no closed line: close one around what is meant, or choose another mask."),
                 name);
  } else {
    cairo_fill (cairo);
    cairo_surface_flush (surface);
    good = cairo_status (cairo) == CAIRO_STATUS_SUCCESS;
    if (!good)
      g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("The lines of the paths cannot be drawn (%s): select a smaller region."),
                   cairo_status_to_string (cairo_status (cairo)));
  }
  for (int y = 0; good && y < box->height; y++) {
    const guint8 *row = cairo_image_surface_get_data (surface) + (gsize) y * (gsize) cairo_image_surface_get_stride (surface);
    for (int x = 0; x < box->width; x++)
      values[(gsize) y * (gsize) box->width + (gsize) x] = (float) row[x] / 255;
  }
  cairo_destroy (cairo);
  cairo_surface_destroy (surface);
  return good;
}

gboolean
pmt_path_bounds (GimpPath *path, PmtRect *bounds)
{
  gsize n_strokes = 0;
  g_autofree int *strokes = gimp_path_get_strokes (path, &n_strokes);
  PmtBounds all = { INFINITY, INFINITY, -INFINITY, -INFINITY };

  for (gsize i = 0; i < n_strokes; i++) {
    gsize n = 0;
    gboolean closed;
    g_autofree double *points = gimp_path_stroke_interpolate (path, strokes[i], PRECISION, &n, &closed);
    for (gsize k = 0; points && k + 1 < n; k += 2) {
      all.x0 = fmin (all.x0, points[k]);
      all.y0 = fmin (all.y0, points[k + 1]);
      all.x1 = fmax (all.x1, points[k]);
      all.y1 = fmax (all.y1, points[k + 1]);
    }
  }
  if (!(all.x1 >= all.x0) || all.x1 - all.x0 > GIMP_MAX_IMAGE_SIZE || all.y1 - all.y0 > GIMP_MAX_IMAGE_SIZE)
    return FALSE;
  bounds->x = (int) floor (all.x0);
  bounds->y = (int) floor (all.y0);
  bounds->width = (int) ceil (all.x1) - bounds->x;
  bounds->height = (int) ceil (all.y1) - bounds->y;
  return TRUE;
}
