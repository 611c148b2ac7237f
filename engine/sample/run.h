/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One run: prompt and inputs -> picture. The job room turns recipes into requests; this room knows no files and no JSON. */
#pragma once

#include "engine/sample/method.h"
#include "engine/sample/model.h"

typedef enum { PMT_STAGE_LOAD, PMT_STAGE_TEXT, PMT_STAGE_ENCODE, PMT_STAGE_SAMPLE, PMT_STAGE_DECODE } PmtStage;
const char *pmt_stage_name (PmtStage stage); /* "load", "text", "encode", "sample", "decode" */

typedef struct PmtProgress {
  PmtStage stage;
  int step, of;          /* within the stage; of == 0: unknown */
  double fraction;       /* of the whole run, 0..1, never falling */
  double eta;            /* seconds left, < 0 while unknown */
  PmtTensor latent;      /* sample stage: the present clean estimate [1, h, w, c] for previews, else PMT_NO_TENSOR */
} PmtProgress;

typedef struct PmtMethodUse {
  const PmtMethod *method;
  PmtParamValues values; /* owned by the request's maker */
} PmtMethodUse;

typedef struct PmtRequest {
  PmtModel *model;       /* borrowed */
  bool fill;             /* use the model's inpainting UNet when it has one and image and mask are given */
  const char *prompt, *negative; /* NULL = "" */
  int width, height;     /* pixels, multiples of pmt_model_size_multiple */
  int steps;
  double guidance;       /* 1 = no guidance pass */
  double strength;       /* (0, 1]; 1 starts from pure noise */
  double eta;
  uint64_t seed;
  const PmtSampler *sampler;
  const float *image;    /* [height, width, 3] sRGB-encoded 0..1, or NULL */
  const float *mask;     /* [height, width] 0..1, 1 = regenerate, or NULL */
  const float *noise;    /* initial unit noise, NCHW [c, h/8, w/8], in place of the seed's; or NULL */
  const PmtMethodUse *methods; /* beside those that the request itself implies (guidance, img2img, inpainting) */
  int n_methods;

  const PmtCancel *cancel;
  const atomic_bool *keep; /* set: stop stepping and decode the present estimate; may be NULL */
  void (*progress) (void *user, const PmtProgress *progress); /* from the running thread; may be NULL */
  void *progress_user;
} PmtRequest;

typedef struct PmtResult {
  float *image;          /* [height, width, 3] sRGB-encoded, clamped to 0..1; owned, pmt_result_clear */
  float *latent;         /* NCHW [c, h/8, w/8], as the UNet left it; owned */
  int width, height, latent_channels;
  int steps_done;
  int prompt_tokens_cut, negative_tokens_cut; /* tokens that did not fit the text encoder */
  size_t peak_bytes;     /* highest use of the run's arenas */
} PmtResult;
void pmt_result_clear (PmtResult *result);

/* Blocks; polls request->cancel at least every 100 ms of work. FALSE + error leaves result cleared. */
gboolean pmt_run (const PmtRequest *request, PmtResult *result, GError **error);

typedef struct PmtCost {
  size_t activation_bytes; /* exact peak of the run's arenas */
  size_t weight_bytes;     /* packed weights of the networks it uses */
  double flops;
  int evaluations;         /* network calls, rows counted singly */
} PmtCost;
/* The same run with dry contexts: nothing is loaded or computed. */
gboolean pmt_run_cost (const PmtRequest *request, PmtCost *cost, GError **error);

/* What methods may ask of the run they are in. */
struct PmtRun {
  const PmtRequest *request;
  PmtModel *model;
  PmtUnet *unet;
  PmtSchedule *schedule;
  PmtGrid *grid;
  int first;             /* first grid point evaluated (0 unless a method's plan moved it) */
  PmtArena *memory;      /* life of the run */
  PmtContext ctx;        /* step arena; reset between evaluations */
  int latent_height, latent_width, latent_channels;
  PmtTrack *tracks;
  int n_tracks;
  PmtTensor context, negative_context; /* [1, S, C] in `memory` */
  void **states;         /* one per active method, in order */
  const PmtMethod **methods;
  int n_methods;
};

/* Copies into the run's memory; PMT_NO_TENSOR + error when it is full. */
PmtTensor pmt_run_keep (PmtRun *run, PmtTensor t, GError **error);
/* Unit noise [1, h, w, c] (NHWC) from a track's generator, drawn in torch's NCHW order. */
gboolean pmt_run_draw_noise (PmtRun *run, int track, PmtTensor out, GError **error);
/* VAE moments of the request's image (or of `pixels` [height, width, 3] 0..1 when not NULL), in the run's memory. */
gboolean pmt_run_encode (PmtRun *run, const float *pixels, PmtTensor *moments, GError **error);
