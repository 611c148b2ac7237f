/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/look.h"

#include <gegl.h>
#include <math.h>

#include "plugin/capture.h"

/* What is shown around a result: a part of its longer side. */
#define MARGIN 0.12

/* The result's place and what is around it, in the canvas. */
static PmtRect
view_of (const PmtRect *box, const PmtRect *canvas)
{
  const int margin = (int) ceil (MAX (box->width, box->height) * MARGIN);
  const int left = MAX (MIN (box->x, canvas->width - 1) - margin, 0), top = MAX (MIN (box->y, canvas->height - 1) - margin, 0);
  const int right = MIN (box->x + box->width + margin, canvas->width), bottom = MIN (box->y + box->height + margin, canvas->height);

  return (PmtRect) { left, top, MAX (right - left, 1), MAX (bottom - top, 1) };
}

static void
over (float *below, const float *above, float cover)
{
  const float alpha = above[3] * cover, rest = below[3] * (1 - alpha), sum = alpha + rest;

  for (int c = 0; c < 3; c++)
    below[c] = sum > 0 ? (above[c] * alpha + below[c] * rest) / sum : 0;
  below[3] = sum;
}

static void
lay_over (float *pixels, const PmtRect *view, const PmtResult *result)
{
  const float *picture = g_bytes_get_data (result->picture, NULL);
  const float *blend = result->blend ? g_bytes_get_data (result->blend, NULL) : NULL;
  const PmtRect *box = &result->box;

  for (int y = 0; y < view->height; y++)
    for (int x = 0; x < view->width; x++) {
      const int column = x + view->x - box->x, row = y + view->y - box->y;
      const gsize at = (gsize) row * (gsize) box->width + (gsize) column;
      if (column >= 0 && row >= 0 && column < box->width && row < box->height)
        over (pixels + ((gsize) y * (gsize) view->width + (gsize) x) * 4, picture + at * 4, blend ? blend[at] : 1);
    }
}

/* As a layer of an image without colours takes them. */
static void
take_colours_away (float *pixels, gsize n)
{
  const Babl *colours = babl_format ("R'G'B'A float"), *greys = babl_format ("Y'A float");
  g_autofree float *grey = g_try_new (float, n * 2);

  if (!grey)
    return;
  babl_process (babl_fish (colours, greys), pixels, grey, (long) n);
  babl_process (babl_fish (greys, colours), grey, pixels, (long) n);
}

gboolean
pmt_look_is_grey (GimpImage *image)
{
  return gimp_image_is_valid (image) && gimp_image_get_base_type (image) == GIMP_GRAY;
}

GBytes *
pmt_look_without_colours (GBytes *rgb)
{
  const Babl *colours = babl_format ("R'G'B' u8"), *greys = babl_format ("Y' u8");
  const gsize n = g_bytes_get_size (rgb) / 3;
  g_autofree guchar *grey = g_malloc (n);
  guchar *pixels = g_malloc (n * 3);

  babl_process (babl_fish (colours, greys), g_bytes_get_data (rgb, NULL), grey, (long) n);
  babl_process (babl_fish (greys, colours), grey, pixels, (long) n);
  return g_bytes_new_take (pixels, n * 3);
}

static GdkPixbuf *
to_pixbuf (const float *pixels, int width, int height, int side)
{
  g_autoptr (GdkPixbuf) whole = gdk_pixbuf_new (GDK_COLORSPACE_RGB, TRUE, 8, width, height);
  const double scale = (double) side / MAX (width, height);
  guchar *bytes;
  int stride;

  if (!whole)
    return NULL;
  bytes = gdk_pixbuf_get_pixels (whole);
  stride = gdk_pixbuf_get_rowstride (whole);
  for (int y = 0; y < height; y++)
    for (int i = 0; i < width * 4; i++)
      bytes[(gsize) y * (gsize) stride + (gsize) i] = (guchar) lrintf (CLAMP (pixels[(gsize) y * (gsize) width * 4 + (gsize) i], 0, 1) * 255);
  if (scale >= 1)
    return g_steal_pointer (&whole);
  return gdk_pixbuf_scale_simple (whole, MAX ((int) (width * scale), 1), MAX ((int) (height * scale), 1), GDK_INTERP_BILINEAR);
}

PmtLook
pmt_look_new (GimpImage *image, const PmtResult *result, int side)
{
  PmtRect view = { result->box.x, result->box.y, result->box.width, result->box.height };
  g_autoptr (GBytes) seen = NULL;
  g_autofree float *pixels = NULL;
  PmtLook look = { NULL, NULL };

  if (gimp_image_is_valid (image)) {
    const PmtRect *before = &result->inputs->before;
    const gboolean grows = pmt_inputs_grow (result->inputs, image);
    PmtRect place;
    view = view_of (&result->box, &result->inputs->canvas);
    place = (PmtRect) { view.x - (grows ? before->x : 0), view.y - (grows ? before->y : 0), view.width, view.height };
    seen = pmt_capture_picture (image, NULL, &place, NULL);
  }
  if (seen) {
    gsize size;
    gconstpointer data = g_bytes_get_data (seen, &size);
    look.before = to_pixbuf (data, view.width, view.height, side);
    pixels = g_memdup2 (data, size);
  } else {
    pixels = g_try_new0 (float, (gsize) view.width *(gsize) view.height * 4);
  }
  if (pixels) {
    lay_over (pixels, &view, result);
    if (pmt_look_is_grey (image))
      take_colours_away (pixels, (gsize) view.width * (gsize) view.height);
    look.picture = to_pixbuf (pixels, view.width, view.height, side);
  }
  if (!look.picture) /* no memory for a small picture of it: a grey one, so that it can still be chosen */
    look.picture = gdk_pixbuf_new (GDK_COLORSPACE_RGB, TRUE, 8, 1, 1);
  return look;
}

void
pmt_look_clear (PmtLook *look)
{
  g_clear_object (&look->picture);
  g_clear_object (&look->before);
}
