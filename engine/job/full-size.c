/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs whose picture is larger than what the model paints at once, and that refine it at that size. */
#include <stdlib.h>

#include "engine/image/resize.h"
#include "engine/job/private.h"

/* By how much the area has to be larger: below, scaling alone loses nothing to speak of. */
#define WORTH_IT 1.1

void
pmt_job_full_plan (const PmtJob *job, PmtModel *model, PmtJobPlan *plan)
{
  const gboolean generate = job->task == PMT_TASK_GENERATE;
  PmtBox target = generate ? (PmtBox) { 0, 0, plan->width, plan->height } : plan->region.context;
  int width = plan->width, height = plan->height;

  if (!job->full_size)
    return;
  if (generate)
    pmt_region_run_size (&target, pmt_model_native_size (model), pmt_model_size_multiple (model), &width, &height);
  if ((double) target.width * target.height <= WORTH_IT * width * height)
    return;
  plan->full_width = target.width;
  plan->full_height = target.height;
  plan->width = width;
  plan->height = height;
}

gboolean
pmt_job_full_pixels (const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error)
{
  const PmtPicture *image = inputs->image, *mask = inputs->mask;
  const size_t n = (size_t) plan->full_width * (size_t) plan->full_height;
  gboolean good;
  float *rgb;

  if (!n || plan->job->task != PMT_TASK_GENERATE || !mask)
    return TRUE;
  rgb = pmt_pixels_new ((size_t) image->width * (size_t) image->height * 3, error);
  good = rgb && (plan->full_image = pmt_pixels_new (n * 3, error)) && (plan->full_mask = pmt_pixels_new (n, error)) &&
         pmt_picture_flatten (image, rgb, error) &&
         pmt_resize (PMT_FILTER_AUTO, rgb, image->width, image->height, 3, plan->full_image, plan->full_width, plan->full_height, error) &&
         pmt_resize (PMT_FILTER_LINEAR, mask->data, mask->width, mask->height, 1, plan->full_mask, plan->full_width, plan->full_height, error);
  free (rgb);
  return good;
}

/* The second stage sees new pixels where the mask says so, in colours that fit, amid the picture's own, which are sharp. */
static gboolean
compose (void *user, float *picture, GError **error)
{
  const PmtJobPlan *plan = user;
  const gboolean generate = plan->job->task == PMT_TASK_GENERATE;
  const gsize n = (gsize) plan->full_width * (gsize) plan->full_height;
  const float *original = generate ? plan->full_image : plan->original, *mask = generate ? plan->full_mask : plan->denoise;

  if (!generate && !pmt_job_match_colours (plan, picture, error))
    return FALSE;
  for (gsize i = 0; i < n; i++)
    for (gsize c = 0; c < 3; c++)
      picture[i * 3 + c] = original[i * 3 + c] + mask[i] * (picture[i * 3 + c] - original[i * 3 + c]);
  return TRUE;
}

void
pmt_job_full_request (const PmtJob *job, const PmtJobPlan *plan, PmtRequest *request)
{
  static const float some; /* estimates have no pixels and read none */

  if (!plan->full_width)
    return;
  request->full = (PmtFullSize) { .width = plan->full_width, .height = plan->full_height, .strength = job->full_size_strength };
  if (job->task == PMT_TASK_GENERATE && !plan->full_mask)
    return;
  request->full.mask = plan->full_mask ? plan->full_mask : plan->denoise ? plan->denoise : &some;
  request->full.prepare = compose;
  request->full.user = (void *) plan;
}

void
pmt_job_full_recipe (const PmtJob *job, JsonObject *recipe)
{
  if (!job->full_size)
    return;
  json_object_set_boolean_member (recipe, "full-size", TRUE);
  json_object_set_double_member (recipe, "full-size-strength", job->full_size_strength);
}

size_t
pmt_job_full_bytes (const PmtJobPlan *plan)
{
  /* what is refined, its mask, and the result */
  return (size_t) plan->full_width * (size_t) plan->full_height * sizeof (float) * 7;
}
