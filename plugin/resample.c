/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/resample.h"

#include <glib/gi18n.h>
#include <math.h>
#include <stdlib.h>

#include "plugin/error.h"

#define CHANNELS 4

/* Catmull and Rom's cubic: passes through the pixels. */
static double
cubic (double x)
{
  x = fabs (x);
  if (x < 1)
    return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* One line of n pixels that are `step` floats apart into one of `to`, summed in double precision. Pixels beyond the ends are those at the
 * ends. */
static void
resample_line (const float *from, int n, gsize step, float *into, int to, gsize into_step)
{
  const double scale = (double) n / to, width = fmax (scale, 1);

  for (int i = 0; i < to; i++) {
    const double centre = (i + 0.5) * scale - 0.5;
    const int first = (int) ceil (centre - 2 * width), last = (int) floor (centre + 2 * width);
    double sum[CHANNELS] = { 0 }, weights = 0;
    for (int k = first; k <= last; k++) {
      const double weight = cubic ((k - centre) / width);
      const float *pixel = from + (gsize) CLAMP (k, 0, n - 1) * step;
      weights += weight;
      for (int c = 0; c < CHANNELS; c++)
        sum[c] += weight * (double) pixel[c];
    }
    for (int c = 0; c < CHANNELS; c++)
      into[(gsize) i * into_step + (gsize) c] = (float) CLAMP (sum[c] / weights, 0, 1);
  }
}

static float *
pixels_new (int width, int height, GError **error)
{
  const gsize size = (gsize) width * (gsize) height * CHANNELS * sizeof (float);
  float *pixels = malloc (size);

  if (!pixels)
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory for %d×%d pixels (%lu MB): select a smaller region."), width, height,
                 (gulong) size >> 20);
  return pixels;
}

GBytes *
pmt_resample (GBytes *pixels, int width, int height, int to_width, int to_height, GError **error)
{
  const float *from = g_bytes_get_data (pixels, NULL);
  float *between, *into;

  if (width == to_width && height == to_height)
    return g_bytes_ref (pixels);
  between = pixels_new (to_width, height, error);
  into = between ? pixels_new (to_width, to_height, error) : NULL;
  if (!into) {
    free (between);
    return NULL;
  }
  for (gsize y = 0; y < (gsize) height; y++)
    resample_line (from + y * (gsize) width * CHANNELS, width, CHANNELS, between + y * (gsize) to_width * CHANNELS, to_width, CHANNELS);
  for (gsize x = 0; x < (gsize) to_width; x++)
    resample_line (between + x * CHANNELS, height, (gsize) to_width * CHANNELS, into + x * CHANNELS, to_height, (gsize) to_width * CHANNELS);
  free (between);
  return g_bytes_new_with_free_func (into, (gsize) to_width * (gsize) to_height * CHANNELS * sizeof (float), free, into);
}
