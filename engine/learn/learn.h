/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Concepts learned from a few pictures on the user's machine: a word (textual inversion, Gal et al. 2022) or a LoRA (Hu et al. 2021) for a
 * subject (DreamBooth, Ruiz et al. 2023) or a style. Small tensors are found by AdamW so that the model, told the captions, takes noise off
 * the pictures as well as it can; the model itself never changes.
 *
 * Draws (which picture, which noise) follow from seed and step alone. What a call has found, and the pictures of the class that it has made, are
 * kept in the file `out` with ".learning" behind it, every few minutes and when it is cancelled: the same request goes on there, and ends with the
 * same bytes as one that was never interrupted. */
#pragma once

#include <stdatomic.h>

#include "engine/image/picture.h"
#include "engine/learn/kind.h"
#include "engine/sample/run.h"

/* In this order: pictures of the class are made, networks loaded, pictures encoded, the loss is looked at, what is to be learned is learned, and the
 * loss is looked at again. */
typedef enum { PMT_LEARN_PRIOR, PMT_LEARN_LOAD, PMT_LEARN_ENCODE, PMT_LEARN_LOOK, PMT_LEARN_STEPS } PmtLearnStage;
const char *pmt_learn_stage_name (PmtLearnStage stage); /* "prior", "load", "encode", "look", "learn" */

typedef struct PmtLearnProgress {
  PmtLearnStage stage;
  int step, of;    /* within the stage; of == 0: unknown */
  double fraction; /* of the whole's work, 0..1 */
  double eta;      /* seconds left, < 0 while unknown */
  double loss;     /* running mean over steps; NAN while there is none */
} PmtLearnProgress;

typedef struct PmtLearnRequest {
  PmtModel *model; /* borrowed; its main UNet learns, and has to be one that paints from text */
  const PmtLearnKind *kind;
  int n_pictures;
  const char *const *captions; /* n_pictures, each NULL = a sentence; NULL = none has one */
  /* The i-th picture, RGBA of any size, which the callee gives away (pmt_picture_clear): it is scaled to cover the size that is learned at and cut
   * around its middle, one after the other. FALSE + error ends the call. Asked for once in each call. */
  gboolean (*picture) (void *user, int i, PmtPicture *picture, GError **error);
  void *picture_user;
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
  int clip_skip;         /* text encoder layers left out at the end, beside those that the family leaves out */
  int steps, accumulate; /* of the optimiser; pictures (with their noise) whose gradients add up to one of them */
  double rate, text_rate; /* of words and the UNet's tensors; of a LoRA's for the text encoders */
  double min_snr;        /* weights of noise levels are cut there (Hang et al. 2023); 0 = all weigh the same */
  uint64_t seed;
  const PmtPrediction *prediction; /* what the UNet predicts, where the model's files don't say or are wrong; NULL = as they say */

  /* Pictures of the whole class, made by the model before it learns, which it is to go on painting as it does (DreamBooth's prior
   * preservation). NULL = none. The request's prompt is the class's caption, its size is replaced by this one's, its seeds count up. */
  const PmtRequest *prior; /* in plain syntax */
  int n_prior;
  double prior_weight;

  const char *out; /* the file; one that is there is replaced at the end */
  const PmtCancel *cancel;
  const atomic_bool *pause; /* set: the call ends after the step under way as if it were cancelled, but says so in its result; may be NULL */
  void (*progress) (void *user, const PmtLearnProgress *progress);
  void *progress_user;
  size_t memory_limit; /* bytes for activations and weights still to load; 0 = what the machine can give */
} PmtLearnRequest;

/* What each kind starts with: rank 8, rates and steps of the references, one picture a step. Pictures, word and out are left empty. */
void pmt_learn_request_init (PmtLearnRequest *request, PmtModel *model, const PmtLearnKind *kind);

typedef struct PmtLearnResult {
  bool paused;               /* it ended early, as it was asked to; nothing of what follows is said */
  int steps;                 /* of the optimiser, those of an earlier call included */
  double loss_before, loss_after; /* mean over some pictures and a few levels of noise, the same for both */
  int64_t parameters;        /* values that were found */
  double seconds;            /* of this call */
  size_t peak_bytes;         /* weights, activations and what was learned, at most */
} PmtLearnResult;

/* FALSE + error: PMT_ERROR_CANCELLED, with what was found kept for a request that goes on; PMT_ERROR_IO; PMT_ERROR_MEMORY and PMT_ERROR_INPUT, before
 * anything heavy is loaded but where the class's pictures do not fit, or values stopped being numbers. */
gboolean pmt_learn (const PmtLearnRequest *request, PmtLearnResult *result, GError **error);

/* Memory at the peak and work of such a request, without running it. Whether it can be carried out is not looked at but for its numbers: the word and the file may
 * be missing yet. */
typedef struct PmtLearnCost {
  size_t memory_bytes, weight_bytes;
  double work[PMT_WORKS]; /* floating point operations, those of the class's pictures among them */
} PmtLearnCost;
gboolean pmt_learn_cost (const PmtLearnRequest *request, PmtLearnCost *cost, GError **error);
