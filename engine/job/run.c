/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "engine/base/threads.h"
#include "engine/image/colour.h"
#include "engine/image/colour_lab.h"
#include "engine/image/membrane.h"
#include "engine/image/resize.h"
#include "engine/job/private.h"

/* One variant on its way. */
typedef struct Variant {
  const PmtJobHooks *hooks;
  int number, of;
} Variant;

static void
on_progress (void *user, const PmtProgress *progress)
{
  Variant *variant = user;
  PmtProgress whole = *progress;

  if (!variant->hooks->progress)
    return;
  /* of the whole job, not of this picture */
  whole.fraction = (variant->number + progress->fraction) / variant->of;
  if (progress->eta >= 0 && progress->fraction > 0 && variant->number + 1 < variant->of) {
    double one = progress->eta / (1 - MIN (progress->fraction, 0.999));
    whole.eta = progress->eta + one * (variant->of - variant->number - 1);
  }
  variant->hooks->progress (variant->hooks->user, &whole, variant->number, variant->of);
}

static gboolean
check_noise (PmtModel *model, const PmtJobInputs *inputs, const PmtJobPlan *plan, GError **error)
{
  const PmtVaeConfig *vae = pmt_model_vae_config (model);
  size_t factor = (size_t) pmt_vae_factor (vae), channels = (size_t) vae->latent_channels;
  size_t height = (size_t) plan->height / factor, width = (size_t) plan->width / factor;

  if (!inputs->noise || inputs->noise_values == channels * height * width)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
               _("The initial noise has %zu values and a picture of %d×%d pixels needs %zu (1×%zu×%zu×%zu); make it that size."),
               inputs->noise_values, plan->width, plan->height, channels * height * width, channels, height, width);
  return FALSE;
}

/* RGB [height, width, 3] -> RGBA picture of `box`, opaque. */
static gboolean
to_picture (const float *rgb, int width, const PmtBox *box, PmtPicture *picture, GError **error)
{
  if (!pmt_picture_init (picture, box->width, box->height, 4, error))
    return FALSE;
  for (int y = 0; y < box->height; y++)
    for (int x = 0; x < box->width; x++) {
      const float *from = rgb + ((size_t) (box->y + y) * (size_t) width + (size_t) (box->x + x)) * 3;
      float *to = picture->data + ((size_t) y * (size_t) box->width + (size_t) x) * 4;
      memcpy (to, from, 3 * sizeof (float));
      to[3] = 1;
    }
  return TRUE;
}

gboolean
pmt_job_match_colours (const PmtJobPlan *plan, float *rgb, GError **error)
{
  const PmtBox *context = &plan->region.context;
  double scale = MAX ((double) context->width / plan->width, (double) context->height / plan->height);
  /* a latent cell that the mask touches may be new as a whole, and its neighbour's pixels see it */
  double gap = pmt_vae_factor (pmt_model_vae_config (plan->model)) * scale, reach = MAX (plan->region.feather, 2 * gap);
  PmtColourMatch match;
  PmtLabMatch lab;

  if (!plan->job->colour_match)
    return TRUE;
  if (plan->job->colour_shift_only)
    return pmt_colour_match (rgb, plan->original, plan->denoise, context->width, context->height, gap, reach, &match, error);
  return pmt_colour_match_lab (rgb, plan->original, plan->denoise, context->width, context->height, gap, reach, &lab, error);
}

/* The run's picture back at the context's size, colours matched, cut to what comes back. */
static gboolean
deliver_fill (const PmtJob *job, const PmtJobPlan *plan, const PmtResult *run, PmtJobResult *result, GError **error)
{
  const PmtBox *context = &plan->region.context, *box = &plan->region.box;
  PmtBox inside = { box->x - context->x, box->y - context->y, box->width, box->height };
  float *rgb = pmt_pixels_new ((size_t) context->width * (size_t) context->height * 3, error);
  PmtPicture whole = { 0 };
  gboolean good;

  if (!rgb)
    return FALSE;
  good = pmt_resize (PMT_FILTER_AUTO, run->image, run->width, run->height, 3, rgb, context->width, context->height, error) &&
         pmt_job_match_colours (plan, rgb, error);
  if (good && job->gradient_seam)
    good = pmt_membrane_blend (rgb, plan->original, plan->blend, context->width, context->height, error);
  good = good && to_picture (rgb, context->width, &inside, &result->picture, error);
  free (rgb);
  if (!good)
    return FALSE;
  whole = (PmtPicture) { context->width, context->height, 1, plan->blend };
  result->box = *box;
  return pmt_picture_crop (&whole, &inside, &result->blend, error);
}

static void
add_notes (const PmtJobPlan *plan, const PmtResult *run, GPtrArray *notes)
{
  const int cut = run->prompt_tokens_cut, negative_cut = run->negative_tokens_cut;

  for (guint i = 0; i < plan->notes->len; i++)
    g_ptr_array_add (notes, g_strdup (g_ptr_array_index (plan->notes, i)));
  for (char **note = run->notes; note && *note; note++)
    g_ptr_array_add (notes, g_strdup (*note));
  if (cut > 0)
    g_ptr_array_add (notes, g_strdup_printf (g_dngettext (GETTEXT_PACKAGE, "The prompt is longer than the model can read, so its last %d token was left out.",
                                                          "The prompt is longer than the model can read, so its last %d tokens were left out.", (gulong) cut),
                                             cut));
  if (negative_cut > 0)
    g_ptr_array_add (notes, g_strdup_printf (g_dngettext (GETTEXT_PACKAGE, "The negative prompt is longer than the model can read, so its last %d token was left out.",
                                                          "The negative prompt is longer than the model can read, so its last %d tokens were left out.", (gulong) negative_cut),
                                             negative_cut));
}

static void
result_clear (PmtJobResult *result)
{
  pmt_picture_clear (&result->picture);
  pmt_picture_clear (&result->blend);
  g_clear_pointer (&result->recipe, json_object_unref);
  g_clear_pointer (&result->notes, g_ptr_array_unref);
}

static gboolean
deliver (const PmtJob *job, PmtModel *model, const PmtJobPlan *plan, const PmtResult *run, guint64 seed, const Variant *variant,
         GError **error)
{
  PmtJobResult result = {
    .variant = variant->number,
    .variants = variant->of,
    .seed = seed,
    .box = { 0, 0, run->width, run->height },
    .latent = run->latent,
    .latent_shape = { run->latent_channels, run->latent_height, run->latent_width },
    .maps = run->maps,
    .n_maps = run->n_maps,
    .map_width = run->width,
    .map_height = run->height,
  };
  gboolean good;

  result.notes = g_ptr_array_new_with_free_func (g_free);
  add_notes (plan, run, result.notes);
  result.recipe = pmt_job_recipe (job, model, plan, seed);
  if (run->stopped_after)
    json_object_set_int_member (result.recipe, "stop-after", run->stopped_after);
  if (job->task != PMT_TASK_GENERATE)
    good = deliver_fill (job, plan, run, &result, error);
  else
    good = to_picture (run->image, run->width, &result.box, &result.picture, error);
  if (good && variant->hooks->result)
    good = variant->hooks->result (variant->hooks->user, &result, error);
  result_clear (&result);
  return good;
}

static gboolean
run_variants (const PmtJob *job, PmtModel *model, const PmtJobPlan *plan, PmtRequest *request, const PmtJobHooks *hooks,
              PmtJobStats *stats, GError **error)
{
  guint64 seed = job->seed >= 0 ? (guint64) job->seed : g_random_int ();

  for (int i = 0; i < job->variants; i++) {
    Variant variant = { hooks, i, job->variants };
    PmtResult run = { 0 };
    gboolean good;

    request->seed = (seed + (guint64) i) & G_MAXUINT32;
    request->once = hooks->once && i + 1 == job->variants;
    request->progress = on_progress;
    request->progress_user = &variant;
    if (!pmt_run (request, &run, error))
      return FALSE;
    stats->peak_bytes = MAX (stats->peak_bytes, run.memory_bytes);
    pmt_speed_learn (model, run.work, run.work_seconds);
    good = deliver (job, model, plan, &run, request->seed, &variant, error);
    pmt_result_clear (&run);
    if (!good)
      return FALSE;
    /* nobody wants the others */
    if (hooks->keep && atomic_load (hooks->keep))
      return TRUE;
  }
  return TRUE;
}

/* What a model predicts tells of some for which size they were made. Where only running it tells, that comes before the sizes are settled, and
 * after all that can be refused without. */
static gboolean
plan_sizes (const PmtJob *job, PmtModel *model, const PmtJobInputs *inputs, const PmtJobHooks *hooks, PmtJobPlan *plan, GError **error)
{
  Variant variant = { hooks, 0, job->variants };
  const PmtRequest request = { .model = model, .cancel = hooks->cancel, .progress = on_progress, .progress_user = &variant };

  if (!pmt_job_plan_sizes (job, model, inputs, plan, error))
    return FALSE;
  if (job->has_prediction || pmt_model_prediction_known (model))
    return TRUE;
  if (!pmt_run_learn_prediction (&request, error))
    return FALSE;
  pmt_model_settle (model);
  pmt_job_plan_clear (job, plan);
  return pmt_job_plan_sizes (job, model, inputs, plan, error);
}

gboolean
pmt_job_run (const PmtJob *job, PmtModelCache *cache, const PmtJobInputs *inputs, const PmtJobHooks *hooks, PmtJobStats *stats,
             GError **error)
{
  static const PmtJobInputs no_inputs;
  static const PmtJobHooks no_hooks;
  gint64 start = g_get_monotonic_time ();
  PmtJobStats unwanted;
  PmtModel *model, *refiner;
  PmtJobPlan plan;
  PmtRequest request;
  gboolean good;

  inputs = inputs ? inputs : &no_inputs;
  hooks = hooks ? hooks : &no_hooks;
  stats = stats ? stats : &unwanted;
  memset (stats, 0, sizeof *stats);
  if (!pmt_job_extras_check (job, inputs, error))
    return FALSE;
  pmt_threads_set (job->threads);
  model = pmt_model_cache_get (cache, job->model, &(PmtModelParts) { job->unet, job->vae }, error);
  if (!model)
    return FALSE;
  if (!pmt_model_cache_get_refiner (cache, job->refiner, &refiner, error)) {
    pmt_model_unref (model);
    return FALSE;
  }
  memset (&plan, 0, sizeof plan);
  pmt_speed_job (TRUE);
  good = pmt_job_set_precision (job, model, refiner, error) && plan_sizes (job, model, inputs, hooks, &plan, error) &&
         check_noise (model, inputs, &plan, error) && pmt_job_plan_pixels (job, model, inputs, &plan, error);
  if (good) {
    pmt_job_request (job, model, &plan, &request);
    request.refiner = refiner;
    request.refiner_start = refiner ? job->refiner_start : 0;
    request.noise = inputs->noise;
    request.cancel = hooks->cancel;
    request.keep = hooks->keep;
    request.preview = hooks->preview;
    good = run_variants (job, model, &plan, &request, hooks, stats, error);
  }
  pmt_speed_job (FALSE);
  stats->seconds = (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC;
  pmt_job_plan_clear (job, &plan);
  pmt_model_unref (model);
  pmt_model_unref (refiner);
  return good;
}
