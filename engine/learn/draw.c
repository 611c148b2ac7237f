/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "engine/image/picture.h"
#include "engine/learn/private.h"

/* Standard normal values as torch draws them for [1, c, h, w], in our order. */
static float *
normal (const PmtLearner *l, PmtRng *rng, GError **error)
{
  const size_t n = (size_t) l->latent_width * (size_t) l->latent_height * (size_t) l->latent_channels;
  float *drawn = pmt_pixels_new (n, error), *out = drawn ? pmt_pixels_new (n, error) : NULL;
  if (out) {
    pmt_rng_normal (rng, n, drawn);
    pmt_nchw_to_nhwc (drawn, out, 1, l->latent_channels, l->latent_height, l->latent_width);
  }
  free (drawn);
  return out;
}

gboolean
pmt_learn_draw (const PmtLearner *l, PmtRng *rng, const PmtLesson *lessons, int n, PmtLearnDraw *draw, GError **error)
{
  memset (draw, 0, sizeof *draw);
  draw->lesson = &lessons[pmt_rng_u32 (rng) % (uint32_t) n];
  draw->choice = pmt_rng_u32 (rng);
  draw->mirrored = pmt_rng_u32 (rng) % 2 == 1 && draw->lesson->mirrored;
  draw->timestep = (int) (pmt_rng_u32 (rng) % (uint32_t) l->schedule->config.train_steps);
  if (draw->lesson->moments && !(draw->posterior = normal (l, rng, error)))
    return FALSE;
  draw->noise = normal (l, rng, error);
  return draw->noise != NULL;
}

void
pmt_learn_draw_clear (PmtLearnDraw *draw)
{
  g_clear_pointer (&draw->posterior, free);
  g_clear_pointer (&draw->noise, free);
}
