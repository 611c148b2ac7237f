/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A base model to some noise level and a refiner from there on (Podell et al. 2023; formats.md 7.11): the second stage goes on with the
 * latents that the first leaves. */
#include "engine/sample/runner.h"
#include "engine/sample/stages.h"

static gboolean
check (const PmtRequest *q, GError **error)
{
  const PmtVaeConfig *a = pmt_model_vae_config (q->model), *b = pmt_model_vae_config (q->refiner);
  if (!(q->refiner_start > 0 && q->refiner_start < 1)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The refiner's start is %g and has to be above 0 and below 1."), q->refiner_start);
    return FALSE;
  }
  if (a->latent_channels == b->latent_channels && pmt_vae_factor (a) == pmt_vae_factor (b))
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("The refiner '%s' works on latents of %d channels and the model '%s' makes latents of %d; choose the refiner of that model."),
               pmt_model_path (q->refiner), b->latent_channels, pmt_model_path (q->model), a->latent_channels);
  return FALSE;
}

gboolean
pmt_refiner_split (const PmtRequest *q, PmtRequest *base, PmtRequest *rest, GError **error)
{
  if (!check (q, error))
    return FALSE;
  *base = *rest = *q;
  base->refiner = rest->refiner = NULL;
  base->denoising_end = q->refiner_start;
  base->latent_only = true;
  rest->model = q->refiner;
  rest->denoising_start = q->refiner_start;
  rest->image = rest->mask = rest->noise = NULL;
  rest->fill = rest->edit = false;
  if (pmt_request_replaces (q, "multidiffusion"))
    rest->n_regions = 0; /* their prompts are words of the prompt, for a method that the refiner has not */
  rest->n_controls = rest->n_references = rest->layout.n_boxes = rest->n_weight_edits = rest->n_words = rest->n_methods = 0;
  rest->prediction = NULL;
  static const float some;
  rest->latent = &some; /* takes the place of the base's: dry runs only look whether there is one */
  return TRUE;
}
