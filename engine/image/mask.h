/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operations on masks [height, width] of values in 0..1. Distances are Euclidean, between centres of pixels.
 * Each returns FALSE + PMT_ERROR_MEMORY when its scratch memory cannot be had; then its output is unspecified. */
#pragma once

#include <glib.h>

#include "engine/base/error.h"

/* out = largest value of `mask` within `radius` (a pixel is within radius r when dx*dx + dy*dy <= r*r). out != mask. Values outside the
 * picture count as 0. */
gboolean pmt_mask_dilate (const float *mask, int width, int height, double radius, float *out, GError **error);

/* out = smallest value within `radius`; values outside the picture count as 1, so a mask is not eaten from the picture's border. */
gboolean pmt_mask_erode (const float *mask, int width, int height, double radius, float *out, GError **error);

/* Mean under a triangle kernel (a box of 2 * half + 1 applied twice) along both axes, in place. Its support reaches 2 * half pixels along
 * each axis, so out is 0 wherever no value above 0 lies within 2 * sqrt(2) * half, and 1 wherever all values within that distance are
 * 1, exactly in both cases. The picture's border repeats outwards. half <= 0 changes nothing. */
gboolean pmt_mask_blur (float *mask, int width, int height, int half, GError **error);

/* Squared distance of each pixel to the nearest one with a value above `threshold` (0 there). Exact; 2^31 - 1 where there is none or
 * it is farther than 46340 pixels. (Meijster, Roerdink & Hesselink 2000.) */
gboolean pmt_mask_distance (const float *mask, int width, int height, float threshold, gint32 *squared, GError **error);
