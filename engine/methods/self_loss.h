/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a word's thing is, how large, of what shape and look, as a network's own attention and features say (Epstein et al. 2023, "Diffusion
 * self-guidance for controllable image generation"), and how far that is from what it should be. */
#pragma once

#include "engine/sample/gradient.h"

/* The mean over sites and heads of cross-attention, and one point of the residual stream: what a reference keeps of a step. */
typedef struct PmtSelfView {
  int height, width, length; /* of the attention's grid; columns */
  double *mean;              /* [height * width, length] */
  int feature_height, feature_width, channels; /* 0 = no features */
  const float *feature;      /* [feature_height, feature_width, channels]; borrowed */
} PmtSelfView;

/* A word's thing. */
typedef struct PmtSelfWord {
  const int *columns; /* added up; borrowed */
  int n_columns;
  double position, size, shape, appearance; /* what each difference counts; 0 = not at all */
  double right, down, resize; /* from the reference's: parts of the picture; times as wide and high */
} PmtSelfWord;

/* The centre of mass of the word's map, parts of the picture, and the mean of its shape (its map made nearly black and white). */
void pmt_self_measure (const PmtSelfView *view, const int *columns, int n_columns, double *x, double *y, double *size);

/* Sum over words of |centre - wanted| of both coordinates, |size - wanted|, the mean over cells of |shape - wanted| and the mean over channels of
 * |look - wanted|, the look being the mean of the features where the shape is above a half. What is wanted is the reference's, moved and
 * resized. Adds its gradient to probed[n], from whose attentions (and feature, if the reference has some) it is made. Exactly 0, with a
 * gradient of exactly 0, where both are the same and nothing is to move. */
double pmt_self_loss (PmtProbed *probed, int n, const PmtSelfView *reference, const PmtSelfWord *words, int n_words);

/* A view of probed[n]; clear it. */
void pmt_self_view_init (PmtSelfView *view, const PmtProbed *probed, int n);
void pmt_self_view_clear (PmtSelfView *view);
