/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Methods: what makes a run more than a plain sampling. A method is one file in engine/methods with one `const PmtMethod`, one line in
 * that folder's meson.build and one test. The run loop (run.h) knows tracks and hooks, and no method by name; guidance, img2img and
 * inpainting are methods like all others.
 *
 * A run has one or more tracks, each a latent with its own solver. Each evaluation the loop
 *   1. calls `latent` with PRE on every track,
 *   2. asks `branch` of every method for rows to predict, in `order`,
 *   3. runs the network on all rows (in one batch or several: a row's bytes don't depend on that),
 *   4. asks `combine` of every method, in `order`, to make one prediction per track from its rows,
 *   5. calls `latent` with STEP (the first method that returns true has moved the track; otherwise the solver steps), then POST.
 * Any hook may be NULL. Hooks that fail return FALSE with an error and the run ends. */
#pragma once

#include "engine/base/param.h"
#include "engine/nets/taps.h"
#include "engine/sample/sampler.h"

typedef struct PmtRun PmtRun;

typedef struct PmtTrack {
  PmtTensor latent;      /* [1, h, w, c], in the run's memory; methods may write into it */
  PmtSolver *solver;
  PmtRng rng;            /* this track's generator, in the order formats.md 6.4 says */
  PmtTensor prediction;  /* [1, h, w, c] model output after combine, valid in STEP and POST */
} PmtTrack;

#define PMT_ROW_COND "cond"
#define PMT_ROW_UNCOND "uncond"

/* One row of the next network call. The strings are static. */
typedef struct PmtRow {
  int track;
  const char *role;     /* PMT_ROW_COND, PMT_ROW_UNCOND, or a method's own word */
  PmtTensor latent;     /* [1, h, w, c] as the network sees it (scaled by the sampler) */
  PmtTensor extra;      /* [1, h, w, k] further input channels, or PMT_NO_TENSOR */
  PmtTensor context;    /* [1, S, C] */
  double timestep;
  int weight_set;       /* 0 = the model's own weights */
  PmtTensor prediction; /* [1, h, w, c], filled by the loop */
} PmtRow;

typedef struct PmtRows { /* grows by pmt_rows_add */
  PmtRow *row;
  int n, capacity;
} PmtRows;
PmtRow *pmt_rows_add (PmtRows *rows); /* zeroed; valid until the next add */
PmtRow *pmt_rows_find (PmtRows *rows, int track, const char *role); /* NULL if none */

typedef struct PmtStep {
  int i, n;         /* evaluation i of n; methods count from the run's first one */
  int grid_i;       /* place in the sampler's grid (img2img starts later) */
  double timestep, sigma;
  PmtRows rows;
} PmtStep;

typedef enum { PMT_LATENT_PRE, PMT_LATENT_STEP, PMT_LATENT_POST } PmtLatentStage;

typedef struct PmtMethod {
  const char *id;      /* plain name, as on the command line */
  const char *label;   /* N_() */
  const char *summary; /* N_(one sentence: what a user gets) */
  const PmtParam *params;       /* table ending with id == NULL, or NULL */
  int order;                    /* hooks run in ascending order */
  const char *const *conflicts; /* ids that cannot share a run; NULL-terminated, or NULL */
  bool internal;                /* used by tasks, not offered in lists */

  /* State of one run. `values` belong to the table above and outlive the state. */
  void *(*state_new) (PmtRun *run, const PmtParamValues *values, GError **error);
  void (*state_free) (void *state);

  gboolean (*plan) (void *state, PmtRun *run, GError **error);
  gboolean (*text) (void *state, PmtRun *run, GError **error);
  gboolean (*branch) (void *state, PmtRun *run, PmtStep *step, GError **error);
  unsigned (*attn_wants) (void *state, const PmtAttnSite *site);
  void (*attn) (void *state, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *call);
  bool (*resid_wants) (void *state, const PmtResidSite *site);
  void (*resid) (void *state, PmtRun *run, PmtStep *step, const PmtResidSite *site, PmtTensor *x);
  gboolean (*combine) (void *state, PmtRun *run, PmtStep *step, int track, GError **error);
  gboolean (*latent) (void *state, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error);
} PmtMethod;
