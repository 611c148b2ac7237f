/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gaussian blur as OpenCV's GaussianBlur does it on floating-point pictures with a kernel size of 0: 2 * round(4 sigma) + 1 taps that sum
 * to 1, pixels outside mirrored without repeating the border (reflect-101). */
#pragma once

#include <glib.h>

#include "engine/base/error.h"

/* src and dst [height, width, channels], not the same memory; channels 1..4, sigma 0.1 .. 100. `reach`: taps to each side; 0 = as above.
 * (For pictures of bytes OpenCV takes 3 sigma in place of 4.) PMT_ERROR_MEMORY. */
gboolean pmt_gauss_blur (const float *src, int width, int height, int channels, double sigma, int reach, float *dst, GError **error);
