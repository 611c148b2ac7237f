/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A job is a recipe (include/pentimento/protocol.h) with its input pictures. The command line and the server both build one and run
 * it here; nothing else knows both JSON and networks. */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/image/region.h"
#include "engine/sample/run.h"

/* A picture in memory: rows of `channels` f32, no padding. */
typedef struct PmtPicture {
  int width, height, channels; /* 4: RGBA, sRGB-encoded, straight alpha, 0..1; 1: mask */
  float *data;                 /* owned; pmt_picture_new / clear (not g_malloc: pictures are large) */
} PmtPicture;
gboolean pmt_picture_init (PmtPicture *picture, int width, int height, int channels, GError **error);
void pmt_picture_clear (PmtPicture *picture);

typedef enum { PMT_TASK_GENERATE, PMT_TASK_FILL } PmtTask;

typedef struct PmtJob {
  PmtTask task;
  char *model; /* path; "" = bundled */
  char *prompt, *negative;
  gint64 seed; /* -1 = choose one at run */
  int variants;
  const PmtSampler *sampler;
  int steps;
  double guidance, strength, eta;
  int width, height; /* of the run; 0 = native (generate) or from the region (fill) */
  PmtRegionRequest region; /* fill */
  PmtMethodUse *methods;
  int n_methods;
  int threads; /* 0 = all */
} PmtJob;

/* Checks every field: unknown task, sampler or method, wrong types and ranges are PMT_ERROR_INPUT naming the field. Defaults come
 * from the task's parameter table (pmt_job_params). Missing "pentimento" version is an error. */
PmtJob *pmt_job_parse (JsonObject *recipe, GError **error);
void pmt_job_free (PmtJob *job);
/* The tasks' parameters (prompt, steps, guidance, …) as tables; they feed CLI options, `methods --json` and the plug-in. */
const PmtParam *pmt_job_params (PmtTask task);

/* One model in memory between jobs: give the same cache to every call. */
typedef struct PmtModelCache PmtModelCache;
PmtModelCache *pmt_model_cache_new (void);
void pmt_model_cache_free (PmtModelCache *cache);
PmtModel *pmt_model_cache_get (PmtModelCache *cache, const char *path, GError **error); /* new reference */

typedef struct PmtJobResult {
  int variant, variants;
  guint64 seed;
  PmtPicture picture; /* RGBA, size of box */
  PmtPicture blend;   /* fill: 1 channel, size of box; otherwise empty */
  PmtBox box;         /* in canvas pixels; generate: [0, 0, w, h] */
  JsonObject *recipe; /* complete: running it again gives the same picture */
  GPtrArray *notes;   /* sentences for the user: prompt cut by n tokens, size rounded … */
  float *latent;      /* NCHW, for --dump-latents */
  int latent_shape[3];
} PmtJobResult;

typedef struct PmtJobHooks {
  const PmtCancel *cancel;
  const atomic_bool *keep;
  void (*progress) (void *user, const PmtProgress *progress, int variant, int variants);
  /* Called once per variant; the result is the callee's to read during the call only. FALSE stops the job with *error. */
  gboolean (*result) (void *user, const PmtJobResult *result, GError **error);
  void *user;
} PmtJobHooks;

typedef struct PmtJobInputs {
  const PmtPicture *image; /* NULL if none */
  const PmtPicture *mask;
  const float *noise;      /* initial noise, NCHW; length checked by the caller against noise_values */
  size_t noise_values;
} PmtJobInputs;

typedef struct PmtJobStats {
  double seconds;
  size_t peak_bytes; /* activations and packed weights */
} PmtJobStats;

/* Blocks. A mask of another size than the image, missing inputs, … are PMT_ERROR_INPUT; too little memory is PMT_ERROR_MEMORY with
 * what was needed; nothing is loaded before these checks. */
gboolean pmt_job_run (const PmtJob *job, PmtModelCache *cache, const PmtJobInputs *inputs, const PmtJobHooks *hooks,
                      PmtJobStats *stats, GError **error);

typedef struct PmtJobEstimate {
  PmtCost cost;
  size_t available_bytes;
  double seconds; /* < 0: not known (no measurement yet on this machine) */
  int width, height;
  PmtRegion region; /* fill */
} PmtJobEstimate;
gboolean pmt_job_estimate (const PmtJob *job, PmtModelCache *cache, PmtJobEstimate *estimate, GError **error);
