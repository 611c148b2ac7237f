/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of this room share. */
#pragma once

#include "engine/base/rng.h"
#include "engine/learn/learn.h"
#include "engine/text/prompt_tokens.h"

/* One picture; owned by the learner. */
typedef struct PmtLesson {
  float *pixels;   /* [height, width, 3] 0..1, until it is encoded */
  float *moments;  /* [h, w, 2 c] mean and log variance; NULL for pictures of the class */
  float *mirrored; /* the same of the mirrored picture, or NULL */
  float *latent;   /* of a picture of the class, as the UNet has it; NULL else */
} PmtLesson;

typedef struct PmtLearner {
  const PmtLearnRequest *request;
  PmtLearnNets nets;         /* that compute: with weights, or without in a dry run */
  PmtVae *vae;
  PmtContext ctx;
  PmtParameters *parameters;
  PmtSchedule *schedule;
  int width, height;         /* pixels */
  int latent_width, latent_height, latent_channels;
  PmtLesson *lessons;        /* n_pictures */
  PmtLesson *prior;          /* n_prior */
  bool attached;             /* what is learned is in the networks */
  char *settings;            /* a checksum of all that the result depends on */
  int n_made;                /* pictures of the class that there are */
  int step;                  /* done */
  double loss;               /* running mean; NAN at first */
  double before;             /* loss on fixed noise before the first step; NAN while unknown */
  gint64 begun, worked, saved; /* when the call began, when its first work did, when a state was kept last */
  double work, all, first;   /* operations done, of all, and done by earlier calls */
} PmtLearner;

void pmt_learn_tell (const PmtLearner *learner, PmtLearnStage stage, int step, int of);
bool pmt_learn_paused (const PmtLearner *learner);
/* Keeps what there is, where the last time is long past. A disk that is full now may have room when it counts. */
void pmt_learn_save_sometimes (PmtLearner *learner);

int pmt_learn_looks (const PmtLearnRequest *request); /* passes of one look at the loss */
/* Puts what is learned into the networks that compute, or takes it out. */
void pmt_learn_attach (PmtLearner *learner, bool in);

/* ---- check.c ---- */

gboolean pmt_learn_check_numbers (const PmtLearner *learner, GError **error);
gboolean pmt_learn_check_model (const PmtLearner *learner, GError **error);
gboolean pmt_learn_check (const PmtLearner *learner, GError **error); /* these, and all else */

/* ---- need.c ---- */

typedef struct PmtLearnNeed {
  size_t encode, learn;  /* peaks of the step arena */
  size_t total, missing; /* weights: all, and those still to load */
  size_t found, kept;    /* what is learned, with gradients and the optimiser's moments; pictures and latents */
  double encode_work[PMT_WORKS], pass_work[PMT_WORKS], look_work[PMT_WORKS]; /* of one picture: encoded, learned from, looked at */
  PmtCost prior;         /* of one picture of the class */
} PmtLearnNeed;
gboolean pmt_learn_measure (PmtLearner *learner, PmtLearnNeed *need, GError **error);
size_t pmt_learn_peak (const PmtLearnNeed *need); /* beside the weights */
gboolean pmt_learn_fits (const PmtLearner *learner, const PmtLearnNeed *need, GError **error);
void pmt_learn_work (const PmtLearner *learner, const PmtLearnNeed *need, double *work);

/* ---- sentences.c ---- */

/* The caption of a picture in the step for which `choice` was drawn; newly allocated. */
char *pmt_learn_caption (const PmtLearnRequest *request, int picture, uint32_t choice);
/* Whether every caption can be learned from; needs the tokenizers alone. */
gboolean pmt_learn_check_captions (const PmtLearner *learner, GError **error);
/* Ids of a caption for text encoder k; a learned word has those behind the vocabulary. Nothing in a caption is syntax, and what is too long is cut. */
gboolean pmt_learn_tokenize (const PmtLearner *learner, int k, const char *text, PmtPromptTokens *tokens, GError **error);

/* ---- lesson.c ---- */

/* Asks for all pictures, and brings them to size. */
gboolean pmt_learn_take_pictures (PmtLearner *learner, GError **error);
/* Encodes them. */
gboolean pmt_learn_encode (PmtLearner *learner, GError **error);
void pmt_lesson_clear (PmtLesson *lesson);
/* Peak of the step arena while a picture is encoded; dry. */
gboolean pmt_learn_encode_dry (PmtLearner *learner, GError **error);

/* ---- prior.c ---- */

/* Those that are not there yet; `flops` is what one of them takes. */
gboolean pmt_learn_make_prior (PmtLearner *learner, double flops, GError **error);

/* ---- draw.c ---- */

/* What is random in one pass. */
typedef struct PmtLearnDraw {
  const PmtLesson *lesson;
  bool mirrored;
  uint32_t choice; /* of a sentence */
  int timestep;
  float *posterior, *noise; /* [h, w, c] standard normal; owned, pmt_learn_draw_clear */
} PmtLearnDraw;

/* Draws from a generator: the lesson among n, its sentence, whether it is mirrored, the timestep, the autoencoder's noise (where the lesson has
 * moments) and the noise, in this order and torch's way. */
gboolean pmt_learn_draw (const PmtLearner *learner, PmtRng *rng, const PmtLesson *lessons, int n, PmtLearnDraw *draw, GError **error);
void pmt_learn_draw_clear (PmtLearnDraw *draw);

/* ---- pass.c ---- */

/* Takes the noise of `draw` off its picture with the caption `text`, and adds `weight` times the loss's gradient to the parameters' (weight 0: the loss
 * alone). */
gboolean pmt_learn_pass (PmtLearner *learner, const PmtLearnDraw *draw, const char *text, double weight, double *loss, GError **error);

/* ---- state.c: what a cancelled request goes on from ---- */

/* The checksum for PmtLearner.settings, of pictures that were brought to size. Newly allocated. */
char *pmt_learn_settings (const PmtLearner *learner);
gboolean pmt_learn_save (const PmtLearner *learner, GError **error);
/* Fills in what an earlier call has found, where there is such; PMT_ERROR_INPUT when it was found with other settings. */
gboolean pmt_learn_resume (PmtLearner *learner, GError **error);
void pmt_learn_forget (const PmtLearner *learner);
