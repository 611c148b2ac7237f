/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/base/threads.h"
#include "engine/job/private.h"

gboolean
pmt_job_estimate (const PmtJob *job, PmtModelCache *cache, PmtJobEstimate *estimate, GError **error)
{
  /* pixels are not read in a dry run; these only say that there will be some */
  float dot[3] = { 0, 0, 0 };
  PmtModel *model, *refiner;
  PmtJobPlan plan;
  PmtRequest request;
  gboolean good;
  double speed;

  memset (estimate, 0, sizeof *estimate);
  estimate->seconds = -1;
  pmt_threads_set (job->threads);
  model = pmt_model_cache_get (cache, job->model, &(PmtModelParts) { job->unet, job->vae }, error);
  if (!model)
    return FALSE;
  if (!pmt_model_cache_get_refiner (cache, job->refiner, &refiner, error)) {
    pmt_model_unref (model);
    return FALSE;
  }
  memset (&plan, 0, sizeof plan);
  good = pmt_job_set_precision (job, model, refiner, error) && pmt_job_plan_sizes (job, model, NULL, &plan, error) &&
         pmt_job_extras_plan (job, NULL, &plan, error);
  if (good) {
    pmt_job_request (job, model, &plan, &request);
    request.refiner = refiner;
    request.refiner_start = refiner ? job->refiner_start : 0;
    if (job->task != PMT_TASK_GENERATE)
      request.image = dot;
    if (job->task == PMT_TASK_FILL) {
      request.mask = dot;
      request.fill = true;
    }
    good = pmt_run_cost (&request, &estimate->cost, error);
  }
  if (good) {
    estimate->cost.flops *= job->variants;
    estimate->cost.evaluations *= job->variants;
    estimate->available_bytes = pmt_memory_available ();
    estimate->width = plan.width;
    estimate->height = plan.height;
    estimate->region = plan.region;
    speed = pmt_speed_read (model);
    if (speed > 0)
      estimate->seconds = estimate->cost.flops / speed;
  }
  pmt_job_plan_clear (job, &plan);
  pmt_model_unref (model);
  pmt_model_unref (refiner);
  return good;
}
