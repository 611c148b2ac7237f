/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "engine/image/resize.h"
#include "engine/job/private.h"

void
pmt_job_note (PmtJobPlan *plan, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_ptr_array_add (plan->notes, g_strdup_vprintf (format, args));
  va_end (args);
}

/* The run's sides from those that were asked for, in multiples of what the networks take. */
static gboolean
round_size (PmtJobPlan *plan, PmtModel *model, int width, int height, GError **error)
{
  int multiple = pmt_model_size_multiple (model);

  plan->width = MAX ((width + multiple / 2) / multiple, 1) * multiple;
  plan->height = MAX ((height + multiple / 2) / multiple, 1) * multiple;
  if (plan->width > PMT_PICTURE_MAX_SIDE || plan->height > PMT_PICTURE_MAX_SIDE) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The size %d×%d is too large; sides can be at most %d pixels."), width, height,
                 PMT_PICTURE_MAX_SIDE);
    return FALSE;
  }
  if (plan->width != width || plan->height != height)
    pmt_job_note (plan, _("The size %d×%d was rounded to %d×%d, since the model's sides are multiples of %d pixels."), width, height,
          plan->width, plan->height, multiple);
  return TRUE;
}

static gboolean
check_inputs (const PmtJobInputs *inputs, GError **error)
{
  const PmtPicture *image = inputs->image, *mask = inputs->mask;

  g_assert ((!image || image->channels == 4) && (!mask || mask->channels == 1));
  if (!mask)
    return TRUE;
  if (!image) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _("There is a mask but no image that it belongs to; give the image too."));
    return FALSE;
  }
  if (image->width != mask->width || image->height != mask->height) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The mask is %d×%d pixels and the image is %d×%d; make them the same size."),
                 mask->width, mask->height, image->width, image->height);
    return FALSE;
  }
  return TRUE;
}

static gboolean
plan_generate (const PmtJob *job, PmtModel *model, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error)
{
  int native = pmt_model_native_size (model), width = job->width, height = job->height;

  if (!width) {
    width = inputs->image ? inputs->image->width : native;
    height = inputs->image ? inputs->image->height : native;
  }
  if (!round_size (plan, model, width, height, error))
    return FALSE;
  plan->canvas_width = plan->width;
  plan->canvas_height = plan->height;
  return TRUE;
}

/* The pictures of a fill cover the canvas, or its context. */
bool
pmt_job_covers_context (const PmtJob *job, const PmtPicture *image)
{
  const PmtBox *context = &job->region.context;

  return context->width > 0 && image->width == context->width && image->height == context->height;
}

/* Bounds of what the mask selects, in canvas pixels; checked against the recipe's. */
static gboolean
find_selection (const PmtJob *job, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error)
{
  const PmtBox *told = &job->region.selection;
  PmtBox found;

  plan->selection = job->has_selection ? *told : (PmtBox) { 0 };
  if (!inputs->mask) {
    if (inputs->image && job->has_selection && told->width > 0) {
      g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _("The job has a selection but no mask; give the mask too."));
      return FALSE;
    }
    if (inputs->image && job->task == PMT_TASK_FILL)
      pmt_job_note (plan, _("There is no mask, so the whole picture is filled."));
    return TRUE;
  }
  found = pmt_mask_bounds (inputs->mask->data, inputs->mask->width, inputs->mask->height);
  if (!found.width) {
    if (!job->has_selection || told->width > 0)
      pmt_job_note (plan, "%s", job->task == PMT_TASK_EDIT ? _("The mask is empty, so the whole picture is edited.")
                                                           : _("The mask is empty, so the whole picture is filled."));
    plan->selection = found;
    return TRUE;
  }
  if (pmt_job_covers_context (job, inputs->image)) {
    found.x += job->region.context.x;
    found.y += job->region.context.y;
  }
  if (!job->has_selection) {
    plan->selection = found;
    return TRUE;
  }
  if (told->width > 0 && (found.x < told->x || found.y < told->y || found.x + found.width > told->x + told->width ||
                          found.y + found.height > told->y + told->height)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The mask reaches over [%d, %d, %d, %d], beyond the job's selection [%d, %d, %d, %d]; give the mask's bounds."),
                 found.x, found.y, found.width, found.height, told->x, told->y, told->width, told->height);
    return FALSE;
  }
  return TRUE;
}

static gboolean
plan_fill (const PmtJob *job, PmtModel *model, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error)
{
  PmtRegionRequest request = job->region;
  int multiple = pmt_model_size_multiple (model), native = pmt_model_native_size (model);

  if (!request.canvas_width && inputs->image) {
    request.canvas_width = inputs->image->width;
    request.canvas_height = inputs->image->height;
  }
  if (!request.canvas_width) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT,
                         _("The job has neither an image nor a field \"region.canvas\"; one of them says what is to be painted on."));
    return FALSE;
  }
  if (inputs->image && !pmt_job_covers_context (job, inputs->image) &&
      (inputs->image->width != request.canvas_width || inputs->image->height != request.canvas_height)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The image is %d×%d pixels, which is neither the canvas (%d×%d) nor the context (%d×%d) of the job's region."),
                 inputs->image->width, inputs->image->height, request.canvas_width, request.canvas_height, request.context.width,
                 request.context.height);
    return FALSE;
  }
  if (!find_selection (job, inputs, plan, error))
    return FALSE;
  request.selection = plan->selection;
  plan->canvas_width = request.canvas_width;
  plan->canvas_height = request.canvas_height;
  if (!pmt_region_plan (&request, job->strength, native, &plan->region, error))
    return FALSE;
  if (job->width)
    return round_size (plan, model, job->width, job->height, error);
  pmt_region_run_size (&plan->region.context, native, multiple, &plan->width, &plan->height);
  return TRUE;
}

gboolean
pmt_job_plan_sizes (const PmtJob *job, PmtModel *model, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error)
{
  static const PmtJobInputs none;

  memset (plan, 0, sizeof *plan);
  plan->notes = g_ptr_array_new_with_free_func (g_free);
  if (!inputs)
    inputs = &none;
  plan->has_image = inputs->image != NULL;
  plan->has_mask = inputs->mask != NULL;
  if (!check_inputs (inputs, error) || !pmt_job_choose (job, model, &plan->choice, error))
    return FALSE;
  if (job->model_hash && pmt_model_hash (model) && strcmp (job->model_hash, pmt_model_hash (model)) != 0)
    pmt_job_note (plan, _("The model '%s' is not the one that the recipe was made with, so the picture will differ."), pmt_model_path (model));
  plan->job = job;
  plan->model = model;
  if (!(job->task == PMT_TASK_GENERATE ? plan_generate (job, model, inputs, plan, error) : plan_fill (job, model, inputs, plan, error)))
    return FALSE;
  pmt_job_full_plan (job, model, plan);
  return TRUE;
}

static float *
resized (PmtFilter filter, const float *pixels, int width, int height, int channels, const PmtJobPlan *plan, GError **error)
{
  float *out = pmt_pixels_new ((size_t) plan->width * (size_t) plan->height * (size_t) channels, error);

  if (out && !pmt_resize (filter, pixels, width, height, channels, out, plan->width, plan->height, error))
    g_clear_pointer (&out, free);
  return out;
}

static gboolean
pixels_generate (const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error)
{
  const PmtPicture *image = inputs->image, *mask = inputs->mask;
  float *rgb;

  if (!image)
    return TRUE;
  rgb = pmt_pixels_new ((size_t) image->width * (size_t) image->height * 3, error);
  if (rgb && pmt_picture_flatten (image, rgb, error))
    plan->image = resized (PMT_FILTER_AUTO, rgb, image->width, image->height, 3, plan, error);
  free (rgb);
  if (plan->image && mask)
    plan->mask = resized (PMT_FILTER_LINEAR, mask->data, mask->width, mask->height, 1, plan, error);
  return plan->image && (!mask || plan->mask);
}

static gboolean
pixels_fill (const PmtJob *job, PmtModel *model, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error)
{
  const PmtBox *context = &plan->region.context;
  size_t n = (size_t) context->width * (size_t) context->height;
  PmtBox part = *context;
  PmtPicture image = { 0 }, mask = { 0 };
  gboolean good;

  if (!inputs->image) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, job->task == PMT_TASK_EDIT ? _("There is no image to edit; give one.") : _("There is no image to fill; give one."));
    return FALSE;
  }
  if (pmt_job_covers_context (job, inputs->image))
    part.x = part.y = 0;
  good = pmt_picture_crop (inputs->image, &part, &image, error) &&
         (!inputs->mask || pmt_picture_crop (inputs->mask, &part, &mask, error)) &&
         (plan->original = pmt_pixels_new (n * 3, error)) && (plan->denoise = pmt_pixels_new (n, error)) &&
         (plan->blend = pmt_pixels_new (n, error)) && pmt_picture_flatten (&image, plan->original, error) &&
         pmt_region_masks (&plan->region, mask.data, plan->denoise, plan->blend, error);
  pmt_picture_clear (&image);
  pmt_picture_clear (&mask);
  if (good)
    plan->image = resized (PMT_FILTER_AUTO, plan->original, context->width, context->height, 3, plan, error);
  /* a mask must not ring: the triangle filter has no negative lobes */
  if (good && plan->image)
    plan->mask = resized (PMT_FILTER_LINEAR, plan->denoise, context->width, context->height, 1, plan, error);
  if (good && plan->image && plan->mask && job->prefill)
    good = pmt_prefill_apply (job->prefill, plan->image, plan->mask, plan->width, plan->height, pmt_model_native_size (model), error);
  return good && plan->image && plan->mask;
}

gboolean
pmt_job_plan_pixels (const PmtJob *job, PmtModel *model, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error)
{
  gboolean good = job->task == PMT_TASK_GENERATE ? pixels_generate (inputs, plan, error) : pixels_fill (job, model, inputs, plan, error);

  return good && pmt_job_full_pixels (inputs, plan, error) && pmt_job_extras_plan (job, inputs, plan, error);
}

void
pmt_job_plan_clear (const PmtJob *job, PmtJobPlan *plan)
{
  free (plan->image);
  free (plan->mask);
  free (plan->original);
  free (plan->denoise);
  free (plan->blend);
  free (plan->full_image);
  free (plan->full_mask);
  pmt_job_extras_unplan (job, plan);
  g_clear_pointer (&plan->notes, g_ptr_array_unref);
  memset (plan, 0, sizeof *plan);
}

/* A method that blends by itself takes the model's plain network, not the one for filling. */
static bool
blends (const PmtJob *job)
{
  for (int i = 0; i < job->n_methods; i++) {
    const char *const *ids = job->methods[i].method->replaces;
    if (ids && g_strv_contains (ids, "latent-blend"))
      return true;
  }
  return false;
}

void
pmt_job_request (const PmtJob *job, PmtModel *model, const PmtJobPlan *plan, PmtRequest *request)
{
  *request = (PmtRequest) {
    .model = model,
    .fill = job->task != PMT_TASK_EDIT && plan->mask && !blends (job),
    .prompt = job->prompt,
    .negative = job->negative,
    .width = plan->width,
    .height = plan->height,
    .steps = plan->choice.steps,
    .stop_after = job->stop_after,
    .guidance = plan->choice.guidance,
    .strength = job->strength,
    .eta = job->eta,
    .sampler = plan->choice.sampler,
    .image = plan->image,
    .mask = job->task == PMT_TASK_EDIT ? NULL : plan->mask, /* an edit is made of all that is seen, and then laid in */
    .prefilled = job->prefill != NULL,
    .edit = job->task == PMT_TASK_EDIT,
    .image_guidance = job->image_guidance,
    .vae_tiling = job->tiling,
    .taesd = job->taesd[0] ? job->taesd : NULL,
    .prompt_syntax = job->syntax,
    .long_prompts = job->long_prompts,
    .prediction = job->has_prediction ? &job->prediction : NULL,
    .methods = job->methods,
    .n_methods = job->n_methods,
  };
  pmt_job_full_request (job, plan, request);
  pmt_job_extras_request (job, plan, request);
}
