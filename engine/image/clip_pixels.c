/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/clip_pixels.h"

#include <math.h>
#include <stdlib.h>

#include "engine/image/picture.h"
#include "engine/image/resize.h"

#define BAND 64 /* source rows that are rounded and resized at a time, so that no large picture is copied */

const float pmt_clip_mean[3] = { 0.48145466f, 0.4578275f, 0.40821073f };
const float pmt_clip_deviation[3] = { 0.26862954f, 0.26130258f, 0.27577711f };

static void
round_8_bits (const float *src, float *dst, size_t n)
{
  for (size_t i = 0; i < n; i++)
    dst[i] = floorf (CLAMP (src[i], 0.0f, 1.0f) * 255.0f + 0.5f) / 255.0f;
}

/* Rows to `to` pixels each. */
static gboolean
resize_rows (const float *rgb, int width, int height, int to, float *dst, GError **error)
{
  float *rounded = pmt_pixels_new ((size_t) BAND * (size_t) width * 3, error);
  gboolean ok = rounded != NULL;
  for (int y = 0; y < height && ok; y += BAND) {
    const int n = MIN (BAND, height - y);
    float *out = dst + (size_t) y * (size_t) to * 3;
    round_8_bits (rgb + (size_t) y * (size_t) width * 3, rounded, (size_t) n * (size_t) width * 3);
    ok = pmt_resize (PMT_FILTER_CUBIC, rounded, width, n, 3, out, to, n, error);
    if (ok)
      round_8_bits (out, out, (size_t) n * (size_t) to * 3);
  }
  free (rounded);
  return ok;
}

static void
crop (const float *rgb, int width, int height, int size, float *out)
{
  const int left = (width - size) / 2, top = (height - size) / 2;
  for (int y = 0; y < size; y++)
    for (int x = 0; x < size; x++)
      for (int c = 0; c < 3; c++)
        out[(y * size + x) * 3 + c] = (rgb[((size_t) (top + y) * (size_t) width + (size_t) (left + x)) * 3 + (size_t) c] - pmt_clip_mean[c])
                                      / pmt_clip_deviation[c];
}

gboolean
pmt_clip_pixels (const float *rgb, int width, int height, int size, float *out, GError **error)
{
  const int shorter = MIN (width, height), longer = MAX (width, height);
  if (shorter < 1 || longer > PMT_PICTURE_MAX_SIDE || longer / shorter > PMT_CLIP_MOST_ELONGATED || size < 1 || size > 4096) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("A reference picture of %d x %d pixels cannot be read; crop it so that no side is more than %d times the other."), width,
                 height, PMT_CLIP_MOST_ELONGATED);
    return FALSE;
  }
  const int along = (int) ((int64_t) size * longer / shorter);
  const int to_width = width <= height ? size : along, to_height = width <= height ? along : size;
  float *wide = pmt_pixels_new ((size_t) to_width * (size_t) height * 3, error);
  float *both = wide ? pmt_pixels_new ((size_t) to_width * (size_t) to_height * 3, error) : NULL;
  gboolean ok = both && resize_rows (rgb, width, height, to_width, wide, error)
                && pmt_resize (PMT_FILTER_CUBIC, wide, to_width, height, 3, both, to_width, to_height, error);
  if (ok) {
    round_8_bits (both, both, (size_t) to_width * (size_t) to_height * 3);
    crop (both, to_width, to_height, size, out);
  }
  free (both);
  free (wide);
  return ok;
}
