/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between the files of this room. */
#pragma once

#include "engine/job/job.h"

/* Sampler, steps and guidance in force: the job's own, else what the model's folder recommends, else the family's. */
typedef struct PmtJobChoice {
  const PmtSampler *sampler;
  int steps;
  double guidance;
} PmtJobChoice;
gboolean pmt_job_choose (const PmtJob *job, PmtModel *model, PmtJobChoice *choice, GError **error);

/* What one job comes to with its inputs: sizes, and the network's inputs. Clear it, on failure too. */
typedef struct PmtJobPlan {
  PmtJobChoice choice;
  int width, height;      /* of the run */
  PmtRegion region;       /* fill */
  int canvas_width, canvas_height;
  PmtBox selection;       /* fill; width 0 = everything */
  gboolean has_image, has_mask;
  float *image, *mask;    /* run-sized, [height, width, 3] and [height, width]; NULL when planned without pixels */
  float *original;        /* fill: flattened picture, context-sized [.., .., 3] */
  float *denoise, *blend; /* fill: context-sized */
  GPtrArray *notes;       /* owned strings */
} PmtJobPlan;
/* Sizes only; `inputs` may lack pictures that the job will have when it runs (estimates). */
gboolean pmt_job_plan_sizes (const PmtJob *job, PmtModel *model, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error);
/* Then the pixels. */
gboolean pmt_job_plan_pixels (const PmtJob *job, PmtModel *model, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error);
void pmt_job_plan_clear (PmtJobPlan *plan);

/* The request of a planned job; strings and pixels stay the job's and the plan's. */
void pmt_job_request (const PmtJob *job, PmtModel *model, const PmtJobPlan *plan, PmtRequest *request);

/* The recipe that gives this picture again. New reference. */
JsonObject *pmt_job_recipe (const PmtJob *job, PmtModel *model, const PmtJobPlan *plan, guint64 seed);

/* Operations per second that this machine reached in its last run of such a model, in a small file of the user's cache folder; 0 when
 * there was none. A cache folder that cannot be written is no error: estimates then stay unknown. */
double pmt_speed_read (PmtModel *model);
void pmt_speed_write (PmtModel *model, double flops_per_second);
