/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scorers put pictures into an order: of several variants of one prompt, which are the better ones. A scorer is one struct; a larger score is a
 * better picture, and scores of different scorers, or of one with other parameters, cannot be compared. */
#pragma once

#include "engine/base/cancel.h"
#include "engine/base/param.h"
#include "engine/image/picture.h"

typedef struct PmtScorer {
  const char *id, *label, *summary; /* N_() */
  const PmtParam *params;
  /* What it needs for many pictures (networks, colours); `values` outlive it. NULL + error. */
  void *(*open) (const PmtParamValues *values, const PmtCancel *cancel, GError **error);
  /* Of one picture, RGBA. FALSE + error. */
  gboolean (*score) (void *state, const PmtPicture *picture, double *score, GError **error);
  void (*close) (void *state);
} PmtScorer;

extern const PmtScorer *const pmt_scorers[]; /* NULL-terminated */

/* "ID" or "ID:key=value,…": a comma that no key follows belongs to the value before it. Initialises `values` (clear it); NULL + PMT_ERROR_INPUT. */
const PmtScorer *pmt_scorer_parse (const char *text, PmtParamValues *values, GError **error);

/* Places of n scores from the best to the worst in order [n]; equal ones stay as they are. NaN is the worst. */
void pmt_scores_order (const double *scores, int n, int *order);
