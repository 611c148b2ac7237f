/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Colours of a painted part brought to those around it, by mean and spread in CIE L*a*b* (Reinhard et al. 2001, "Color transfer between
 * images", in that space). */
#pragma once

#include <glib.h>

#include "engine/base/error.h"

/* sRGB-encoded 0..1 to L 0..100, a, b under its own white (D65), and back without clipping. */
void pmt_lab_from_rgb (const float rgb[3], float lab[3]);
void pmt_lab_to_rgb (const float lab[3], float rgb[3]);

typedef struct PmtLabMatch {
  double gain[3], shift[3]; /* of L, a, b: new = gain * old + shift; 1 and 0 when nothing was measured */
  double weight;            /* pixels' worth of evidence in the ring */
} PmtLabMatch;

/* Where colour.h's ring says that the network was to give back what it saw, mean and standard deviation of `result` and `original` are compared,
 * weighted as there; then all of `result` [height, width, 3] is stretched and moved so that they agree, and clamped to 0..1. The spread
 * is changed by 4/5 to 5/4 at most, the mean by 10 of L and 8 of a and b at most: the ring can lie. A ring of fewer than 16 pixels' weight
 * changes nothing. PMT_ERROR_MEMORY. */
gboolean pmt_colour_match_lab (float *result, const float *original, const float *denoise, int width, int height, double gap, double reach,
                               PmtLabMatch *match, GError **error);
