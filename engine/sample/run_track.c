/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "engine/sample/runner.h"

PmtTensor
pmt_run_new_tensor (PmtRun *run, PmtShape shape, GError **error)
{
  float *data = pmt_arena_alloc (run->memory, (size_t) pmt_shape_size (&shape) * sizeof (float), error);
  return data ? (PmtTensor) { data, shape, 0, NULL } : PMT_NO_TENSOR;
}

PmtTensor
pmt_run_keep (PmtRun *run, PmtTensor t, GError **error)
{
  PmtTensor copy = pmt_run_new_tensor (run, t.shape, error);
  if (copy.data && !run->ctx.dry)
    memcpy (copy.data, t.data, (size_t) pmt_tensor_size (t) * sizeof (float));
  return copy;
}

gboolean
pmt_run_draw_noise (PmtRun *run, int track, PmtTensor out, GError **error)
{
  const size_t n = (size_t) pmt_tensor_size (out);
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  float *flat = pmt_arena_alloc (run->ctx.step, n * sizeof (float), error);
  if (!flat)
    return FALSE;
  if (!run->ctx.dry) {
    pmt_rng_normal (&run->tracks[track]->rng, n, flat);
    pmt_nchw_to_nhwc (flat, out.data, 1, out.shape.dim[3], out.shape.dim[1], out.shape.dim[2]);
  }
  pmt_arena_release (run->ctx.step, mark);
  return TRUE;
}

gboolean
pmt_run_initial_noise (PmtRun *run, int track, PmtTensor *noise, GError **error)
{
  PmtTrack *t = run->tracks[track];
  if (!t->noise.data) {
    const PmtShape shape = t->latent.shape;
    const bool given = run->request->noise && shape.dim[1] == run->latent_height && shape.dim[2] == run->latent_width;
    PmtTensor drawn = pmt_run_new_tensor (run, shape, error);
    if (!drawn.data)
      return FALSE;
    if (!given) {
      if (!pmt_run_draw_noise (run, track, drawn, error))
        return FALSE;
    } else if (!run->ctx.dry) {
      pmt_nchw_to_nhwc (run->request->noise, drawn.data, 1, run->latent_channels, run->latent_height, run->latent_width);
    }
    t->noise = drawn;
  }
  *noise = t->noise;
  return TRUE;
}

gboolean
pmt_run_encode (PmtRun *run, const float *pixels, PmtTensor *moments, GError **error)
{
  PmtRunner *runner = (PmtRunner *) run;
  const PmtRequest *q = run->request;
  if (!pixels)
    pixels = q->image;
  pmt_runner_report (runner, PMT_STAGE_ENCODE, 0, 0, PMT_NO_TENSOR);
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  PmtTensor picture = pmt_tensor_new (&run->ctx, PMT_SHAPE4 (1, q->height, q->width, 3));
  if (picture.data && !run->ctx.dry)
    for (int64_t i = 0; i < pmt_tensor_size (picture); i++)
      picture.data[i] = 2.0f * pixels[i] - 1.0f;
  PmtTensor out = runner->tiled ? pmt_vae_encode_tiled (&run->ctx, run->vae, picture) : pmt_vae_encode (&run->ctx, run->vae, picture);
  gboolean ok = pmt_runner_check (run, error);
  if (ok) {
    *moments = pmt_run_keep (run, out, error);
    ok = moments->data != NULL;
  }
  pmt_arena_release (run->ctx.step, mark);
  pmt_arena_trim (run->ctx.step);
  return ok;
}

gboolean
pmt_run_sample_moments (PmtRun *run, int track, PmtTensor moments, PmtTensor *latent, GError **error)
{
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  const int64_t *d = moments.shape.dim;
  PmtTensor noise = pmt_tensor_new (&run->ctx, PMT_SHAPE4 (d[0], d[1], d[2], run->latent_channels));
  if (!pmt_runner_check (run, error) || !pmt_run_draw_noise (run, track, noise, error))
    return FALSE;
  PmtTensor drawn = pmt_vae_sample (&run->ctx, run->vae, moments, noise, true);
  gboolean ok = pmt_runner_check (run, error);
  if (ok) {
    *latent = pmt_run_keep (run, drawn, error);
    ok = latent->data != NULL;
  }
  pmt_arena_release (run->ctx.step, mark);
  return ok;
}

int
pmt_run_add_track (PmtRun *run, int latent_height, int latent_width, GError **error)
{
  const PmtShape shape = PMT_SHAPE4 (1, latent_height, latent_width, run->latent_channels);
  const PmtRequest *q = run->request;
  PmtTrack *t = g_new0 (PmtTrack, 1);
  run->tracks = g_renew (PmtTrack *, run->tracks, run->n_tracks + 1);
  run->tracks[run->n_tracks++] = t;
  pmt_rng_seed (&t->rng, q->seed);
  t->context = run->context;
  t->negative = run->negative_context;
  t->pooled = run->pooled;
  t->negative_pooled = run->negative_pooled;
  t->latent = pmt_run_new_tensor (run, shape, error);
  if (t->latent.data)
    t->prediction = pmt_run_new_tensor (run, shape, error);
  if (t->prediction.data)
    t->denoised = pmt_run_new_tensor (run, shape, error);
  if (!t->denoised.data)
    return -1;
  t->solver = pmt_solver_new (q->sampler, run->schedule, run->grid, run->first, (size_t) pmt_tensor_size (t->latent),
                              run->latent_channels, q->eta, &t->rng, error);
  return t->solver ? run->n_tracks - 1 : -1;
}

gboolean
pmt_runner_start (PmtRunner *runner, GError **error)
{
  PmtRun *run = &runner->run;
  if (pmt_run_add_track (run, run->latent_height, run->latent_width, error) < 0)
    return FALSE;
  for (int i = 0; i < run->n_methods; i++)
    if (run->methods[i]->plan && !(run->methods[i]->plan (run->states[i], run, error) && pmt_runner_check (run, error)))
      return FALSE;
  for (int k = 0; k < run->n_tracks; k++) {
    PmtTrack *t = run->tracks[k];
    t->solver->first = run->first;
    if (t->started)
      continue;
    PmtTensor noise;
    if (!pmt_run_initial_noise (run, k, &noise, error))
      return FALSE;
    for (int64_t i = 0; i < pmt_tensor_size (noise); i++)
      t->latent.data[i] = (float) (noise.data[i] * run->grid->init_sigma);
    t->started = true;
  }
  return TRUE;
}
