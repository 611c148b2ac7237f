/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/picture_loss.h"

#include <glib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE 0.35         /* standard deviation of "this colour" */
#define MOST 0.9999        /* a pixel is never wholly sure to be of a colour */
#define FLAT 1e-4          /* under the root of a steepness, so that flat places have a gradient */

static double
value (const float *picture, size_t at)
{
  return 0.5 * (double) picture[at] + 0.5;
}

static double
place_sum (const PmtPictureTask *task)
{
  double sum = 0;
  for (int i = 0; i < task->height * task->width; i++)
    sum += task->place[i];
  return sum;
}

static double
distance (const float *picture, size_t pixel, const float *colour)
{
  double d = 0;
  for (size_t c = 0; c < 3; c++)
    d += (value (picture, pixel * 3 + c) - colour[c]) * (value (picture, pixel * 3 + c) - colour[c]);
  return d;
}

/* Adds `slope`, d loss / d (squared distance), by the pixel; a picture's values are twice those of colours. */
static void
add_distance (const float *picture, size_t pixel, const float *colour, double slope, float *gradient)
{
  for (size_t c = 0; c < 3; c++)
    gradient[pixel * 3 + c] += (float) (slope * (value (picture, pixel * 3 + c) - colour[c]));
}

static double
mean_colour (const PmtPictureTask *task, const float *picture, float *gradient)
{
  const double sum = place_sum (task);
  const size_t n = (size_t) task->height * (size_t) task->width;
  double loss = 0;
  for (size_t c = 0; c < 3 && sum > 0; c++) {
    double mean = 0;
    for (size_t i = 0; i < n; i++)
      mean += (double) task->place[i] * value (picture, i * 3 + c) / sum;
    const double off = mean - task->colours[0][c];
    loss += off * off;
    for (size_t i = 0; i < n; i++)
      gradient[i * 3 + c] += (float) (off * (double) task->place[i] / sum);
  }
  return loss;
}

static double
palette (const PmtPictureTask *task, const float *picture, float *gradient)
{
  const double sum = place_sum (task);
  double loss = 0;
  for (size_t i = 0; i < (size_t) task->height * (size_t) task->width && sum > 0; i++) {
    int best = 0;
    for (int k = 1; k < task->n_colours; k++)
      best = distance (picture, i, task->colours[k]) < distance (picture, i, task->colours[best]) ? k : best;
    loss += (double) task->place[i] * distance (picture, i, task->colours[best]) / sum;
    add_distance (picture, i, task->colours[best], (double) task->place[i] / sum, gradient);
  }
  return loss;
}

static double
mask (const PmtPictureTask *task, const float *picture, float *gradient)
{
  const size_t n = (size_t) task->height * (size_t) task->width;
  const double per = 1.0 / (double) n;
  double loss = 0;
  for (size_t i = 0; i < n; i++) {
    const double inside = task->place[i], d = distance (picture, i, task->colours[0]) / (2 * CLOSE * CLOSE), sure = MOST * exp (-d);
    loss += per * (inside * d - (1 - inside) * log (1 - sure));
    add_distance (picture, i, task->colours[0], per * (inside - (1 - inside) * sure / (1 - sure)) / (2 * CLOSE * CLOSE), gradient);
  }
  return loss;
}

static const double luma_share[3] = { 0.299, 0.587, 0.114 };

/* Steepness between a pixel and its neighbours to the right and below, and both differences. */
static double
steepness (const double *luma, int width, int y, int x, double *dx, double *dy)
{
  *dx = luma[y * width + x + 1] - luma[y * width + x];
  *dy = luma[(y + 1) * width + x] - luma[y * width + x];
  return sqrt (*dx * *dx + *dy * *dy + FLAT);
}

static double
edges (const PmtPictureTask *task, const float *picture, float *gradient)
{
  const int h = task->height, w = task->width;
  const size_t n = (size_t) h * (size_t) w;
  const double sum = place_sum (task);
  g_autofree double *mine = g_new0 (double, n), *wanted = g_new0 (double, n), *slope = g_new0 (double, n);
  double loss = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < 3; c++) {
      mine[i] += luma_share[c] * value (picture, i * 3 + c);
      wanted[i] += luma_share[c] * (double) task->other[i * 3 + c];
    }
  for (int y = 0; y + 1 < h && sum > 0; y++)
    for (int x = 0; x + 1 < w; x++) {
      double dx, dy, ox, oy;
      const double steep = steepness (mine, w, y, x, &dx, &dy), off = steep - steepness (wanted, w, y, x, &ox, &oy);
      const double share = (double) task->place[y * w + x] / sum, by = 2 * share * off / steep;
      loss += share * off * off;
      slope[y * w + x + 1] += by * dx;
      slope[(y + 1) * w + x] += by * dy;
      slope[y * w + x] -= by * (dx + dy);
    }
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < 3; c++)
      gradient[i * 3 + c] += (float) (0.5 * luma_share[c] * slope[i]);
  return loss;
}

static double
keep_outside (const PmtPictureTask *task, const float *picture, float *gradient)
{
  const size_t n = (size_t) task->height * (size_t) task->width;
  const double sum = (double) n - place_sum (task);
  double loss = 0;
  for (size_t i = 0; i < n && sum > 0; i++) {
    const double outside = (1 - (double) task->place[i]) / sum;
    loss += outside * distance (picture, i, task->other + i * 3);
    add_distance (picture, i, task->other + i * 3, outside, gradient);
  }
  return loss;
}

double
pmt_picture_loss (const PmtPictureTask *task, const float *picture, float *gradient)
{
  static double (*const losses[]) (const PmtPictureTask *, const float *, float *) = { mean_colour, palette, mask, edges, keep_outside };
  return losses[task->loss](task, picture, gradient);
}

gboolean
pmt_picture_colours (PmtPictureTask *task, const char *text, const char *where, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, ";", -1);
  bool good = true;
  task->n_colours = 0;
  for (int i = 0; parts[i] && good; i++) {
    const char *part = g_strstrip (parts[i]), *hex = part + (part[0] == '#');
    if (!*part)
      continue;
    good = strlen (hex) == 6 && strspn (hex, "0123456789abcdefABCDEF") == 6 && task->n_colours < (int) G_N_ELEMENTS (task->colours);
    const unsigned long rgb = good ? strtoul (hex, NULL, 16) : 0;
    for (int c = 0; c < 3 && good; c++)
      task->colours[task->n_colours][c] = (float) (rgb >> (16 - 8 * c) & 255) / 255.0f;
    task->n_colours += good;
  }
  if (good && task->n_colours > 0)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, \"%s\" is no list of 1 to %d colours; write them as in colours=#cc2020; #f0e0c0."), where, text,
               (int) G_N_ELEMENTS (task->colours));
  return FALSE;
}
