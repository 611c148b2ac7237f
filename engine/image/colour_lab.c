/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/colour_lab.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/threads.h"
#include "engine/image/colour.h"
#include "engine/image/mask.h"

#define LEAST_WEIGHT 16.0
#define MOST_GAIN 1.25
#define LEAST_SPREAD 0.5 /* of L, a, b: below that there is no texture to compare */
#define ROWS_PER_TASK 8

static const double most_shift[3] = { 10, 8, 8 };

/* sRGB's primaries (IEC 61966-2-1) to X, Y, Z over those of its white, and back. */
static const double to_xyz[3][3] = { { 0.4124564, 0.3575761, 0.1804375 }, { 0.2126729, 0.7151522, 0.0721750 }, { 0.0193339, 0.1191920, 0.9503041 } };
static const double from_xyz[3][3] = { { 3.2404542, -1.5371385, -0.4985314 }, { -0.9692660, 1.8760108, 0.0415560 }, { 0.0556434, -0.2040259, 1.0572252 } };
static const double white[3] = { 0.95047, 1, 1.08883 };

static double
decode (double v)
{
  return v <= 0.04045 ? v / 12.92 : pow ((v + 0.055) / 1.055, 2.4);
}

static double
encode (double v)
{
  return v <= 0.0031308 ? v * 12.92 : 1.055 * pow (v, 1 / 2.4) - 0.055;
}

void
pmt_lab_from_rgb (const float rgb[3], float lab[3])
{
  double linear[3], f[3];

  for (int c = 0; c < 3; c++)
    linear[c] = decode ((double) rgb[c]);
  for (int c = 0; c < 3; c++) {
    const double t = (to_xyz[c][0] * linear[0] + to_xyz[c][1] * linear[1] + to_xyz[c][2] * linear[2]) / white[c];
    f[c] = t > 216 / 24389.0 ? cbrt (t) : (24389 / 27.0 * t + 16) / 116;
  }
  lab[0] = (float) (116 * f[1] - 16);
  lab[1] = (float) (500 * (f[0] - f[1]));
  lab[2] = (float) (200 * (f[1] - f[2]));
}

void
pmt_lab_to_rgb (const float lab[3], float rgb[3])
{
  const double fy = ((double) lab[0] + 16) / 116;
  const double f[3] = { fy + (double) lab[1] / 500, fy, fy - (double) lab[2] / 200 };
  double xyz[3];

  for (int c = 0; c < 3; c++)
    xyz[c] = white[c] * (f[c] > 6 / 29.0 ? f[c] * f[c] * f[c] : (116 * f[c] - 16) * 27 / 24389.0);
  for (int c = 0; c < 3; c++)
    rgb[c] = (float) encode (from_xyz[c][0] * xyz[0] + from_xyz[c][1] * xyz[1] + from_xyz[c][2] * xyz[2]);
}

typedef struct Statistics {
  double sum[3], square[3];
} Statistics;

static void
count (Statistics *s, const float *rgb, double weight)
{
  float lab[3];

  pmt_lab_from_rgb (rgb, lab);
  for (int c = 0; c < 3; c++) {
    s->sum[c] += weight * (double) lab[c];
    s->square[c] += weight * (double) lab[c] * (double) lab[c];
  }
}

static double
spread (const Statistics *s, int c, double weight)
{
  const double mean = s->sum[c] / weight;

  return sqrt (MAX (s->square[c] / weight - mean * mean, 0));
}

static void
compare (PmtLabMatch *match, const Statistics *is, const Statistics *wanted)
{
  for (int c = 0; c < 3; c++) {
    const double from = spread (is, c, match->weight), to = spread (wanted, c, match->weight);
    const double mean = is->sum[c] / match->weight, shift = wanted->sum[c] / match->weight - mean;
    match->gain[c] = MIN (from, to) < LEAST_SPREAD ? 1 : CLAMP (to / from, 1 / MOST_GAIN, MOST_GAIN);
    /* around the mean: new = gain * (old - mean) + mean + shift */
    match->shift[c] = mean * (1 - match->gain[c]) + CLAMP (shift, -most_shift[c], most_shift[c]);
  }
}

typedef struct Change {
  const PmtLabMatch *match;
  float *rgb;
  int width;
} Change;

static void
change_rows (void *user, size_t begin, size_t end)
{
  const Change *change = user;

  for (size_t i = begin * (size_t) change->width; i < end * (size_t) change->width; i++) {
    float lab[3], *rgb = change->rgb + i * 3;
    pmt_lab_from_rgb (rgb, lab);
    for (int c = 0; c < 3; c++)
      lab[c] = (float) (change->match->gain[c] * (double) lab[c] + change->match->shift[c]);
    pmt_lab_to_rgb (lab, rgb);
    for (int c = 0; c < 3; c++)
      rgb[c] = CLAMP (rgb[c], 0, 1);
  }
}

gboolean
pmt_colour_match_lab (float *result, const float *original, const float *denoise, int width, int height, double gap, double reach,
                      PmtLabMatch *match, GError **error)
{
  const size_t n = (size_t) width * (size_t) height;
  Statistics is = { { 0 }, { 0 } }, wanted = { { 0 }, { 0 } };
  gint32 *squared = malloc (n * sizeof (gint32));

  *match = (PmtLabMatch) { { 1, 1, 1 }, { 0, 0, 0 }, 0 };
  if (!squared) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory to match colours (%zu MB); close other programs."),
                 (n * sizeof (gint32)) >> 20);
    return FALSE;
  }
  if (!pmt_mask_distance (denoise, width, height, 0, squared, error)) {
    free (squared);
    return FALSE;
  }
  /* one thread, in order: the sums are the same whatever the machine */
  for (size_t i = 0; i < n; i++) {
    const double weight = pmt_colour_ring_weight (squared[i], gap, reach);
    if (weight == 0)
      continue;
    match->weight += weight;
    count (&is, result + i * 3, weight);
    count (&wanted, original + i * 3, weight);
  }
  free (squared);
  if (match->weight < LEAST_WEIGHT)
    return TRUE;
  compare (match, &is, &wanted);
  Change change = { match, result, width };
  pmt_parallel_for (NULL, (size_t) height, ROWS_PER_TASK, change_rows, &change);
  return TRUE;
}
