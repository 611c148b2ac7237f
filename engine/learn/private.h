/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of this room share. */
#pragma once

#include "engine/base/rng.h"
#include "engine/learn/learn.h"

/* One picture in latents' sizes, [h, w, c] each; owned by the learner. */
typedef struct PmtLesson {
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
  float **mean, **square;    /* of the optimiser, one per parameter */
  PmtSchedule *schedule;
  int width, height;         /* pixels */
  int latent_width, latent_height, latent_channels;
  PmtLesson *lessons;        /* n_pictures */
  PmtLesson *prior;          /* n_prior */
  int step;                  /* done */
  double loss;               /* running mean; NAN at first */
  double before;             /* loss on fixed noise before the first step; NAN while unknown */
  gint64 begun;
} PmtLearner;

/* ---- sentences.c ---- */

/* The caption of a picture in the step for which `choice` was drawn; newly allocated. */
char *pmt_learn_caption (const PmtLearnRequest *request, int picture, uint32_t choice);
gboolean pmt_learn_check_sentences (const PmtLearnRequest *request, GError **error);

/* ---- lesson.c ---- */

/* Encodes all pictures. */
gboolean pmt_learn_encode (PmtLearner *learner, GError **error);
void pmt_lesson_clear (PmtLesson *lesson);
/* Peak of the step arena while a picture is encoded; dry. */
gboolean pmt_learn_encode_dry (PmtLearner *learner, GError **error);

/* ---- prior.c ---- */

gboolean pmt_learn_make_prior (PmtLearner *learner, GError **error);

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
 * moments) and the noise, in this order and torch's way. lessons NULL, in a dry run: none. */
gboolean pmt_learn_draw (const PmtLearner *learner, PmtRng *rng, const PmtLesson *lessons, int n, PmtLearnDraw *draw, GError **error);
void pmt_learn_draw_clear (PmtLearnDraw *draw);

/* ---- pass.c ---- */

/* Takes the noise of `draw` off its picture with the caption `text`, and adds `weight` times the loss's gradient to the parameters' (weight 0: the loss
 * alone). */
gboolean pmt_learn_pass (PmtLearner *learner, const PmtLearnDraw *draw, const char *text, double weight, double *loss, GError **error);

/* ---- state.c: what a cancelled request goes on from ---- */

gboolean pmt_learn_save (const PmtLearner *learner, GError **error);
/* Fills in what an earlier call has found, where there is such; PMT_ERROR_INPUT when it was found with other settings. */
gboolean pmt_learn_resume (PmtLearner *learner, GError **error);
void pmt_learn_forget (const PmtLearner *learner);
