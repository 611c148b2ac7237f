/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loss of layout guidance (Chen et al. 2024, "Training-free layout control with cross-attention guidance"): how much of the attention
 * that a token gets lies outside its place. */
#pragma once

#include "engine/methods/areas.h"
#include "engine/sample/gradient.h"

/* Which cells of a grid an area's places have, 0 or 1: edges are cut down to whole cells, as the reference does, and a place always has the
 * cell of its middle. Of a mask (of the run's width and height) those whose middle is inside, or the one that has most of it. */
void pmt_layout_cells (const PmtArea *area, int run_height, int run_width, int height, int width, float *cells);

/* Mean over the cross-attentions among probed[n], areas and their tokens of the mean over heads of (1 - r)^2, r being the part of the
 * token's attention that is inside. Times `scale`; adds its gradient to theirs. */
double pmt_layout_loss (PmtProbed *probed, int n, const PmtAreas *areas, int run_height, int run_width, double scale);
