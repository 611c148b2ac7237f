/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sinusoidal embedding of a timestep (Ho et al. 2020 after Vaswani et al. 2017; formats.md 5.1). */
#pragma once

#include "engine/tensor/context.h"

/* values: n numbers, may be fractional -> [n, width]. With half = width / 2 and f_k = 10000^(-k / (half - freq_shift)):
 * [sin(t f) | cos(t f)], or [cos | sin] when flipped; the last column of an odd width is zero. A leaf: nothing is differentiated. */
PmtTensor pmt_time_embedding (PmtContext *ctx, const float *values, int64_t n, int width, bool flip_sin_to_cos, float freq_shift);

/* Embedding of guidance scales for networks that were distilled with them (Luo et al. 2023; formats.md 7.10): values w = g - 1 of n rows
 * -> [n, width], [sin | cos] of 1000 w f_k with f_k = 10000^(-k / (half - 1)). */
PmtTensor pmt_guidance_embedding (PmtContext *ctx, const float *values, int64_t n, int width);
