/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A membrane over a hole: the smoothest surface that meets its border (Laplace's equation). It fills holes from their surroundings, and
 * carries a difference at a seam inwards (Perez, Gangnet & Blake 2003, "Poisson image editing": the gradients of a patch stay, its border
 * becomes that of the picture). */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "engine/base/error.h"

/* values [height, width, channels], channels 1..4, in place. Where `open` [height, width] is 0 they stay; elsewhere each becomes the mean of
 * its up to four neighbours inside the picture, whose own border is free. Nothing changes when all is open. Right to 1e-4 of the values' range
 * (conjugate gradients with a multigrid cycle as preconditioner); the same bytes whatever the number of threads. PMT_ERROR_MEMORY. */
gboolean pmt_membrane (float *values, int width, int height, int channels, const uint8_t *open, GError **error);

/* Moves `patch` by a membrane so that it meets `picture` at the border of where `blend` is above 0; its gradients inside stay. Both are
 * RGB [height, width, 3], 0..1; `blend` is [height, width]. Where blend is 0, patch becomes picture, to the bit. A patch without a border in
 * the picture stays as it is. */
gboolean pmt_membrane_blend (float *patch, const float *picture, const float *blend, int width, int height, GError **error);
