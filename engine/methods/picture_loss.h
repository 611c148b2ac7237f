/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Losses of a picture that need no network, for universal guidance. Pictures are [height, width, 3] around [-1, 1], as decoders make them; colours
 * and other pictures 0..1. */
#pragma once

#include <stdbool.h>

#include "engine/base/error.h"

typedef enum {
  PMT_PICTURE_MEAN_COLOUR,  /* the place's mean colour: its squared distance from colours[0] */
  PMT_PICTURE_PALETTE,      /* the mean over the place of each pixel's squared distance from the nearest of the colours */
  PMT_PICTURE_MASK,         /* the colour is in the place and nowhere else: cross-entropy of exp (-d^2 / (2 0.35^2)), d from colours[0] */
  PMT_PICTURE_EDGES,        /* the place's edges are the other picture's: squared difference of how steep the luma is, between neighbours */
  PMT_PICTURE_KEEP_OUTSIDE  /* outside the place it is the other picture: mean squared distance */
} PmtPictureLoss;

typedef struct PmtPictureTask {
  PmtPictureLoss loss;
  int height, width;
  const float *place;          /* [height, width], 0..1; borrowed */
  float colours[16][3];
  int n_colours;
  const float *other;          /* [height, width, 3]; EDGES and KEEP_OUTSIDE; borrowed */
} PmtPictureTask;

/* Reads "#cc2020; f0e0c0" into the task. `where` ("method universal-guidance, colours") goes into the sentence of PMT_ERROR_INPUT. */
gboolean pmt_picture_colours (PmtPictureTask *task, const char *text, const char *where, GError **error);

/* Adds the gradient to gradient [height, width, 3]. An empty place gives 0. */
double pmt_picture_loss (const PmtPictureTask *task, const float *picture, float *gradient);
