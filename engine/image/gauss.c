/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/gauss.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/threads.h"
#include "engine/image/picture.h"

typedef struct Blur {
  const float *src;
  float *dst;
  const float *kernel; /* weight at distance 0 .. reach */
  int reach, width, height, channels;
} Blur;

/* The place i of n pixels mirrored at the first and last; a picture of one pixel has only that one. */
static int
mirror (int i, int n)
{
  if (n == 1)
    return 0;
  while (i < 0 || i >= n)
    i = i < 0 ? -i : 2 * (n - 1) - i;
  return i;
}

static void
blur_rows (void *user, size_t begin, size_t end)
{
  const Blur *b = user;
  const int c = b->channels;

  for (size_t y = begin; y < end; y++) {
    const float *row = b->src + y * (size_t) (b->width * c);
    float *out = b->dst + y * (size_t) (b->width * c);
    for (int x = 0; x < b->width; x++)
      for (int k = 0; k < c; k++) {
        float sum = b->kernel[0] * row[x * c + k];
        for (int d = 1; d <= b->reach; d++)
          sum += b->kernel[d] * (row[mirror (x - d, b->width) * c + k] + row[mirror (x + d, b->width) * c + k]);
        out[x * c + k] = sum;
      }
  }
}

static void
blur_columns (void *user, size_t begin, size_t end)
{
  const Blur *b = user;
  const size_t stride = (size_t) b->width * (size_t) b->channels;

  for (size_t y = begin; y < end; y++) {
    float *out = b->dst + y * stride;
    for (size_t i = 0; i < stride; i++)
      out[i] = b->kernel[0] * b->src[y * stride + i];
    for (int d = 1; d <= b->reach; d++) {
      const float *above = b->src + (size_t) mirror ((int) y - d, b->height) * stride;
      const float *below = b->src + (size_t) mirror ((int) y + d, b->height) * stride;
      for (size_t i = 0; i < stride; i++)
        out[i] += b->kernel[d] * (above[i] + below[i]);
    }
  }
}

gboolean
pmt_gauss_blur (const float *src, int width, int height, int channels, double sigma, int reach, float *dst, GError **error)
{
  float *between = pmt_pixels_new ((size_t) width * (size_t) height * (size_t) channels, error);
  g_autofree float *kernel = NULL;
  double sum = 0;

  if (!between)
    return FALSE;
  reach = reach ? reach : (int) lrint (sigma * 4);
  kernel = g_new (float, reach + 1);
  for (int d = 0; d <= reach; d++)
    sum += (d ? 2 : 1) * exp (-0.5 * d * d / (sigma * sigma));
  for (int d = 0; d <= reach; d++)
    kernel[d] = (float) (exp (-0.5 * d * d / (sigma * sigma)) / sum);
  Blur across = { src, between, kernel, reach, width, height, channels };
  Blur down = { between, dst, kernel, reach, width, height, channels };
  pmt_parallel_for (NULL, (size_t) height, 8, blur_rows, &across);
  pmt_parallel_for (NULL, (size_t) height, 8, blur_columns, &down);
  free (between);
  return TRUE;
}
