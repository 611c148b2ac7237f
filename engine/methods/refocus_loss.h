/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The losses of attention refocusing (Phung, Ge and Huang 2024, "Grounded text-to-image synthesis with attention refocusing"): words are to
 * be looked for in their own places alone, and the cells of a place are to look at that place alone. */
#pragma once

#include "engine/methods/layout_loss.h"
#include "engine/methods/sharp_maps.h"

typedef struct PmtRefocus {
  const PmtAreas *areas;
  int run_height, run_width;
  int at;            /* the step, of fifty */
  double cross, self; /* what both losses count */
  const int *columns; /* that count in sharp maps */
  int n_columns;
} PmtRefocus;

/* For each token of each area, its sharp and smoothed map being m: w (1 - max of m inside), w = 6 below 0.1, 1 below 0.2 or in the first 15 of
 * 50 steps; for every other area w max of m there, w = 4 above 0.15, 1 above 0.1 or in those steps; and half the max of m outside all
 * areas. And for each area, over the self-attentions and their heads: the mean of what its cells give to cells outside it. Both sums
 * are divided by the number of areas. *weakest (may be NULL): the least of the maxima inside. Adds the gradient to those of probed[n]. */
double pmt_refocus_loss (PmtProbed *probed, int n, const PmtRefocus *how, double *weakest);
