/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of a run, shared by the files run*.c of this room and nobody else. */
#pragma once

#include "engine/sample/extra.h"
#include "engine/sample/preview.h"
#include "engine/sample/run.h"
#include "engine/sample/weight_set.h"

/* What run_prompt.c keeps: learned words, and the length of prompts. */
typedef struct PmtRunnerPrompts {
  PmtTrigger *triggers; /* their words are owned */
  int n_triggers;
  PmtTensor rows[PMT_MODEL_MAX_TEXTS]; /* [vectors of all words, width] for each text encoder, in the run's memory */
  GPtrArray *expected;  /* owned strings, from pmt_run_expect_text */
  int chunks;
} PmtRunnerPrompts;

/* What a nested prediction with a tape looks at (run_gradient.c). */
typedef struct PmtProbing PmtProbing;

typedef struct PmtRunner {
  PmtRun run; /* first, so that a PmtRun * is a PmtRunner * */
  bool dry;
  int rows_per_call; /* 0 = all */
  bool tiled;        /* the autoencoder works in tiles */
  bool needs_vae;    /* from the dry run; without, its dry twin stands for it */
  size_t memory_limit, step_limit;
  PmtParamValues *values; /* defaults of implied methods; one per active method, unused ones empty */
  GPtrArray *extras;      /* of PmtExtra, owned by the model; each once, in the order asked for */
  void *sets[PMT_WEIGHT_SETS]; /* weight_set.c's, number 1 first; owned by the model */
  int n_sets;
  PmtWeightPool *changed[PMT_N_NETS]; /* where sets are in; NULL = nowhere */
  bool frugal;       /* the UNet's weights go before the picture is decoded (run.c decides) */
  bool sampling;     /* has begun */
  bool late_text;    /* text is encoded after that, so text encoders stay; told by the dry run */
  size_t step_text, step_sample; /* peaks of the step arena before sampling and before decoding */
  PmtRunnerPrompts prompts;
  GPtrArray *notes;             /* of char *, for the result; NULL = none yet */
  PmtMap *maps;                 /* for the result */
  int n_maps;
  int prompt_tokens_cut;
  int steps_done;
  bool stopped; /* before the last one */
  int evaluations;
  PmtProbing *probing;          /* NULL outside pmt_run_gradient */

  PmtProgress progress;
  PmtPreviewMap preview_map;
  uint8_t *preview;
  double flops; /* of the whole run, from the dry one; 0 in a dry run */
  double work[PMT_WORKS], work_seconds[PMT_WORKS], counted; /* counted: the context's operations that are in `work` */
  double counted_at; /* seconds, when they were */
  bool looking;      /* at an unfinished picture, with the autoencoder */
  gint64 begun, told; /* monotonic microseconds: first work, last report */
} PmtRunner;

/* run_plan.c: checks the request, chooses and orders the methods, makes schedule, grid, arenas and context. */
gboolean pmt_runner_open (PmtRunner *runner, GError **error);
void pmt_runner_close (PmtRunner *runner);
/* Whether a method that is asked for does the work of `id`, which the request would imply. */
bool pmt_request_replaces (const PmtRequest *q, const char *id);
/* The words of the picture that comes out, where the methods that are asked for make another one than the prompt describes (newly
 * allocated); NULL: the prompt's. */
char *pmt_request_shown (const PmtRequest *q);
gboolean pmt_runner_load (PmtRunner *runner, GError **error); /* networks, or their dry twins */

/* run.c: a run of one stage, whatever the request says about a refiner and a full size. */
gboolean pmt_run_one (const PmtRequest *request, PmtResult *result, GError **error);
gboolean pmt_run_cost_one (const PmtRequest *request, PmtCost *cost, GError **error);
/* TRUE, or the sentence that it doesn't. */
gboolean pmt_run_fits_one (const PmtRequest *request, GError **error);

/* run_probe.c: what the loaded UNet predicts, into the run's schedule. */
gboolean pmt_runner_prediction (PmtRunner *runner, GError **error);

/* run_prompt.c: learned words, and how long prompts are. */
gboolean pmt_runner_open_prompts (PmtRunner *runner, GError **error);
void pmt_runner_close_prompts (PmtRunner *runner);

/* run_text.c: the prompt, then the methods' text hooks. */
gboolean pmt_runner_text (PmtRunner *runner, GError **error);

/* run_track.c: track 0, the methods' plan hooks, initial noise. */
gboolean pmt_runner_start (PmtRunner *runner, GError **error);

/* run_step.c: all evaluations. */
gboolean pmt_runner_sample (PmtRunner *runner, GError **error);

/* run_gradient.c: what it looks at in a network call, after the methods' taps. `probing` may be NULL for the first and third. */
unsigned pmt_probing_attn_wants (const PmtProbing *probing, const PmtStep *step, const PmtAttnSite *site);
void pmt_probing_attn (PmtProbing *probing, const PmtStep *step, PmtAttnStage stage, const PmtAttnCall *call);
bool pmt_probing_resid_wants (const PmtProbing *probing, const PmtStep *step, const PmtResidSite *site);
void pmt_probing_resid (PmtProbing *probing, const PmtStep *step, const PmtResidSite *site, PmtTensor x);
bool pmt_probing_seen (const PmtProbing *probing);

/* run_decode.c */
void pmt_runner_drop_maps (PmtRunner *runner);
/* For a result's pictures, g_free it; NULL + PMT_ERROR_MEMORY. */
float *pmt_result_array (int64_t n, GError **error);
gboolean pmt_runner_decode (PmtRunner *runner, PmtResult *result, GError **error);

/* run_preview.c. What the present estimate looks like, for one report: sets the progress's picture, or leaves it NULL. `latent` is what the
 * sampler takes for clean. Decoding it may fail or be cancelled: FALSE. */
gboolean pmt_runner_preview (PmtRunner *runner, PmtTensor latent, GError **error);
/* In the step arena; by the first method that has a way of its own, else by the model's autoencoder. */
PmtTensor pmt_runner_picture (PmtRunner *runner, PmtTensor latent);

/* run_progress.c. The report that enters a stage, or moves within it. */
void pmt_runner_report (PmtRunner *runner, PmtStage stage, int step, int of, PmtTensor latent);
void pmt_runner_watch (PmtRunner *runner); /* counts work, and reports within long passes, from now on */

/* FALSE and moves the context's error when an operation has failed. */
gboolean pmt_runner_check (PmtRun *run, GError **error);
