/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lane.h for 64-bit ARM. Of its 32 registers 24 hold the sums of a tile, two the weights; a value of the left side is one element of a
 * register, which the multiplication takes by itself. */
#pragma once

#if defined(PMT_NEON)
#include <arm_neon.h>

#include "engine/kernels/vec.h"

enum { TILE_ROWS = 12, TILE_COLUMNS = 8 };
typedef float32x4_t Lane;
#define lane_load vld1q_f32
#define lane_store vst1q_f32
#define lane_fill vdupq_n_f32
#define lane_sub vsubq_f32
#define lane_add vaddq_f32
#define lane_mul vmulq_f32
#define lane_ceil vrndpq_f32

PMT_INLINE Lane
lane_zero (void)
{
  return vdupq_n_f32 (0);
}

PMT_INLINE Lane
lane_fma (Lane a, Lane b, Lane c)
{
  return vfmaq_f32 (c, a, b);
}

PMT_INLINE Lane
lane_max (Lane a, Lane b)
{
  return vbslq_f32 (vcgtq_f32 (a, b), a, b);
}

PMT_INLINE void
transpose_four (const float *x, int64_t ldx, float *y, int64_t ldy)
{
  const float32x4x2_t a = vtrnq_f32 (vld1q_f32 (x), vld1q_f32 (x + ldx));
  const float32x4x2_t b = vtrnq_f32 (vld1q_f32 (x + 2 * ldx), vld1q_f32 (x + 3 * ldx));
  for (int i = 0; i < 2; i++) {
    vst1q_f32 (y + i * ldy, vcombine_f32 (vget_low_f32 (a.val[i]), vget_low_f32 (b.val[i])));
    vst1q_f32 (y + (i + 2) * ldy, vcombine_f32 (vget_high_f32 (a.val[i]), vget_high_f32 (b.val[i])));
  }
}

/* y[c, r] = x[r, c] for 8 x 8 values. */
PMT_INLINE void
transpose_eight (const float *x, int64_t ldx, float *y, int64_t ldy)
{
  for (int r = 0; r < 8; r += 4)
    for (int c = 0; c < 8; c += 4)
      transpose_four (x + r * ldx + c, ldx, y + c * ldy + r, ldy);
}

#if defined(__ARM_FEATURE_BF16)
#define PMT_HAVE_PRODUCTS_BF16 1
typedef bfloat16x8_t Pairs;
#define pairs_load(p) vreinterpretq_bf16_u16 (vld1q_u16 (p))
#define pairs_fill(pair) vreinterpretq_bf16_s32 (vdupq_n_s32 (pair))
#define pairs_dot(sum, a, b) vbfdotq_f32 (sum, a, b)

PMT_INLINE uint16x4_t
four_bf16 (float32x4_t x)
{
  return vreinterpret_u16_bf16 (vcvt_bf16_f32 (x));
}

static void
convert_bf16 (const float *x, void *y, size_t n)
{
  uint16_t *out = y;
  size_t i = 0;
  for (; i + 4 <= n; i += 4)
    vst1_u16 (out + i, four_bf16 (vld1q_f32 (x + i)));
  if (i == n)
    return;
  float rest[4] = { 0 };
  memcpy (rest, x + i, (n - i) * sizeof (float));
  uint16_t four[4];
  vst1_u16 (four, four_bf16 (vld1q_f32 (rest)));
  memcpy (out + i, four, (n - i + 1) / 2 * 2 * sizeof (uint16_t));
}

PMT_INLINE void
pairs_store (uint16_t *to, Lane a, Lane b)
{
  const uint16x4x2_t both = vzip_u16 (four_bf16 (a), four_bf16 (b));
  vst1q_u16 (to, vcombine_u16 (both.val[0], both.val[1]));
}
#endif
#endif
