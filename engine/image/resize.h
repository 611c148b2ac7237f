/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Resampling, separable, in the encoded values as they are (what diffusers and PIL do, and so what networks were trained on).
 *
 * A destination pixel is a weighted mean of the source pixels around its centre's place; when an axis shrinks, the filter is
 * stretched by the factor, so that nothing aliases. At the borders weights outside are dropped and the others normalised. With
 * equal sizes along an axis the values pass unchanged. Agrees with PIL's resize of mode "F" pictures. */
#pragma once

#include <glib.h>

#include "engine/base/error.h"
#include "engine/image/picture.h"

typedef enum {
  PMT_FILTER_BOX,     /* area mean when shrinking, nearest when growing */
  PMT_FILTER_LINEAR,  /* triangle */
  PMT_FILTER_CUBIC,   /* Keys' cubic convolution, a = -0.5 */
  PMT_FILTER_LANCZOS, /* windowed sinc, three lobes */
  PMT_FILTER_AUTO     /* per axis: BOX when shrinking, LANCZOS when growing, results kept in 0..1 */
} PmtFilter;

/* src [src_height, src_width, channels] -> dst [dst_height, dst_width, channels], channels 1..4. */
gboolean pmt_resize (PmtFilter filter, const float *src, int src_width, int src_height, int channels, float *dst, int dst_width,
                     int dst_height, GError **error);

/* Scales a picture in place of any channel count. RGBA is weighted by its alpha, so that the colours of transparent pixels do not bleed in;
 * masks never ring. On failure the picture is cleared. */
gboolean pmt_picture_scale (PmtPicture *picture, int width, int height, GError **error);
