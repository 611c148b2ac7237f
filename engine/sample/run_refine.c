/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A base model to some noise level and a refiner from there on (Podell et al. 2023; formats.md 7.11): two runs, the second on the latents
 * that the first leaves. */
#include "engine/sample/runner.h"

typedef struct Halves {
  PmtRequest base, rest;
  double share; /* the base's part of the work */
  bool in_rest;
} Halves;

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

static void
tell (void *user, const PmtProgress *progress)
{
  const Halves *halves = user;
  PmtProgress scaled = *progress;
  const double own = halves->in_rest ? 1.0 - halves->share : halves->share;
  scaled.fraction = (halves->in_rest ? halves->share : 0.0) + own * progress->fraction;
  /* What the other half will take is judged from this one's pace. */
  if (progress->eta >= 0 && !halves->in_rest && progress->fraction < 1 && own > 0)
    scaled.eta = progress->eta / (own * (1.0 - progress->fraction)) * (1.0 - scaled.fraction);
  halves->base.progress (halves->base.progress_user, &scaled);
}

static gboolean
split (const PmtRequest *q, Halves *halves, GError **error)
{
  if (!check (q, error))
    return FALSE;
  *halves = (Halves) { .base = *q, .rest = *q };
  halves->base.refiner = halves->rest.refiner = NULL;
  halves->base.denoising_end = q->refiner_start;
  halves->base.latent_only = true;
  PmtRequest *rest = &halves->rest;
  rest->model = q->refiner;
  rest->denoising_start = q->refiner_start;
  rest->image = rest->mask = rest->noise = NULL;
  rest->fill = rest->edit = false;
  rest->n_controls = rest->n_references = rest->layout.n_boxes = rest->n_weight_edits = rest->n_words = rest->n_methods = 0;
  rest->prediction = NULL;
  static const float some;
  rest->latent = &some; /* takes the place of the base's: dry runs only look whether there is one */
  return TRUE;
}

gboolean
pmt_run_cost (const PmtRequest *request, PmtCost *cost, GError **error)
{
  Halves halves;
  PmtCost base, rest;
  if (!request->refiner)
    return pmt_run_cost_one (request, cost, error);
  if (!split (request, &halves, error) || !pmt_run_cost_one (&halves.base, &base, error) || !pmt_run_cost_one (&halves.rest, &rest, error))
    return FALSE;
  *cost = (PmtCost) { .activation_bytes = MAX (base.activation_bytes, rest.activation_bytes),
                      .weight_bytes = base.weight_bytes + rest.weight_bytes, .flops = base.flops + rest.flops,
                      .evaluations = base.evaluations + rest.evaluations, .vae_tiled = rest.vae_tiled, .fits = base.fits && rest.fits };
  for (int i = 0; i < PMT_WORKS; i++)
    cost->work[i] = base.work[i] + rest.work[i];
  return TRUE;
}

static gboolean
run_rest (Halves *halves, PmtResult *made, PmtResult *result, GError **error)
{
  PmtRequest rest = halves->rest;
  rest.latent = made->latent;
  rest.progress_user = halves;
  rest.progress = rest.progress ? tell : NULL;
  /* an estimate that the base was kept at is the picture */
  if (made->stopped_after > 0)
    rest.stop_after = PMT_STOP_AT_ONCE;
  else if (rest.stop_after > 0)
    rest.stop_after = MAX (rest.stop_after - made->steps_done, 1);
  halves->in_rest = true;
  if (!pmt_run_one (&rest, result, error))
    return FALSE;
  result->steps_done += made->steps_done;
  for (int i = 0; i < PMT_WORKS; i++) {
    result->work[i] += made->work[i];
    result->work_seconds[i] += made->work_seconds[i];
  }
  if (made->stopped_after > 0)
    result->stopped_after = made->stopped_after;
  else if (result->stopped_after > 0)
    result->stopped_after += made->steps_done;
  result->peak_bytes = MAX (result->peak_bytes, made->peak_bytes);
  result->prediction = made->prediction;
  /* The refiner runs without methods, so these are the base's. */
  result->maps = g_steal_pointer (&made->maps);
  result->n_maps = made->n_maps;
  made->n_maps = 0;
  if (!result->notes)
    result->notes = g_steal_pointer (&made->notes);
  return TRUE;
}

gboolean
pmt_run (const PmtRequest *request, PmtResult *result, GError **error)
{
  Halves halves;
  PmtCost whole, first;
  if (!request->refiner)
    return pmt_run_one (request, result, error);
  *result = (PmtResult) { 0 };
  if (!split (request, &halves, error) || !pmt_run_cost (request, &whole, error) || !pmt_run_cost_one (&halves.base, &first, error))
    return FALSE;
  halves.share = first.flops / whole.flops;
  PmtRequest base = halves.base;
  base.progress_user = &halves;
  base.progress = base.progress ? tell : NULL;
  PmtResult made;
  if (!pmt_run_one (&base, &made, error))
    return FALSE;
  gboolean ok = run_rest (&halves, &made, result, error);
  pmt_result_clear (&made);
  return ok;
}
