/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What product_int8.h needs of a level, for 64-bit ARM with I8MM. */
#pragma once

#include <math.h>

#include "engine/kernels/product.h"

#if defined(PMT_NEON) && defined(__ARM_FEATURE_MATMUL_INT8)
#define PMT_HAVE_PRODUCTS_INT8 1
typedef int32x4_t Sums;
#define sums_load(p) vreinterpretq_s32_s8 (vld1q_s8 (p))
#define sums_fill vdupq_n_s32
#define sums_lane vcvtq_f32_s32

PMT_INLINE Sums
sums_zero (void)
{
  return vdupq_n_s32 (0);
}

PMT_INLINE Sums
dot_int8 (Sums acc, Sums a, Sums b)
{
  return vusdotq_s32 (acc, vreinterpretq_u8_s32 (a), vreinterpretq_s8_s32 (b));
}

/* The smallest and largest of n values; true when one of them is NaN. */
PMT_INLINE bool
find_range (const float *x, size_t n, float *low, float *high)
{
  float least = __builtin_inff (), most = -__builtin_inff ();
  int strange = 0;
  for (size_t i = 0; i < n; i++) {
    strange |= x[i] != x[i];
    least = x[i] < least ? x[i] : least;
    most = x[i] > most ? x[i] : most;
  }
  *low = least;
  *high = most;
  return strange;
}

PMT_INLINE void
convert_four (float32x4_t x, float low, float inverse, uint8_t *out)
{
  const uint16x4_t q = vqmovn_u32 (vcvtnq_u32_f32 (vmulq_n_f32 (vsubq_f32 (x, vdupq_n_f32 (low)), inverse)));
  const uint32_t bytes = vget_lane_u32 (vreinterpret_u32_u8 (vqmovn_u16 (vcombine_u16 (q, q))), 0);
  memcpy (out, &bytes, sizeof bytes);
}

static void
convert_int8 (const float *x, void *y, size_t n)
{
  float *head = y;
  uint8_t *out = (uint8_t *) y + PMT_PRODUCT_HEAD_INT8;
  float low, high, rest[4] = { 0 };
  const bool strange = find_range (x, n, &low, &high);
  const float step = (high - low) * (1.0f / 255.0f), inverse = step > 0 ? 1.0f / step : 0;
  head[0] = strange ? __builtin_nanf ("") : step;
  head[1] = low;
  size_t i = 0;
  for (; i + 4 <= n; i += 4)
    convert_four (vld1q_f32 (x + i), low, inverse, out + i);
  if (i == n)
    return;
  memcpy (rest, x + i, (n - i) * sizeof (float));
  convert_four (vld1q_f32 (rest), low, inverse, out + i); /* beyond the row's end lie bytes that meet weights of 0 */
}

/* One column of a block, its bytes to `out`; up to the next multiple of 4 they are 0. NaN in a weight gives NaN in its column. */
static void
pack_column_int8 (const float *w, int64_t count, float *scale, float *sum, int8_t *out)
{
  float most = 0;
  int32_t total = 0;
  int strange = 0;
  for (int64_t i = 0; i < count; i++) {
    const float size = fabsf (w[i]);
    strange |= w[i] != w[i];
    most = size > most ? size : most;
  }
  const bool some = most > 1e-30f; /* else 127 / most may be infinite */
  const float inverse = some ? 127.0f / most : 0;
  for (int64_t i = 0; i < count; i++) {
    const float q = rintf (w[i] * inverse);
    out[i] = q == q ? (int8_t) q : 0;
    total += out[i];
  }
  for (int64_t i = count; i % 4; i++)
    out[i] = 0;
  *scale = strange ? __builtin_nanf ("") : some ? most / 127.0f : 0;
  *sum = (float) total;
}
#endif
