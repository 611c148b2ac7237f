/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sinusoidal embedding of a timestep (Ho et al. 2020 after Vaswani et al. 2017; formats.md 5.1). */
#pragma once

#include "engine/tensor/context.h"

/* values: n numbers, may be fractional -> [n, width]. With half = width / 2 and f_k = 10000^(-k / (half - freq_shift)):
 * [sin(t f) | cos(t f)], or [cos | sin] when flipped; the last column of an odd width is zero. A leaf: nothing is differentiated. */
PmtTensor pmt_time_embedding (PmtContext *ctx, const float *values, int64_t n, int width, bool flip_sin_to_cos, float freq_shift);
