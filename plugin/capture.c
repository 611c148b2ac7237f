/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/capture.h"

#include <gegl.h>
#include <glib/gi18n.h>
#include <math.h>
#include <stdlib.h>

#include "plugin/error.h"
#include "plugin/filters.h"

/* Pixels of a canvas from which on it matters that only a part of it is needed. */
#define LARGE 4e6
/* By how much a value may lie outside of 0..1 unseen; conversion of colours does as much by rounding. */
#define UNSEEN 0.01f

GimpLayer *
pmt_capture_active_layer (GimpImage *image, GimpDrawable **drawables)
{
  GimpLayer *layer = NULL;
  GimpLayer **selected;

  if (drawables && drawables[0]) {
    if (GIMP_IS_LAYER (drawables[0]))
      return GIMP_LAYER (drawables[0]);
    if (GIMP_IS_LAYER_MASK (drawables[0]))
      return gimp_layer_from_mask (GIMP_LAYER_MASK (drawables[0]));
  }
  selected = gimp_image_get_selected_layers (image);
  if (selected)
    layer = selected[0];
  g_free (selected);
  return layer;
}

void
pmt_capture_set_closed (GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The image was closed: open it again and start there."));
}

gboolean
pmt_capture_check (GimpImage *image, GimpDrawable **drawables, gboolean layer_only, GError **error)
{
  GimpLayer **layers, *layer;
  gboolean any;

  if (!gimp_image_is_valid (image)) {
    pmt_capture_set_closed (error);
    return FALSE;
  }
  layers = gimp_image_get_layers (image);
  any = layers && layers[0];
  g_free (layers);
  if (!any) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The picture has no layer: add one first."));
    return FALSE;
  }
  if (gimp_image_get_floating_sel (image)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The picture has a floating selection: anchor it or make it a layer first."));
    return FALSE;
  }
  if (layer_only && gimp_core_object_array_get_length ((GObject **) drawables) > 1) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("Several layers are selected: select one, or take the visible picture as source."));
    return FALSE;
  }
  layer = layer_only ? pmt_capture_active_layer (image, drawables) : NULL;
  if (layer_only && !layer) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("No layer is selected: select one, or take the visible picture as source."));
    return FALSE;
  }
  if (layer_only && !gimp_item_is_valid (GIMP_ITEM (layer))) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The layer was removed: select another one and start again."));
    return FALSE;
  }
  return TRUE;
}

void
pmt_capture_bounds (GimpImage *image, PmtRect *canvas, PmtRect *selection)
{
  gboolean non_empty = FALSE;
  int x1 = 0, y1 = 0, x2 = 0, y2 = 0;

  *canvas = (PmtRect) { 0, 0, gimp_image_get_width (image), gimp_image_get_height (image) };
  *selection = *canvas;
  if (gimp_selection_bounds (image, &non_empty, &x1, &y1, &x2, &y2) && non_empty)
    *selection = (PmtRect) { x1, y1, x2 - x1, y2 - y1 };
}

/* malloc, not g_malloc: a picture too large for memory is a sentence and not the end of the plug-in. */
static float *
pixels_new (const PmtRect *box, int channels, GError **error)
{
  gsize size = (gsize) box->width * (gsize) box->height * (gsize) channels * sizeof (float);
  float *pixels = malloc (size);

  if (!pixels)
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory for %d×%d pixels (%lu MB): select a smaller region."),
                 box->width, box->height, (gulong) size >> 20);
  return pixels;
}

static GBytes *
pixels_done (float *pixels, const PmtRect *box, int channels)
{
  gsize size = (gsize) box->width * (gsize) box->height * (gsize) channels * sizeof (float);

  return g_bytes_new_with_free_func (pixels, size, free, pixels);
}

static float
clipped (float value)
{
  return value > 0 ? fminf (value, 1) : 0; /* a value that is no number becomes 0 too */
}

/* Colour conversion differs in the last bit from one time to the next. Values that come from 8 or 16 bits are put back on their grid, so
 * that the same picture is the same bytes, and known again by its sum. */
static float
on_grid (float value)
{
  const float near = rintf (value * 65535) / 65535;

  return fabsf (value - near) < 2e-7f ? near : value;
}

/* box in canvas coordinates; beyond the drawable's edges everything is 0. */
static void
read_drawable (GimpDrawable *drawable, int off_x, int off_y, const PmtRect *box, const char *format, float *pixels)
{
  g_autoptr (GeglBuffer) buffer = gimp_drawable_get_buffer (drawable);

  gegl_buffer_get (buffer, GEGL_RECTANGLE (box->x - off_x, box->y - off_y, box->width, box->height), 1.0, babl_format (format), pixels,
                   GEGL_AUTO_ROWSTRIDE, GEGL_ABYSS_NONE);
}

/* A layer is seen through its mask. */
static gboolean
apply_mask (GimpLayer *layer, int off_x, int off_y, const PmtRect *box, float *pixels, GError **error)
{
  GimpLayerMask *mask = gimp_layer_get_mask (layer);
  gsize n = (gsize) box->width * (gsize) box->height;
  float *values;

  if (!mask || !gimp_layer_get_apply_mask (layer))
    return TRUE;
  values = pixels_new (box, 1, error);
  if (!values)
    return FALSE;
  read_drawable (GIMP_DRAWABLE (mask), off_x, off_y, box, "Y float", values);
  for (gsize i = 0; i < n; i++)
    pixels[4 * i + 3] *= clipped (values[i]);
  free (values);
  return TRUE;
}

static gboolean
read_pixels (GimpLayer *layer, const PmtRect *box, float *pixels, GError **error)
{
  int off_x = 0, off_y = 0;

  gimp_drawable_get_offsets (GIMP_DRAWABLE (layer), &off_x, &off_y);
  read_drawable (GIMP_DRAWABLE (layer), off_x, off_y, box, "R'G'B'A float", pixels);
  return apply_mask (layer, off_x, off_y, box, pixels, error);
}

/* A copy of an image has the same layers in the same order, under other tattoos. */
static void
hide_all (GimpItem **items, GimpItem **copies, gboolean (*hidden) (GimpItem *item, gpointer user), gpointer user)
{
  for (gsize i = 0; items && copies && items[i] && copies[i]; i++) {
    if (hidden (items[i], user)) {
      gimp_item_set_visible (copies[i], FALSE);
    } else if (gimp_item_is_group (items[i]) && gimp_item_is_group (copies[i])) {
      g_autofree GimpItem **children = gimp_item_get_children (items[i]), **copied = gimp_item_get_children (copies[i]);
      hide_all (children, copied, hidden, user);
    }
  }
}

static void
fail_visible (GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_GIMP, _("GIMP did not give the visible picture: take the active layer as source instead."));
}

/* The projection, by way of a layer that is never inserted. */
static gboolean
read_projection (GimpImage *image, const PmtRect *box, float *pixels, GError **error)
{
  GimpLayer *seen = gimp_layer_new_from_visible (image, image, NULL);

  if (!seen) {
    fail_visible (error);
    return FALSE;
  }
  read_drawable (GIMP_DRAWABLE (seen), 0, 0, box, "R'G'B'A float", pixels);
  gimp_item_delete (GIMP_ITEM (seen));
  return TRUE;
}

/* GIMP puts the whole canvas together for the layer above, a gigabyte at 10000×10000. A copy of the image, which shares the layers'
 * memory, with a canvas of the box's size costs the box. Takes the copy. */
static gboolean
read_part (GimpImage *copy, const PmtRect *box, float *pixels, GError **error)
{
  const PmtRect all = { 0, 0, box->width, box->height };
  gboolean good = gimp_image_resize (copy, box->width, box->height, -box->x, -box->y);

  if (good)
    good = read_projection (copy, &all, pixels, error);
  else
    fail_visible (error);
  gimp_image_delete (copy);
  return good;
}

static gboolean
read_visible (GimpImage *image, const PmtRect *box, float *pixels, GError **error)
{
  const PmtRect canvas = { 0, 0, gimp_image_get_width (image), gimp_image_get_height (image) };
  const double size = (double) canvas.width * canvas.height;
  GimpImage *copy;

  /* beyond the canvas layers have pixels that are seen once it is larger */
  if (pmt_rect_holds (&canvas, box) && (size < LARGE || size < 4.0 * box->width * box->height))
    return read_projection (image, box, pixels, error);
  copy = gimp_image_duplicate (image);
  if (!copy) {
    fail_visible (error);
    return FALSE;
  }
  return read_part (copy, box, pixels, error);
}

static gboolean
read_layer (GimpLayer *layer, const PmtRect *box, float *pixels, GError **error)
{
  GimpImage *apart;

  if (!pmt_filters_any (layer))
    return read_pixels (layer, box, pixels, error);
  apart = pmt_filters_apart (layer);
  if (!apart) {
    g_autofree char *name = gimp_item_get_name (GIMP_ITEM (layer));
    g_set_error (error, PMT_ERROR, PMT_ERROR_GIMP, _("GIMP did not give the layer “%s” with its effects: merge its effects and start again."), name);
    return FALSE;
  }
  return read_part (apart, box, pixels, error);
}

GBytes *
pmt_capture_without (GimpImage *image, gboolean (*hidden) (GimpItem *item, gpointer user), gpointer user, const PmtRect *box, GError **error)
{
  GimpImage *copy = gimp_image_duplicate (image); /* what is hidden there the user never sees */
  g_autofree GimpLayer **layers = gimp_image_get_layers (image), **copies = copy ? gimp_image_get_layers (copy) : NULL;
  GBytes *picture;

  if (!copy) {
    fail_visible (error);
    return NULL;
  }
  hide_all ((GimpItem **) layers, (GimpItem **) copies, hidden, user);
  picture = pmt_capture_picture (copy, NULL, box, error);
  gimp_image_delete (copy);
  return picture;
}

/* As GIMP has them, values outside 0..1 too; malloc. NULL + error. */
static float *
read_picture (GimpImage *image, GimpLayer *layer, const PmtRect *box, GError **error)
{
  float *pixels = pixels_new (box, 4, error);

  if (pixels && !(layer ? read_layer (layer, box, pixels, error) : read_visible (image, box, pixels, error))) {
    free (pixels);
    return NULL;
  }
  return pixels;
}

/* Integers end at white, and without a profile the colours are sRGB's. */
static gboolean
can_clip (GimpImage *image)
{
  g_autoptr (GimpColorProfile) profile = gimp_image_get_color_profile (image);

  switch (gimp_image_get_precision (image)) {
    case GIMP_PRECISION_HALF_LINEAR:
    case GIMP_PRECISION_HALF_NON_LINEAR:
    case GIMP_PRECISION_HALF_PERCEPTUAL:
    case GIMP_PRECISION_FLOAT_LINEAR:
    case GIMP_PRECISION_FLOAT_NON_LINEAR:
    case GIMP_PRECISION_FLOAT_PERCEPTUAL:
    case GIMP_PRECISION_DOUBLE_LINEAR:
    case GIMP_PRECISION_DOUBLE_NON_LINEAR:
    case GIMP_PRECISION_DOUBLE_PERCEPTUAL:
      return TRUE;
    default:
      return profile != NULL;
  }
}

gboolean
pmt_capture_clips (GimpImage *image, GimpLayer *layer, const PmtRect *box)
{
  gsize n = (gsize) box->width * (gsize) box->height * 4;
  float *pixels = can_clip (image) ? read_picture (image, layer, box, NULL) : NULL;
  gboolean clips = FALSE;

  for (gsize i = 0; pixels && i < n && !clips; i++)
    clips = i % 4 != 3 && pixels[i - i % 4 + 3] > 0 && (pixels[i] > 1 + UNSEEN || pixels[i] < -UNSEEN);
  free (pixels);
  return clips;
}

GBytes *
pmt_capture_picture (GimpImage *image, GimpLayer *layer, const PmtRect *box, GError **error)
{
  gsize n = (gsize) box->width * (gsize) box->height * 4;
  float *pixels = read_picture (image, layer, box, error);

  if (!pixels)
    return NULL;
  for (gsize i = 0; i < n; i++)
    pixels[i] = on_grid (clipped (pixels[i]));
  return pixels_done (pixels, box, 4);
}

GBytes *
pmt_capture_everything (const PmtRect *box, GError **error)
{
  gsize n = (gsize) box->width * (gsize) box->height;
  float *pixels = pixels_new (box, 1, error);

  for (gsize i = 0; pixels && i < n; i++)
    pixels[i] = 1;
  return pixels ? pixels_done (pixels, box, 1) : NULL;
}

GBytes *
pmt_capture_mask (GimpImage *image, const PmtRect *box, GError **error)
{
  gsize n = (gsize) box->width * (gsize) box->height;
  float *pixels;

  if (gimp_selection_is_empty (image))
    return pmt_capture_everything (box, error);
  pixels = pixels_new (box, 1, error);
  if (!pixels)
    return NULL;
  read_drawable (GIMP_DRAWABLE (gimp_image_get_selection (image)), 0, 0, box, "Y float", pixels);
  for (gsize i = 0; i < n; i++)
    pixels[i] = clipped (pixels[i]);
  return pixels_done (pixels, box, 1);
}

double
pmt_capture_sign (GBytes *picture)
{
  gsize size;
  const float *values = g_bytes_get_data (picture, &size);
  const gsize n = size / sizeof (float);
  guint32 random = 1;
  double sum = 0;

  for (gsize i = 0; i < n; i++) {
    random = random * 1664525 + 1013904223;
    sum += random >> 31 ? (double) values[i] : -(double) values[i];
  }
  return sum;
}

gboolean
pmt_capture_same_sign (GBytes *picture, double sign)
{
  return fabs (pmt_capture_sign (picture) - sign) <= 1e-6 * sqrt ((double) (g_bytes_get_size (picture) / sizeof (float)));
}
