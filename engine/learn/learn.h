/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Concepts learned from a few pictures on the user's machine: a word (textual inversion, Gal et al. 2022) or a LoRA (Hu et al. 2021) for a
 * subject (DreamBooth, Ruiz et al. 2023) or a style. Small tensors are found by AdamW so that the model, told the captions, takes noise off
 * the pictures as well as it can; the model itself never changes.
 *
 * Draws (which picture, which noise) follow from seed and step alone. What a call has found is kept in the file `out` with ".learning" behind it:
 * when it was cancelled, the same request goes on there, and ends with the same bytes as one that was never interrupted. */
#pragma once

#include "engine/learn/kind.h"
#include "engine/sample/run.h"

typedef struct PmtLearnPicture {
  const float *pixels; /* [height, width, 3] sRGB-encoded 0..1; scaled to cover the size that is learned at, and cut around its middle */
  int width, height;
  const char *caption; /* NULL = a sentence of the request */
} PmtLearnPicture;

typedef enum { PMT_LEARN_PRIOR, PMT_LEARN_LOAD, PMT_LEARN_ENCODE, PMT_LEARN_STEPS } PmtLearnStage; /* in this order */
const char *pmt_learn_stage_name (PmtLearnStage stage); /* "prior" (pictures of the class are made), "load", "encode", "learn" */

typedef struct PmtLearnProgress {
  PmtLearnStage stage;
  int step, of;    /* within the stage; of == 0: unknown */
  double fraction; /* of the whole, 0..1 */
  double eta;      /* seconds left, < 0 while unknown */
  double loss;     /* running mean over steps; NAN while there is none */
} PmtLearnProgress;

typedef struct PmtLearnRequest {
  PmtModel *model; /* borrowed; its main UNet learns, and has to be one that paints from text */
  const PmtLearnKind *kind;
  const PmtLearnPicture *pictures;
  int n_pictures;
  int width, height; /* pixels, multiples of pmt_model_size_multiple; 0 = the model's own size */
  bool flip;         /* mirrored pictures as well */

  /* Captions of pictures without one: a sentence is drawn for each step, in which {} stands for the concept. NULL = the kind's own. */
  const char *const *sentences;
  bool style;        /* the kind's own sentences are of a style, not of a thing */
  const char *word;  /* of the concept; a learned word is new, a LoRA's may be any rare one */
  const char *thing; /* what it is a kind of ("butterfly"): a learned word begins there, a LoRA's sentences say "WORD THING"; NULL or "" = nothing */

  int vectors;           /* of a learned word */
  int rank;              /* of a LoRA, 1 .. 320 */
  double alpha;          /* of a LoRA, whose changes are multiplied by alpha / rank; 0 = rank */
  bool texts;            /* a LoRA's for the text encoders too */
  int steps, accumulate; /* of the optimiser; pictures (with their noise) whose gradients add up to one of them */
  double rate, text_rate; /* of the UNet's tensors; of the text encoders' and words */
  double min_snr;        /* weights of noise levels are cut there (Hang et al. 2023); 0 = all weigh the same */
  uint64_t seed;
  const PmtPrediction *prediction; /* what the UNet predicts, where the model's files don't say or are wrong; NULL = as they say */

  /* Pictures of the whole class, made by the model before it learns, which it is to go on painting as it does (DreamBooth's prior
   * preservation). NULL = none. The request's prompt is the class's caption, its size is replaced by this one's, its seeds count up. */
  const PmtRequest *prior;
  int n_prior;
  double prior_weight;

  const char *out; /* the file; one that is there is replaced at the end */
  const PmtCancel *cancel;
  void (*progress) (void *user, const PmtLearnProgress *progress);
  void *progress_user;
  size_t memory_limit; /* bytes for activations and weights still to load; 0 = what the machine can give */
} PmtLearnRequest;

/* What each kind starts with: rank 8, rates and steps of the references, one picture a step. Pictures, word and out are left empty. */
void pmt_learn_request_init (PmtLearnRequest *request, PmtModel *model, const PmtLearnKind *kind);

typedef struct PmtLearnResult {
  int steps;                 /* of the optimiser, those of an earlier call included */
  double loss_before, loss_after; /* mean over all pictures and a few levels of noise, the same for both */
  int64_t parameters;        /* values that were found */
  double seconds;            /* of this call */
  size_t peak_bytes;         /* weights, activations and what was learned, at most */
} PmtLearnResult;

/* FALSE + PMT_ERROR_CANCELLED keeps what was found for a request that goes on; PMT_ERROR_MEMORY and PMT_ERROR_INPUT before anything heavy is
 * loaded; PMT_ERROR_IO. */
gboolean pmt_learn (const PmtLearnRequest *request, PmtLearnResult *result, GError **error);

/* Memory at the peak and work of such a request, without running it (the class's pictures are told by pmt_run_cost). */
typedef struct PmtLearnCost {
  size_t memory_bytes, weight_bytes;
  double work[PMT_WORKS]; /* floating point operations */
} PmtLearnCost;
gboolean pmt_learn_cost (const PmtLearnRequest *request, PmtLearnCost *cost, GError **error);
