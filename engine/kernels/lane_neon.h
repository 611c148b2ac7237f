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
#endif
