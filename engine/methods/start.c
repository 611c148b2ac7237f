/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/start.h"

#include <string.h>

/* The picture's latents: as they were given, or encoded and sampled. */
static gboolean
read_clean (PmtRun *run, int track, PmtTensor *clean, GError **error)
{
  const float *given = run->request->latent;
  PmtTensor moments;
  if (!given)
    return pmt_run_encode (run, NULL, &moments, error) && pmt_run_sample_moments (run, track, moments, clean, error);
  *clean = pmt_run_new_tensor (run, run->tracks[track]->latent.shape, error);
  if (clean->data && !run->ctx.dry)
    pmt_nchw_to_nhwc (given, clean->data, 1, run->latent_channels, run->latent_height, run->latent_width);
  return clean->data != NULL;
}

gboolean
pmt_start_from_image (PmtRun *run, int track, PmtStart start, PmtTensor *clean, GError **error)
{
  const PmtRequest *q = run->request;
  PmtTrack *t = run->tracks[track];
  const bool resumed = q->denoising_start > 0, pure = start.pure_at_full && q->strength >= 1.0 && !resumed;
  run->first = resumed ? pmt_run_first_of_part (run, q->denoising_start) : pmt_grid_first (run->grid, q->strength);
  if (run->first >= run->last) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 resumed ? _("A start at %g of the noise levels leaves none of %d steps to do; start sooner or take more steps.")
                         : _("A strength of %g leaves none of %d steps to do; raise the strength or the number of steps."),
                 resumed ? q->denoising_start : q->strength, q->steps);
    return FALSE;
  }
  *clean = PMT_NO_TENSOR;
  if ((!pure || start.need_clean) && !read_clean (run, track, clean, error))
    return FALSE;
  if (resumed && !start.need_clean) {
    memcpy (t->latent.data, clean->data, (size_t) pmt_tensor_size (*clean) * sizeof (float));
    t->started = true;
    return TRUE;
  }
  PmtTensor noise;
  if (!pmt_run_initial_noise (run, track, &noise, error))
    return FALSE;
  if (resumed) {
    memcpy (t->latent.data, clean->data, (size_t) pmt_tensor_size (*clean) * sizeof (float));
  } else if (pure) {
    for (int64_t i = 0; i < pmt_tensor_size (noise); i++)
      t->latent.data[i] = (float) (noise.data[i] * run->grid->init_sigma);
  } else {
    q->sampler->add_noise (t->solver, run->first, clean->data, noise.data, t->latent.data);
  }
  t->started = true;
  return TRUE;
}

gboolean
pmt_start_check_inversion (const PmtRun *run, const char *method, GError **error)
{
  const PmtRequest *q = run->request;
  const char *wrong = NULL;
  if (!q->image && !q->latent)
    wrong = _("changes a picture and there is none; give the picture");
  else if (q->edit || run->unet_channels != run->latent_channels)
    wrong = _("needs a model that makes pictures from text alone, without further channels; choose such a model");
  else if (strcmp (q->sampler->id, "ddim") != 0)
    wrong = _("goes to noise and back with DDIM; choose the sampler ddim");
  else if (q->eta > 0)
    wrong = _("goes to noise and back without fresh noise; set eta to 0");
  else if (q->denoising_start > 0 || (q->denoising_end > 0 && q->denoising_end < 1))
    wrong = _("goes through its own part of the noise levels; leave the start and the end out");
  else
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The method %s %s."), method, wrong);
  return FALSE;
}

gboolean
pmt_start_mean (PmtRun *run, int track, PmtTensor *clean, GError **error)
{
  PmtTensor moments;
  if (run->request->latent)
    return read_clean (run, track, clean, error);
  if (!pmt_run_encode (run, NULL, &moments, error))
    return FALSE;
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  PmtTensor mean = pmt_vae_sample (&run->ctx, run->vae, moments, PMT_NO_TENSOR, true);
  if (pmt_context_take_error (&run->ctx, error))
    return FALSE;
  *clean = pmt_run_keep (run, mean, error);
  pmt_arena_release (run->ctx.step, mark);
  return clean->data != NULL;
}

/* Resampling leaves what was 1 a little below it, and what is a little below it joins a step late. */
#define SOLID 0.999f

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
      const float value = q->mask[from_y * q->width + from_x];
      mask.data[y * w + x] = value > SOLID ? 1 : value;
    }
  return mask.data;
}

bool
pmt_start_inpaints_boxes (const PmtRun *run)
{
  return run->unet_channels == 2 * run->latent_channels + 1 && pmt_model_unet_config (run->model, run->unet_choice)->gated;
}
