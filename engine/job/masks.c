/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "engine/image/resize.h"
#include "engine/job/private.h"

/* As large as it is, or with its longer side `most`. */
static gboolean
shown (const float *mask, const PmtBox *context, int most, PmtPicture *out, GError **error)
{
  const double scale = MIN (1, (double) most / MAX (context->width, context->height));
  const int width = MAX ((int) (context->width * scale + 0.5), 1), height = MAX ((int) (context->height * scale + 0.5), 1);

  return pmt_picture_init (out, width, height, 1, error) &&
         pmt_resize (PMT_FILTER_BOX, mask, context->width, context->height, 1, out->data, width, height, error);
}

static gboolean
check_mask (const PmtJob *job, const PmtPicture *mask, const PmtBox *context, GError **error)
{
  if (!mask)
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _("There is no mask to show; send a blob \"mask\" with the same id first."));
  else if (!(mask->width == context->width && mask->height == context->height) &&
           !(mask->width == job->region.canvas_width && mask->height == job->region.canvas_height))
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The mask is %d×%d pixels, which is neither the canvas (%d×%d) nor the context (%d×%d) of the job's region."),
                 mask->width, mask->height, job->region.canvas_width, job->region.canvas_height, context->width, context->height);
  else
    return TRUE;
  return FALSE;
}

gboolean
pmt_job_masks (const PmtJob *job, PmtModelCache *cache, const PmtPicture *mask, int most, PmtJobMasks *masks, GError **error)
{
  PmtModel *model;
  PmtJobPlan plan;
  PmtPicture part = { 0 };
  float *pixels = NULL;
  gboolean good;

  memset (masks, 0, sizeof *masks);
  if (job->task == PMT_TASK_GENERATE) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _("A picture that is generated has no masks; ask for those of a fill or an edit."));
    return FALSE;
  }
  model = pmt_model_cache_get (cache, job->model, &(PmtModelParts) { job->unet, job->vae }, error);
  if (!model)
    return FALSE;
  good = pmt_job_plan_sizes (job, model, NULL, &plan, error) && check_mask (job, mask, &plan.region.context, error);
  if (good) {
    const PmtBox *context = &plan.region.context;
    const size_t n = (size_t) context->width * (size_t) context->height;
    PmtBox box = *context;
    if (mask->width == context->width && mask->height == context->height)
      box.x = box.y = 0;
    masks->region = plan.region;
    masks->run_width = plan.width;
    masks->run_height = plan.height;
    good = pmt_picture_crop (mask, &box, &part, error) && (pixels = pmt_pixels_new (n * 2, error)) &&
           pmt_region_masks (&plan.region, part.data, pixels, pixels + n, error) && shown (pixels, context, most, &masks->denoise, error) &&
           shown (pixels + n, context, most, &masks->blend, error);
  }
  free (pixels);
  pmt_picture_clear (&part);
  pmt_job_plan_clear (job, &plan);
  pmt_model_unref (model);
  if (!good)
    pmt_job_masks_clear (masks);
  return good;
}

void
pmt_job_masks_clear (PmtJobMasks *masks)
{
  pmt_picture_clear (&masks->denoise);
  pmt_picture_clear (&masks->blend);
}
