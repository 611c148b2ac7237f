/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/start.h"

gboolean
pmt_start_from_image (PmtRun *run, int track, PmtStart start, PmtTensor *clean, GError **error)
{
  const PmtRequest *q = run->request;
  PmtTrack *t = run->tracks[track];
  const bool pure = start.pure_at_full && q->strength >= 1.0;
  run->first = pmt_grid_first (run->grid, q->strength);
  if (run->first >= run->grid->n) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 "A strength of %g leaves none of %d steps to do; raise the strength or the number of steps.", q->strength, q->steps);
    return FALSE;
  }
  *clean = PMT_NO_TENSOR;
  if (!pure || start.need_clean) {
    PmtTensor moments;
    if (!pmt_run_encode (run, NULL, &moments, error) || !pmt_run_sample_moments (run, track, moments, clean, error))
      return FALSE;
  }
  PmtTensor noise;
  if (!pmt_run_initial_noise (run, track, &noise, error))
    return FALSE;
  if (pure) {
    for (int64_t i = 0; i < pmt_tensor_size (noise); i++)
      t->latent.data[i] = (float) (noise.data[i] * run->grid->init_sigma);
  } else {
    q->sampler->add_noise (t->solver, run->first, clean->data, noise.data, t->latent.data);
  }
  t->started = true;
  return TRUE;
}

float *
pmt_start_latent_mask (PmtRun *run, GError **error)
{
  const PmtRequest *q = run->request;
  const int h = run->latent_height, w = run->latent_width;
  PmtTensor mask = pmt_run_new_tensor (run, PMT_SHAPE2 (h, w), error);
  if (!mask.data || run->ctx.dry)
    return mask.data;
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++) {
      const int64_t from_y = (int64_t) y * q->height / h, from_x = (int64_t) x * q->width / w;
      mask.data[y * w + x] = q->mask[from_y * q->width + from_x];
    }
  return mask.data;
}

bool
pmt_start_inpaints_boxes (const PmtRun *run)
{
  return run->unet_channels == 2 * run->latent_channels + 1 && pmt_model_unet_config (run->model, run->fill)->gated;
}
