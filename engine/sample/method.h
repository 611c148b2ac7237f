/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Methods: what makes a run more than a plain sampling. A method is one file in engine/methods with one `const PmtMethod`, one line in
 * that folder's meson.build and one test. The run loop (run.h) knows tracks and hooks, and no method by name; guidance, img2img and
 * inpainting are methods like all others.
 *
 * A run has one or more tracks, each a latent with its own solver, not necessarily of one size. Before the first evaluation the loop encodes the prompt, calls
 * `text`, makes track 0, calls `plan`, and starts from noise every track that no method has started. Each evaluation it then
 *   1. calls `latent` with PRE on every track,
 *   2. makes one "cond" row per track, then calls `branch`, where methods add, change or drop rows,
 *   3. runs the network on all rows (in one batch or several: a row's bytes don't depend on that),
 *   4. takes the first row of each track as its prediction, then calls `combine` for every track,
 *   5. calls `latent` with STEP (the first method that says it has moved the track ends that; otherwise the solver steps), then POST.
 * At the end, whether all evaluations were done or the user keeps the present estimate, the tracks hold clean latents and `latent` is
 * called with END. All hooks are called in ascending `order`; any may be NULL. A hook that fails returns FALSE with an error and the
 * run ends.
 *
 * In a dry run (pmt_run_cost) hooks are called as always and tensors hold nothing of meaning: allocate and call operations as in a
 * real run, and skip own loops over big tensors when ctx.dry is set. Latents are small; looping over them is harmless. */
#pragma once

#include "engine/base/param.h"
#include "engine/nets/taps.h"
#include "engine/sample/sampler.h"
#include "engine/tensor/context.h"

typedef struct PmtRun PmtRun;
struct PmtUnetInput;
struct PmtRequest;

/* A prompt as the network takes it. */
typedef struct PmtConditioning {
  PmtTensor context; /* [1, S, C] */
  PmtTensor pooled;  /* [1, P] where the UNet takes a pooled text (SDXL), else PMT_NO_TENSOR */
} PmtConditioning;

typedef struct PmtTrack {
  PmtTensor latent;      /* [1, h, w, c], in the run's memory; methods may write into it */
  bool passive;          /* no rows, no steps: methods fill `latent` and `denoised` (a canvas that other tracks are windows of) */
  bool started;          /* `latent` holds the start; otherwise the loop starts from noise after `plan` */
  PmtTensor noise;       /* [1, h, w, c] the unit noise it started from (pmt_run_initial_noise), PMT_NO_TENSOR before */
  PmtSolver *solver;
  PmtRng rng;            /* this track's generator, in the order formats.md 6.4 says */
  PmtTensor context;     /* [1, S, C] of its "cond" row; the run's at first */
  PmtTensor negative;    /* [1, S, C] of its "uncond" row; the run's at first, PMT_NO_TENSOR without guidance */
  PmtTensor pooled, negative_pooled; /* [1, P] that belong to these two; PMT_NO_TENSOR where the UNet takes none */
  PmtTensor prediction;  /* [1, h, w, c] model output, in the run's memory; valid in combine, STEP and POST */
  PmtTensor denoised;    /* [1, h, w, c] the clean latent that `prediction` implies; valid in STEP and POST */
} PmtTrack;

#define PMT_ROW_COND "cond"
#define PMT_ROW_UNCOND "uncond"

/* One row of the next network call. The strings are static. */
typedef struct PmtRow {
  int track;
  const char *role;     /* PMT_ROW_COND, PMT_ROW_UNCOND, or a method's own word */
  PmtTensor latent;     /* [1, h, w, c] as the network sees it (scaled by the sampler); h, w may be a view's */
  PmtTensor extra;      /* [1, h, w, k] further input channels, or PMT_NO_TENSOR */
  PmtTensor context;    /* [1, S, C] */
  PmtTensor pooled;     /* [1, P] pooled text and */
  PmtTensor time_ids;   /* [1, n] numbers about the picture, where the UNet takes them (SDXL), else PMT_NO_TENSOR */
  double guidance;      /* told to UNets that were distilled with it (time_cond_proj_dim); others don't see it */
  double timestep;
  int weight_set;       /* run->weight_set at first; 0 = the model as it is, others from pmt_run_weight_set (weight_set.h) */
  PmtTensor prediction; /* [1, h, w, c], filled by the loop */
} PmtRow;

typedef struct PmtRows { /* grows by pmt_rows_add */
  PmtRow *row;
  int n, capacity;
} PmtRows;
PmtRow *pmt_rows_add (PmtRows *rows); /* zeroed; valid until the next add */
/* A copy of row `i` with another role; valid until the next add. */
PmtRow *pmt_rows_add_like (PmtRows *rows, int i, const char *role);
PmtRow *pmt_rows_find (PmtRows *rows, int track, const char *role); /* NULL if none */
void pmt_rows_clear (PmtRows *rows); /* frees the array; tensors are not owned */

typedef struct PmtStep {
  int i, n;         /* evaluation i of n; methods count from the run's first one */
  int grid_i;       /* place in the sampler's grid (img2img starts later) */
  double timestep, sigma;
  PmtRows rows;
  /* In call, attn and resid: row k of the present network call is rows.row[call_row[k]]. */
  const int *call_row;
  int n_call_rows;
  /* In call: those rows as the UNet is about to be given them, batched, and their latents without the further channels. */
  struct PmtUnetInput *input; /* methods may make it a short evaluation (unet.h) */
  PmtTensor call_latent;
} PmtStep;

typedef enum { PMT_LATENT_PRE, PMT_LATENT_STEP, PMT_LATENT_POST, PMT_LATENT_END } PmtLatentStage;

typedef struct PmtMethod {
  const char *id;      /* plain name, as on the command line */
  const char *label;   /* N_() */
  const char *summary; /* N_(one sentence: what a user gets) */
  const PmtParam *params;       /* table ending with id == NULL, or NULL */
  int order;                    /* hooks run in ascending order; equal ones as the build lists them */
  const char *const *conflicts; /* ids that cannot share a run; NULL-terminated, or NULL */
  const char *const *replaces;  /* ids of methods that the request implies and that this one, asked for, does the work of; or NULL */
  bool internal;                /* used by tasks, not offered in lists */
  bool whole_batch;             /* its taps need all rows of an evaluation in one network call */
  double advised_guidance;      /* where a job leaves it open and the model's is higher; 0 = the model's */

  /* True when the request itself asks for this method, without naming it (guidance > 1, an image, a mask …). */
  bool (*implied) (const PmtRun *run);

  /* State of one run. `values` belong to the table above and outlive the state. NULL without error: stateless. */
  void *(*state_new) (PmtRun *run, const PmtParamValues *values, GError **error);
  void (*state_free) (void *state);

  gboolean (*text) (void *state, PmtRun *run, GError **error);
  gboolean (*plan) (void *state, PmtRun *run, GError **error);
  gboolean (*branch) (void *state, PmtRun *run, PmtStep *step, GError **error);
  /* Before each call of the UNet, within an evaluation or nested: step->call_row says which rows it takes. For networks that run beside
   * it on the same rows (ControlNet). What is made here in the step arena lives until the call is done. */
  gboolean (*call) (void *state, PmtRun *run, PmtStep *step, GError **error);
  unsigned (*attn_wants) (void *state, const PmtAttnSite *site);
  void (*attn) (void *state, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *call);
  bool (*resid_wants) (void *state, const PmtResidSite *site);
  void (*resid) (void *state, PmtRun *run, PmtStep *step, const PmtResidSite *site, PmtTensor *x);
  gboolean (*combine) (void *state, PmtRun *run, PmtStep *step, int track, GError **error);
  gboolean (*latent) (void *state, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error);
  /* A method that is several runs, each of which paints a part of the picture that the ones before left, and no hooks of any run (of several
   * such methods the first is asked). Their number; -1 + error. */
  int (*passes) (const struct PmtRequest *whole, const PmtParamValues *values, GError **error);
  /* Of pass i the prompt (newly allocated) and, where `area` [height, width] is not NULL, 1 where it paints and 0 elsewhere. Without it no
   * pixels are read, and where they decide about the order the prompt may be another pass's. */
  void (*pass) (const struct PmtRequest *whole, const PmtParamValues *values, int i, char **prompt, float *area);
  /* The picture of the final latent [1, h, w, c] -> [1, H, W, 3] around [-1, 1], in place of the autoencoder's; errors go into run->ctx. Of
   * several methods that have one the first is asked. */
  PmtTensor (*decode) (void *state, PmtRun *run, PmtTensor latent);
  /* The words of the picture that comes out, newly allocated, where the prompt describes another one; NULL: the prompt does. A refiner and
   * the stage at full size, which run without the method, are told these. */
  char *(*shown) (const struct PmtRequest *whole, const PmtParamValues *values);
} PmtMethod;

/* From the build's list in engine/methods/meson.build, NULL-terminated. */
extern const PmtMethod *const pmt_methods[];
/* Internal ones too. Unknown: PMT_ERROR_INPUT, the sentence lists those that are offered. */
const PmtMethod *pmt_method_find (const char *id, GError **error);
