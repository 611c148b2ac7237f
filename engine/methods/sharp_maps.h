/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cross-attention made sharp and smooth, as losses of Attend-and-Excite read it (Chefer et al. 2023, section 4): the mean over sites and
 * heads, of which some columns go, times 100, through softmax over those that stay; then one column's map smoothed by a 3 x 3 Gaussian with
 * reflected borders. With the way back of a gradient. All maps are [height * width] doubles. */
#pragma once

#include "engine/sample/gradient.h"

typedef struct PmtSharpMaps {
  int height, width;
  int n;             /* columns that stay */
  int *columns;      /* [n] of the context */
  double *share;     /* [height * width, n], after the softmax */
  double *gradient;  /* the same: d loss / d share, zeros at first */
} PmtSharpMaps;

/* Columns of the context that count in this run, ascending: all but the chunks' first and last, or (words_only) those that hold tokens of
 * the prompt. From `text` hooks on. */
gboolean pmt_sharp_maps_columns (PmtRun *run, bool words_only, int **columns, int *n, GError **error);

/* From the cross-attention among probed[n]; `columns` is copied. Clear it. */
void pmt_sharp_maps_init (PmtSharpMaps *maps, const PmtProbed *probed, int n_probed, const int *columns, int n);
void pmt_sharp_maps_clear (PmtSharpMaps *maps);
/* The smoothed map of a column of the context; zeros for one that does not count. */
void pmt_sharp_maps_smooth (const PmtSharpMaps *maps, int column, double *map);
/* Adds what d loss / d smoothed map means for the shares. */
void pmt_sharp_maps_add_gradient (PmtSharpMaps *maps, int column, const double *map_gradient);
/* Adds what all of it means for the probabilities to their gradients. */
void pmt_sharp_maps_spread (const PmtSharpMaps *maps, PmtProbed *probed, int n_probed);
