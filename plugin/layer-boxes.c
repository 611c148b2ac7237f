/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/layer-boxes.h"

#include <gegl.h>
#include <glib/gi18n.h>

#include "plugin/capture.h"
#include "plugin/error.h"
#include "plugin/filters.h"
#include "plugin/layout-box.h"

enum { STRIP = 64, OPAQUE = 128 }; /* rows read at a time; alpha of 255 that counts */

/* Widens bounds by rows [y, y + n) of RGBA. */
static void
see_rows (PmtBounds *bounds, const guint8 *pixels, int width, int y, int n)
{
  for (int r = 0; r < n; r++) {
    const guint8 *row = pixels + (gsize) r * (gsize) width * 4;
    int left = 0, right = width;
    while (left < width && row[4 * left + 3] < OPAQUE)
      left++;
    if (left == width)
      continue;
    while (row[4 * right - 1] < OPAQUE)
      right--;
    bounds->x0 = MIN (bounds->x0, left);
    bounds->x1 = MAX (bounds->x1, right);
    bounds->y0 = MIN (bounds->y0, y + r);
    bounds->y1 = MAX (bounds->y1, y + r + 1);
  }
}

/* The alpha of `n` rows from `top` on, seen through the layer's mask. */
static void
see_through (GimpLayerMask *mask, guint8 *pixels, guint8 *values, int width, int top, int n)
{
  g_autoptr (GeglBuffer) buffer = gimp_drawable_get_buffer (GIMP_DRAWABLE (mask));

  gegl_buffer_get (buffer, GEGL_RECTANGLE (0, top, width, n), 1.0, babl_format ("Y u8"), values, GEGL_AUTO_ROWSTRIDE, GEGL_ABYSS_NONE);
  for (gsize i = 0; i < (gsize) width * (gsize) n; i++)
    pixels[4 * i + 3] = (guint8) (pixels[4 * i + 3] * values[i] / 255);
}

/* The same of a layer whose effects decide what is seen of it. FALSE + error. */
static gboolean
filtered_bounds (GimpLayer *layer, const PmtRect *area, PmtBounds *bounds, GError **error)
{
  g_autoptr (GBytes) picture = pmt_capture_picture (gimp_item_get_image (GIMP_ITEM (layer)), layer, area, error);
  const float *pixels = picture ? g_bytes_get_data (picture, NULL) : NULL;

  *bounds = (PmtBounds) { area->width, area->height, 0, 0 };
  for (int y = 0; picture && y < area->height; y++)
    for (int x = 0; x < area->width; x++)
      if (pixels[4 * ((gsize) y * (gsize) area->width + (gsize) x) + 3] * 255 >= OPAQUE) {
        bounds->x0 = MIN (bounds->x0, x);
        bounds->x1 = MAX (bounds->x1, x + 1);
        bounds->y0 = MIN (bounds->y0, y);
        bounds->y1 = MAX (bounds->y1, y + 1);
      }
  *bounds = (PmtBounds) { bounds->x0 + area->x, bounds->y0 + area->y, bounds->x1 + area->x, bounds->y1 + area->y };
  return picture != NULL;
}

/* Of what can be seen of the layer, on the canvas; empty where nothing can. */
static PmtBounds
opaque_bounds (GimpLayer *layer)
{
  GimpDrawable *drawable = GIMP_DRAWABLE (layer);
  GimpLayerMask *mask = gimp_layer_get_mask (layer);
  const int width = gimp_drawable_get_width (drawable), height = gimp_drawable_get_height (drawable);
  PmtBounds bounds = { width, height, 0, 0 };
  int x = 0, y = 0;

  if (mask && !gimp_layer_get_apply_mask (layer))
    mask = NULL;
  if (mask || gimp_drawable_has_alpha (drawable)) {
    g_autoptr (GeglBuffer) buffer = gimp_drawable_get_buffer (drawable);
    g_autofree guint8 *pixels = g_malloc ((gsize) width * STRIP * 4), *values = g_malloc ((gsize) width * STRIP);
    for (int top = 0; top < height; top += STRIP) {
      const int n = MIN (STRIP, height - top);
      gegl_buffer_get (buffer, GEGL_RECTANGLE (0, top, width, n), 1.0, babl_format ("R'G'B'A u8"), pixels, GEGL_AUTO_ROWSTRIDE, GEGL_ABYSS_NONE);
      if (mask)
        see_through (mask, pixels, values, width, top, n);
      see_rows (&bounds, pixels, width, top, n);
    }
  } else {
    bounds = (PmtBounds) { 0, 0, width, height };
  }
  gimp_drawable_get_offsets (drawable, &x, &y);
  return (PmtBounds) { bounds.x0 + x, bounds.y0 + y, bounds.x1 + x, bounds.y1 + y };
}

JsonArray *
pmt_layer_boxes (GimpLayer *group, const PmtRect *area, GError **error)
{
  g_autoptr (JsonArray) boxes = json_array_new ();
  g_autofree char *name = gimp_item_get_name (GIMP_ITEM (group));
  g_autofree GimpItem **layers = NULL;
  guint n;

  if (!gimp_item_is_group (GIMP_ITEM (group))) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The layer “%s” is no group: take a group whose layers are named after what belongs where they are."),
                 name);
    return NULL;
  }
  layers = gimp_item_get_children (GIMP_ITEM (group));
  for (gsize i = 0; layers && layers[i]; i++) {
    g_autofree char *phrase = gimp_item_get_name (layers[i]);
    PmtBounds bounds;
    if (!pmt_filters_any (GIMP_LAYER (layers[i])))
      bounds = opaque_bounds (GIMP_LAYER (layers[i]));
    else if (!filtered_bounds (GIMP_LAYER (layers[i]), area, &bounds, error))
      return NULL;
    pmt_layout_box_add (boxes, bounds, phrase, area);
  }
  n = json_array_get_length (boxes);
  if (n > 0 && n <= PMT_LAYOUT_BOXES_MOST)
    return g_steal_pointer (&boxes);
  if (n == 0)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("No layer of the group “%s” shows anything in the region: paint a place in each and name it after what belongs there, or paint without boxes."),
                 name);
  else
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("%u layers of the group “%s” lie in the region and a job takes at most %d boxes: delete some, or select a smaller region."), n, name,
                 PMT_LAYOUT_BOXES_MOST);
  return NULL;
}
