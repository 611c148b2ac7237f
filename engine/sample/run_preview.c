/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looks at unfinished pictures: nearly free through a linear map, or decoded as the result will be. */
#include "engine/sample/runner.h"

enum { DECODED_SIDE = 512 };

static uint8_t *
room (PmtRunner *runner, int width, int height)
{
  PmtProgress *p = &runner->progress;
  p->preview_width = width;
  p->preview_height = height;
  return runner->preview = g_renew (uint8_t, runner->preview, 3 * (gsize) width * (gsize) height);
}

static void
map_latent (PmtRunner *runner, PmtTensor latent)
{
  const int w = (int) latent.shape.dim[2], h = (int) latent.shape.dim[1];
  int width, height;
  pmt_preview_size (w, h, &width, &height);
  pmt_preview_draw (&runner->preview_map, latent.data, w, h, room (runner, width, height));
  runner->progress.preview = runner->preview;
}

/* Mean of a block of a picture [h, w, 3] in -1..1, as one byte. */
static uint8_t
mean (const float *picture, int w, int h, int x0, int y0, int side, int channel)
{
  float sum = 0;
  int n = 0;
  for (int y = y0; y < MIN (y0 + side, h); y++)
    for (int x = x0; x < MIN (x0 + side, w); x++, n++)
      sum += picture[((size_t) y * (size_t) w + (size_t) x) * 3 + (size_t) channel];
  const float v = 127.5f * (sum / (float) n + 1.0f) + 0.5f;
  return v > 0.0f ? (uint8_t) MIN (v, 255.0f) : 0; /* NaN gives 0 */
}

static void
shrink (PmtRunner *runner, PmtTensor picture)
{
  const int w = (int) picture.shape.dim[2], h = (int) picture.shape.dim[1];
  const int side = (MAX (w, h) + DECODED_SIDE - 1) / DECODED_SIDE;
  const int width = (w + side - 1) / side, height = (h + side - 1) / side;
  uint8_t *out = room (runner, width, height);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      for (int c = 0; c < 3; c++)
        *out++ = mean (picture.data, w, h, x * side, y * side, side, c);
  runner->progress.preview = runner->preview;
}

gboolean
pmt_runner_preview (PmtRunner *runner, PmtTensor latent, GError **error)
{
  PmtRun *run = &runner->run;
  const PmtRequest *q = run->request;
  if (q->preview == PMT_PREVIEW_NONE || (!runner->dry && !q->progress))
    return TRUE;
  /* A run that leaves its latent to another one has no autoencoder at hand. */
  if (q->preview == PMT_PREVIEW_DECODED && !q->latent_only) {
    const PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
    runner->looking = true;
    const PmtTensor picture = pmt_runner_picture (runner, latent);
    runner->looking = false;
    const gboolean ok = pmt_runner_check (run, error);
    if (ok && !runner->dry)
      shrink (runner, picture);
    pmt_arena_release (run->ctx.step, mark);
    return ok;
  }
  if (!runner->dry && runner->preview_map.channels == (int) latent.shape.dim[3])
    map_latent (runner, latent);
  return TRUE;
}
