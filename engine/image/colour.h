/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Takes out the even shift of colour and brightness that an autoencoder gives to everything that passes it, and which shows as a
 * patch after pasting. */
#pragma once

#include <glib.h>

#include "engine/base/error.h"

typedef struct PmtColourMatch {
  float shift[3];   /* what was added to R, G, B (sRGB-encoded); 0 when nothing was measured */
  double weight;    /* pixels' worth of evidence in the ring */
} PmtColourMatch;

/* `result` and `original` are RGB [height, width, 3], sRGB-encoded 0..1; `denoise` [height, width] is the mask that the network repainted
 * under. In the ring where denoise is 0, from `gap` to gap + reach pixels away from where it is not, the network was to give back
 * what it saw: the mean difference original - result there, nearer pixels weighing more, is the shift, and it is added to all of
 * result (clamped to 0..1). `gap` leaves out the pixels that share a latent cell with the mask. Per channel the shift is held
 * within ±0.1, and a ring of fewer than 16 pixels' weight changes nothing: the ring can lie. The mean is taken in the encoded
 * values because that is the space the autoencoder errs in. */
gboolean pmt_colour_match (float *result, const float *original, const float *denoise, int width, int height, double gap,
                           double reach, PmtColourMatch *match, GError **error);

/* What a pixel counts for in that ring, by the squared distance of pmt_mask_distance to where denoise is above 0. */
double pmt_colour_ring_weight (gint32 squared, double gap, double reach);
