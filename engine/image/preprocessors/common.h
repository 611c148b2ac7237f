/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What several preprocessors need. */
#pragma once

#include "engine/image/preprocess.h"

/* What a preprocessor sees: RGBA laid over white, [height, width, 3], values 0..255. As whole numbers, and as the same in floats.
 * malloc'ed. NULL + PMT_ERROR_MEMORY. */
guint8 *pmt_preprocess_bytes (const PmtPicture *image, GError **error);
float *pmt_preprocess_floats (const PmtPicture *image, GError **error);

/* [height, width] grey of [height, width, 3] bytes as OpenCV and PIL round it apart: (299 R + 587 G + 114 B) / 1000. */
float *pmt_preprocess_grey (const PmtPicture *image, GError **error);

/* A grey [height, width] of 0..255 as an RGB picture 0..1 of the image's size; values are clipped and cut to whole ones, as a
 * conversion to bytes does. */
gboolean pmt_preprocess_from_grey (const float *grey, const PmtPicture *image, PmtPicture *out, GError **error);
gboolean pmt_preprocess_from_bytes (const guint8 *grey, const PmtPicture *image, PmtPicture *out, GError **error);

/* Edges by Canny (1986), equal to OpenCV's Canny (picture, low, high) with aperture 3 and the L1 norm, on `channels` interleaved channels of
 * bytes: 255 on edges, else 0. malloc'ed [height, width]. NULL + PMT_ERROR_MEMORY. */
guint8 *pmt_canny (const guint8 *pixels, int width, int height, int channels, double low, double high, GError **error);

/* How soft the edges are: the Sobel gradient's length of the blurred picture, scaled so that its 99th percentile is 255. [height, width].
 * malloc'ed. */
float *pmt_soft_edges (const PmtPicture *image, GError **error);

/* Scales n values of at least 0 so that their 99th percentile (or `least`, if that is more) becomes 255, and cuts what is above. FALSE +
 * PMT_ERROR_MEMORY. */
gboolean pmt_stretch_bright (float *values, size_t n, float least, GError **error);
