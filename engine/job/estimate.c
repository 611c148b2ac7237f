/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/base/threads.h"
#include "engine/job/private.h"

/* What OpenBLAS, OpenMP and the C library take at the first use of theirs. */
#define LIBRARIES_BYTES ((size_t) 7 << 19)

/* What the process takes before it has a model: told by the first cache. */
static size_t process_bytes;

void
pmt_job_note_process (void)
{
  static gsize once;

  if (g_once_init_enter (&once)) {
    process_bytes = pmt_memory_resident () + LIBRARIES_BYTES;
    g_once_init_leave (&once, 1);
  }
}

size_t
pmt_job_process_bytes (void)
{
  return process_bytes;
}

/* Pictures that are there while the network's activations are: the result's three channels, and what the job was given. */
static size_t
pictures_bytes (const PmtJob *job, const PmtJobPlan *plan)
{
  const size_t run = (size_t) plan->width * (size_t) plan->height * sizeof (float);
  const size_t context = (size_t) plan->region.context.width * (size_t) plan->region.context.height * sizeof (float);

  if (job->task == PMT_TASK_GENERATE)
    return run * 3 + pmt_job_full_bytes (plan);
  return pmt_job_full_bytes (plan) + run * 7 + context * 10; /* scaled picture and mask; both as they came, flattened picture, two masks */
}

/* Methods that stand in for img2img need a picture where they are asked for, or can begin with one, which is the most that they take. */
static bool
begins_with_picture (const PmtJob *job)
{
  for (int i = 0; i < job->n_methods; i++) {
    const char *const *ids = job->methods[i].method->replaces;
    for (int k = 0; ids && ids[k]; k++)
      if (strcmp (ids[k], "img2img") == 0)
        return true;
  }
  return false;
}

gboolean
pmt_job_estimate (const PmtJob *job, PmtModelCache *cache, PmtPreview preview, PmtJobEstimate *estimate, GError **error)
{
  /* pixels are not read in a dry run; these only say that there will be some */
  float dot[3] = { 0, 0, 0 };
  PmtModel *model, *refiner;
  PmtJobPlan plan;
  PmtRequest request;
  gboolean good;

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
    request.preview = preview;
    request.refiner_start = refiner ? job->refiner_start : 0;
    if (job->task != PMT_TASK_GENERATE || begins_with_picture (job))
      request.image = dot;
    if (job->task == PMT_TASK_FILL) {
      request.mask = dot;
      request.fill = true;
    }
    good = pmt_run_cost (&request, &estimate->cost, error);
  }
  if (good) {
    estimate->memory_bytes = process_bytes + estimate->cost.memory_bytes + pictures_bytes (job, &plan);
    /* Jobs come one after the other, so what the process holds beyond its start is there for the next one. */
    estimate->available_bytes = pmt_memory_available () + pmt_memory_resident ();
    estimate->fits = estimate->memory_bytes <= estimate->available_bytes;
    if (!estimate->fits) {
      const size_t beside = process_bytes + pictures_bytes (job, &plan);
      request.memory_limit = estimate->available_bytes > beside ? estimate->available_bytes - beside : 1;
      /* how large a fill is at full size is the picture's to say */
      if ((plan.full_width && job->task != PMT_TASK_GENERATE) || !pmt_run_largest (&request, &estimate->largest_width, &estimate->largest_height))
        estimate->largest_width = estimate->largest_height = 0;
    }
    const gboolean whole = job->task == PMT_TASK_GENERATE && plan.full_width;
    estimate->width = whole ? plan.full_width : plan.width;
    estimate->height = whole ? plan.full_height : plan.height;
    estimate->region = plan.region;
    estimate->seconds = pmt_speed_seconds (model, estimate->cost.work);
    if (estimate->seconds >= 0)
      estimate->seconds *= job->variants;
    estimate->cost.flops *= job->variants;
    estimate->cost.evaluations *= job->variants;
  }
  pmt_job_plan_clear (job, &plan);
  pmt_model_unref (model);
  pmt_model_unref (refiner);
  return good;
}
