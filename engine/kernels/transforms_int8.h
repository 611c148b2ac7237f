/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The windows' transforms of minimal filtering in int8 (winograd.h), beside transforms.h's. A window is transformed in f32, and what it gives of one
 * product, of one block of inputs, is quantised by a range of its own as every row of a left side is (product_int8.h). The way back computes in bf16, so
 * that PMT_WINOGRAD_HALF is not here. */
#pragma once

#include "engine/kernels/int8_avx512.h"
#include "engine/kernels/int8_neon.h"

#ifdef PMT_HAVE_PRODUCTS_INT8
PMT_INLINE void
window_int8 (void (*window) (const float *const *, int64_t, void *, size_t), int products, const float *const *from, int64_t count, void *to, size_t apart)
{
  float values[16][PMT_WINOGRAD_BLOCK];
  window (from, count, values, sizeof values[0]);
  for (int p = 0; p < products; p++)
    convert_int8 (values[p], (char *) to + (size_t) p * apart, (size_t) count);
}

static void
window_same_int8 (const float *const *from, int64_t count, void *to, size_t apart)
{
  window_int8 (window_same_f32, 16, from, count, to, apart);
}

static void
window_twice_int8 (const float *const *from, int64_t count, void *to, size_t apart)
{
  window_int8 (window_twice_f32, 9, from, count, to, apart);
}

static const PmtWinogradKernels winograd_int8 = {
  .window = { window_same_int8, window_twice_int8 },
  .outputs = { outputs_same, outputs_twice, NULL, outputs_twice_bottom, outputs_twice_right, outputs_twice_corner },
};
#endif
