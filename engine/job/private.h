/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between the files of this room. */
#pragma once

#include "engine/job/job.h"

/* usual.c. What a model is run with where neither job nor pentimento.json says anything: few steps for models that were distilled for them. */
typedef struct PmtJobUsual {
  const char *sampler;
  int steps;
  double guidance;
} PmtJobUsual;
PmtJobUsual pmt_job_usual (const PmtModel *model);

/* Sampler, steps and guidance in force: the job's own, else what the model's folder recommends, else the usual ones. */
typedef struct PmtJobChoice {
  const PmtSampler *sampler;
  int steps;
  double guidance;
} PmtJobChoice;
gboolean pmt_job_choose (const PmtJob *job, PmtModel *model, PmtJobChoice *choice, GError **error);

/* Sets what the job's models compute in. `refiner` may be NULL. */
gboolean pmt_job_set_precision (const PmtJob *job, PmtModel *model, PmtModel *refiner, GError **error);

/* What one job comes to with its inputs: sizes, and the network's inputs. Clear it, on failure too. */
typedef struct PmtJobPlan {
  PmtJobChoice choice;
  const PmtJob *job;      /* what it is the plan of; borrowed */
  PmtModel *model;
  int width, height;      /* of the run */
  int full_width, full_height; /* refined a second time at this size; 0 = not */
  PmtRegion region;       /* fill */
  int canvas_width, canvas_height;
  PmtBox selection;       /* fill; width 0 = everything */
  gboolean has_image, has_mask;
  float *image, *mask;    /* run-sized, [height, width, 3] and [height, width]; NULL when planned without pixels */
  float *original;        /* fill: flattened picture, context-sized [.., .., 3] */
  float *denoise, *blend; /* fill: context-sized */
  float *full_image, *full_mask; /* generate, with a mask: of the full size */
  PmtControl *controls;   /* of those with a model; their pictures are run-sized and owned */
  PmtReference *references; /* their pictures are owned */
  float *depth;           /* run-sized, [height, width], of the control that is the depth of a depth model; or NULL */
  PmtLayoutBox *boxes;
  PmtRegionPrompt *regions; /* their masks are run-sized and owned */
  char **region_hash;       /* SHA-256 of the masks' pictures, by place in the job; NULL where there was none */
  PmtWeightEdit *loras; /* the job's, then those of the prompt's tags */
  int n_loras;
  GPtrArray *tag_paths; /* owned paths of the latter */
  PmtLearnedWord *words;
  int n_controls, n_references;
  char **control_hash, **reference_hash; /* SHA-256 of the pictures, by place in the job; NULL where there was none */
  GPtrArray *notes;       /* owned strings */
} PmtJobPlan;
/* Sizes only; `inputs` may lack pictures that the job will have when it runs (estimates). */
gboolean pmt_job_plan_sizes (const PmtJob *job, PmtModel *model, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error);
/* Then the pixels. */
gboolean pmt_job_plan_pixels (const PmtJob *job, PmtModel *model, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error);
void pmt_job_plan_clear (const PmtJob *job, PmtJobPlan *plan);

/* A sentence for the user. */
void pmt_job_note (PmtJobPlan *plan, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* True when a fill's picture of that size is its context alone, not the canvas. */
bool pmt_job_covers_context (const PmtJob *job, const PmtPicture *image);

/* run.c. Brings the colours of rgb, context-sized, to those around the fill's mask, where the job wants that. */
gboolean pmt_job_match_colours (const PmtJobPlan *plan, float *rgb, GError **error);

/* full-size.c. Whether there is a second stage at full size, and how large; for a picture that is generated also how large the first is then.
 * After the plan's other sizes. */
void pmt_job_full_plan (const PmtJob *job, PmtModel *model, PmtJobPlan *plan);
gboolean pmt_job_full_pixels (const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error);
void pmt_job_full_request (const PmtJob *job, const PmtJobPlan *plan, PmtRequest *request);
void pmt_job_full_recipe (const PmtJob *job, JsonObject *recipe);
/* Bytes of the pictures that it takes beside the first stage's. */
size_t pmt_job_full_bytes (const PmtJobPlan *plan);

/* plan-extras.c. Checks that every picture that the job names is there. */
gboolean pmt_job_extras_check (const PmtJob *job, const PmtJobInputs *inputs, GError **error);
/* Pictures and lists, after the job's own pixels; `inputs` NULL = no picture is there yet (estimates): blank ones stand for them. */
gboolean pmt_job_extras_plan (const PmtJob *job, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error);
void pmt_job_extras_request (const PmtJob *job, const PmtJobPlan *plan, PmtRequest *request);
void pmt_job_extras_unplan (const PmtJob *job, PmtJobPlan *plan);
/* prompt-tags.c. Adds the LoRAs and hypernetworks that the prompt names. */
gboolean pmt_job_plan_tags (const PmtJob *job, PmtJobPlan *plan, GError **error);
/* extras.c */
void pmt_job_extras_clear (PmtJobExtras *extras);
/* recipe-extras.c. Adds the fields of what the job brings. */
void pmt_job_extras_recipe (const PmtJob *job, const PmtJobPlan *plan, JsonObject *recipe);

/* The request of a planned job; strings and pixels stay the job's and the plan's. */
void pmt_job_request (const PmtJob *job, PmtModel *model, const PmtJobPlan *plan, PmtRequest *request);

/* The recipe that gives this picture again. New reference. */
JsonObject *pmt_job_recipe (const PmtJob *job, PmtModel *model, const PmtJobPlan *plan, guint64 seed);

/* estimate.c. Measures the process while it has no model; the first call counts. */
void pmt_job_note_process (void);
size_t pmt_job_process_bytes (void);

/* speed.c. How long work takes on this machine, by kinds of work: from the last runs of such a model, kept in a small file of the user's
 * cache folder, else from a measurement of about a second, kept there too. A cache folder that cannot be written is no error. */
double pmt_speed_seconds (PmtModel *model, const double work[PMT_WORKS]); /* < 0: not known */
void pmt_speed_job (gboolean begins); /* a job runs until FALSE: nothing that is measured meanwhile is kept */
void pmt_speed_learn (PmtModel *model, const double work[PMT_WORKS], const double seconds[PMT_WORKS]);
