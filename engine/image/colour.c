/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/colour.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/image/mask.h"

#define MOST_SHIFT 0.1
#define LEAST_WEIGHT 16.0

double
pmt_colour_ring_weight (gint32 squared, double gap, double reach)
{
  const double beyond = sqrt (squared) - gap;

  return squared == 0 || beyond <= 0 || beyond > reach ? 0 : 1 - beyond / (reach + 1);
}

gboolean
pmt_colour_match (float *result, const float *original, const float *denoise, int width, int height, double gap,
                  double reach, PmtColourMatch *match, GError **error)
{
  size_t n = (size_t) width * (size_t) height;
  gint32 *squared = malloc (n * sizeof (gint32));
  double sum[3] = { 0, 0, 0 };

  memset (match, 0, sizeof *match);
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
    for (size_t c = 0; c < 3; c++)
      sum[c] += weight * ((double) original[i * 3 + c] - result[i * 3 + c]);
  }
  free (squared);
  if (match->weight < LEAST_WEIGHT)
    return TRUE;
  for (int c = 0; c < 3; c++)
    match->shift[c] = (float) CLAMP (sum[c] / match->weight, -MOST_SHIFT, MOST_SHIFT);
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < 3; c++)
      result[i * 3 + c] = CLAMP (result[i * 3 + c] + match->shift[c], 0, 1);
  return TRUE;
}
