/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A model paints in its own size; the picture has another. */
#pragma once

#include <glib.h>

/* RGBA f32 pixels in another size, by a cubic (Catmull-Rom) that is widened where the picture shrinks, clipped to 0..1. A size that is the
 * same gives the same bytes. NULL + PMT_ERROR_MEMORY. */
GBytes *pmt_resample (GBytes *pixels, int width, int height, int to_width, int to_height, GError **error);
