/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/even_noise.h"

#include <glib.h>
#include <math.h>
#include <string.h>

enum { LEAST_ROWS = 8 };

static int
draw (PmtRng *rng, int side)
{
  return 1 + (int) (pmt_rng_u32 (rng) % (uint32_t) MAX (side / 2, 1));
}

/* One channel of one size, shifted by `roll` along an axis; adds to gradient [height, width]. */
static double
shifted (const double *x, int height, int width, int roll_y, int roll_x, double factor, double *gradient)
{
  const int n = height * width;
  double mean = 0;
  for (int y = 0; y < height; y++)
    for (int c = 0; c < width; c++)
      mean += x[y * width + c] * x[(y + roll_y) % height * width + (c + roll_x) % width] / n;
  const double slope = factor * 2 * mean / n;
  for (int y = 0; y < height; y++)
    for (int c = 0; c < width; c++) {
      const int there = (y + roll_y) % height * width + (c + roll_x) % width;
      gradient[y * width + c] += slope * x[there];
      gradient[there] += slope * x[y * width + c];
    }
  return mean * mean;
}

/* 2 x 2 means; an odd last row or column is left out. */
static void
halve (const double *x, int height, int width, double *y)
{
  for (int r = 0; r < height / 2; r++)
    for (int c = 0; c < width / 2; c++)
      y[r * (width / 2) + c] = 0.25 * (x[2 * r * width + 2 * c] + x[2 * r * width + 2 * c + 1] + x[(2 * r + 1) * width + 2 * c] +
                                       x[(2 * r + 1) * width + 2 * c + 1]);
}

static double
channel_likeness (PmtRng *rng, const double *x, int height, int width, double factor, double *gradient)
{
  const int roll_y = draw (rng, height), roll_x = draw (rng, width);
  double loss = shifted (x, height, width, roll_y, 0, factor, gradient) + shifted (x, height, width, 0, roll_x, factor, gradient);
  if (height <= LEAST_ROWS || width < 4)
    return loss;
  const int h = height / 2, w = width / 2;
  g_autofree double *half = g_new (double, (size_t) h * (size_t) w), *back = g_new0 (double, (size_t) h * (size_t) w);
  halve (x, height, width, half);
  loss += channel_likeness (rng, half, h, w, factor, back);
  for (int y = 0; y < 2 * h; y++)
    for (int c = 0; c < 2 * w; c++)
      gradient[y * width + c] += 0.25 * back[y / 2 * w + c / 2];
  return loss;
}

double
pmt_noise_likeness (PmtRng *rng, const float *e, int height, int width, int channels, double factor, float *gradient)
{
  const size_t n = (size_t) height * (size_t) width;
  g_autofree double *x = g_new (double, n), *slope = g_new (double, n);
  double loss = 0;
  for (int c = 0; c < channels; c++) {
    for (size_t i = 0; i < n; i++) {
      x[i] = (double) e[i * (size_t) channels + (size_t) c];
      slope[i] = 0;
    }
    loss += channel_likeness (rng, x, height, width, factor, slope);
    for (size_t i = 0; i < n; i++)
      gradient[i * (size_t) channels + (size_t) c] += (float) slope[i];
  }
  return loss;
}

double
pmt_noise_abnormality (const float *e, int n, double factor, float *gradient)
{
  double mean = 0, variance = 0;
  for (int i = 0; i < n; i++)
    mean += (double) e[i] / n;
  for (int i = 0; i < n; i++)
    variance += ((double) e[i] - mean) * ((double) e[i] - mean) / (n - 1);
  for (int i = 0; i < n; i++)
    gradient[i] += (float) (factor * ((1 - 1 / (variance + 1e-7)) * 2 * ((double) e[i] - mean) / (n - 1) + 2 * mean / n));
  return variance + mean * mean - 1 - log (variance + 1e-7);
}

void
pmt_noise_even (PmtEvenNoise *even, float *e, int height, int width, int channels)
{
  const int n = height * width * channels;
  g_autofree float *gradient = g_new (float, (size_t) n);
  for (int round = 0; round < even->rounds; round++) {
    for (int roll = 0; roll < even->rolls && even->apart > 0; roll++) {
      memset (gradient, 0, (size_t) n * sizeof (float));
      pmt_noise_likeness (&even->rng, e, height, width, channels, even->apart / even->rolls, gradient);
      for (int i = 0; i < n; i++)
        e[i] -= gradient[i];
    }
    if (even->normal > 0) {
      memset (gradient, 0, (size_t) n * sizeof (float));
      pmt_noise_abnormality (e, n, even->normal, gradient);
      for (int i = 0; i < n; i++)
        e[i] -= gradient[i];
    }
  }
}
