/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A picture as CLIP's image encoders take it. */
#pragma once

#include <glib.h>

#include "engine/base/error.h"

#define PMT_CLIP_MOST_ELONGATED 64 /* longer over shorter side of a picture */

/* Of CLIP's training pictures, 0..1. */
extern const float pmt_clip_mean[3], pmt_clip_deviation[3];

/* rgb [height, width, 3] 0..1 -> out [size, size, 3]: the shorter side resized to `size` (bicubic, antialiased), the middle cut out, mean
 * and deviation of CLIP's training pictures taken away. Values are rounded to 8 bits before and after each of the two passes, because
 * the reference (transformers' CLIPImageProcessor on PIL) works on 8-bit pictures: it gives the same pixels but for rare ties, which
 * differ by 1/255 (up to 3/255 in pictures more than twice as tall as wide, for which Pillow 13 takes the two passes in another order). PMT_ERROR_INPUT for a longer one, PMT_ERROR_MEMORY. */
gboolean pmt_clip_pixels (const float *rgb, int width, int height, int size, float *out, GError **error);
