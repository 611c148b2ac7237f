/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/windows.h"

#include <string.h>

/* Where windows of `size` begin on an axis; how many. `at` holds as many as the axis has cells. */
static int
places (int length, int size, int stride, bool wrap, int *at)
{
  int n = 0;
  if (wrap && size < length) {
    for (int p = 0; p < length; p += stride)
      at[n++] = p;
    return n;
  }
  for (int p = 0; p < length - size; p += stride)
    at[n++] = p;
  at[n++] = length - size;
  return n;
}

PmtWindow *
pmt_windows_new (int canvas_height, int canvas_width, int size, int stride, bool wrap, int *n)
{
  const int height = MIN (size, canvas_height), width = MIN (size, canvas_width);
  g_autofree int *y = g_new (int, canvas_height), *x = g_new (int, canvas_width);
  const int rows = places (canvas_height, height, stride, false, y), columns = places (canvas_width, width, stride, wrap, x);
  PmtWindow *windows = g_new (PmtWindow, (gsize) rows * (gsize) columns);
  *n = 0;
  for (int i = 0; i < rows; i++)
    for (int k = 0; k < columns; k++)
      windows[(*n)++] = (PmtWindow) { y[i], x[k], height, width };
  return windows;
}

void
pmt_window_cut (const PmtWindow *window, const float *canvas, int canvas_width, int channels, float *out)
{
  for (int y = 0; y < window->height; y++)
    for (int x = 0; x < window->width; x++) {
      const int64_t from = (int64_t) (window->y + y) * canvas_width + (window->x + x) % canvas_width;
      memcpy (out + ((int64_t) y * window->width + x) * channels, canvas + from * channels, (size_t) channels * sizeof (float));
    }
}

void
pmt_window_add (const PmtWindow *window, const float *part, const float *weight, int canvas_width, int channels, double *sum, double *total)
{
  for (int y = 0; y < window->height; y++)
    for (int x = 0; x < window->width; x++) {
      const int64_t to = (int64_t) (window->y + y) * canvas_width + (window->x + x) % canvas_width;
      const double w = weight[to];
      const float *from = part + ((int64_t) y * window->width + x) * channels;
      total[to] += w;
      for (int c = 0; c < channels; c++)
        sum[to * channels + c] += w * from[c];
    }
}
