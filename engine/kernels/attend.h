/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What attention needs beside tiles of products, compiled once per level by level.c behind product.h: exponentials of a panel of logits, with
 * a query in each column, so that no sum or maximum runs across a register; and scaling of columns. */
#pragma once

#include "engine/kernels/product.h"
#include "engine/kernels/weigh.h"

#ifdef PMT_HAVE_PRODUCTS

/* 2^x = 2^n 2^r with n the nearest integer. Least relative error of 2^r on [-1/2, 1/2] with 2^0 = 1: degree 6 within 1.6e-8, degree 4 within
 * 2.9e-6, which is a thousandth of a bf16's step. */
PMT_INLINE Lane
exp2_part (Lane r, bool coarse)
{
  Lane p;
  if (coarse) {
    p = lane_fma (lane_fill (0.00958285108f), r, lane_fill (0.0559064299f));
    p = lane_fma (p, r, lane_fill (0.240240991f));
    p = lane_fma (p, r, lane_fill (0.693124175f));
  } else {
    p = lane_fma (lane_fill (0.000153533605f), r, lane_fill (0.0013398875f));
    p = lane_fma (p, r, lane_fill (0.00961843692f));
    p = lane_fma (p, r, lane_fill (0.0555033237f));
    p = lane_fma (p, r, lane_fill (0.240226477f));
    p = lane_fma (p, r, lane_fill (0.693147182f));
  }
  return lane_fma (p, r, lane_fill (1.0f));
}

/* 2^x for x <= 0 (with AVX-512 for x <= 64) and NaN; 0 where it is far below the smallest normal value. */
PMT_INLINE Lane
lane_exp2 (Lane x, bool coarse)
{
#if defined(__AVX512F__)
  x = _mm512_max_ps (lane_fill (-160.0f), x); /* the second one where one is NaN; keeps -infinity out of the subtraction */
  const Lane n = _mm512_roundscale_ps (x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return _mm512_scalef_ps (exp2_part (_mm512_sub_ps (x, n), coarse), n);
#elif defined(PMT_NEON)
  const Lane least = lane_fill (-125.0f), from = lane_max (least, x), n = vrndnq_f32 (from);
  const int32x4_t power = vshlq_n_s32 (vaddq_s32 (vcvtq_s32_f32 (n), vdupq_n_s32 (127)), 23);
  const Lane y = lane_mul (exp2_part (lane_sub (from, n), coarse), vreinterpretq_f32_s32 (power));
  return vbslq_f32 (vcltq_f32 (x, least), lane_zero (), y);
#else
  const Lane least = lane_fill (-125.0f), some = _mm256_cmp_ps (x, least, _CMP_NLT_UQ);
  x = _mm256_max_ps (least, x);
  const Lane n = _mm256_round_ps (x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m256i power = _mm256_slli_epi32 (_mm256_add_epi32 (_mm256_cvtps_epi32 (n), _mm256_set1_epi32 (127)), 23);
  return _mm256_and_ps (_mm256_mul_ps (exp2_part (_mm256_sub_ps (x, n), coarse), _mm256_castsi256_ps (power)), some);
#endif
}

/* The new maxima and by how much older sums shrink; what exponents are relative to in about. True when something shrinks. */
PMT_INLINE bool
attend_begin (int64_t keys, const float *logits, float *top, float *shrink, Lane about[2], bool coarse)
{
  Lane max[2][2];
  for (int h = 0; h < 2; h++)
    max[0][h] = max[1][h] = lane_load (top + h * LANE);
  int64_t i = 0;
  for (; i + 2 <= keys; i += 2)
    for (int u = 0; u < 2; u++)
      for (int h = 0; h < 2; h++)
        max[u][h] = lane_max (lane_load (logits + (i + u) * TILE_COLUMNS + h * LANE), max[u][h]);
  for (; i < keys; i++)
    for (int h = 0; h < 2; h++)
      max[0][h] = lane_max (lane_load (logits + i * TILE_COLUMNS + h * LANE), max[0][h]);

  bool shrinks = false;
  for (int h = 0; h < 2; h++) {
    /* A whole number is what weigh.h needs. Nothing but -infinity so far: any finite maximum gives the zeros that belong there. */
    const Lane most = lane_max (max[1][h], max[0][h]), best = coarse ? lane_ceil (most) : most;
    about[h] = lane_max (best, lane_fill (-3e38f));
    lane_store (shrink + h * LANE, lane_exp2 (lane_sub (lane_load (top + h * LANE), about[h]), coarse));
    lane_store (top + h * LANE, best);
  }
  for (int j = 0; j < TILE_COLUMNS; j++)
    shrinks |= shrink[j] != 1.0f;
  return shrinks;
}

PMT_INLINE void
attend_end (float *sum, const float *shrink, Lane part[2][2])
{
  for (int h = 0; h < 2; h++)
    lane_store (sum + h * LANE, lane_fma (lane_load (sum + h * LANE), lane_load (shrink + h * LANE), lane_add (part[0][h], part[1][h])));
}

static bool
attend_f32 (int64_t keys, const float *logits, float *top, float *sum, float *shrink, void *packed)
{
  float *out = packed;
  Lane about[2], part[2][2];
  const bool shrinks = attend_begin (keys, logits, top, shrink, about, false);
  for (int h = 0; h < 2; h++)
    part[0][h] = part[1][h] = lane_zero ();
  for (int64_t i = 0; i < keys; i++)
    for (int h = 0; h < 2; h++) {
      const Lane e = lane_exp2 (lane_sub (lane_load (logits + i * TILE_COLUMNS + h * LANE), about[h]), false);
      lane_store (out + i * TILE_COLUMNS + h * LANE, e);
      part[0][h] = lane_add (part[0][h], e);
    }
  attend_end (sum, shrink, part);
  return shrinks;
}

static void
scale_columns (float *c, int64_t rows, const float *factor)
{
  const Lane left = lane_load (factor), right = lane_load (factor + LANE);
  for (int64_t r = 0; r < rows; r++, c += TILE_COLUMNS) {
    lane_store (c, lane_mul (lane_load (c), left));
    lane_store (c + LANE, lane_mul (lane_load (c + LANE), right));
  }
}

static void
keys_f32 (const float *x, int64_t ldx, int64_t keys, int64_t d, void *left)
{
  float *out = left;
  for (int64_t key = 0; key < keys; key += TILE_ROWS, out += TILE_ROWS * d) {
    const int64_t rows = MIN (TILE_ROWS, keys - key);
    if (rows < TILE_ROWS)
      memset (out, 0, (size_t) (TILE_ROWS * d) * sizeof (float));
    transpose (x + key * ldx, ldx, rows, d, out, TILE_ROWS);
  }
}

static void
logits_f32 (int64_t keys, const void *left, const void *queries, int64_t d, float *logits)
{
  const float *k = left, *q = queries;
  for (int64_t key = 0; key < keys; key += TILE_ROWS, k += TILE_ROWS * d) {
    Lane acc[TILE_ROWS][2];
    for (int r = 0; r < TILE_ROWS; r++)
      acc[r][0] = acc[r][1] = lane_zero ();
    for (int64_t i = 0; i < d; i++) {
      const Lane left_half = lane_load (q + i * TILE_COLUMNS), right_half = lane_load (q + i * TILE_COLUMNS + LANE);
      for (int r = 0; r < TILE_ROWS; r++) {
        const Lane value = lane_fill (k[i * TILE_ROWS + r]);
        acc[r][0] = lane_fma (value, left_half, acc[r][0]);
        acc[r][1] = lane_fma (value, right_half, acc[r][1]);
      }
    }
    TILE_END (TILE_ROWS, logits + key * TILE_COLUMNS, TILE_COLUMNS, acc)
  }
}

static const PmtAttendKernels attend_kernels_f32 = {
  .keys = keys_f32, .logits = logits_f32, .attend = attend_f32, .scale_columns = scale_columns, .transpose = transpose,
};
#endif

#ifdef PMT_HAVE_PRODUCTS_BF16
/* Two keys at a time, whose values stand beside each other; an odd last key gets a 0. */
static bool
attend_bf16 (int64_t keys, const float *logits, float *top, float *sum, float *shrink, void *packed)
{
  uint16_t *out = packed;
  Lane about[2], part[2][2];
  const bool shrinks = attend_begin (keys, logits, top, shrink, about, true);
  for (int h = 0; h < 2; h++)
    part[0][h] = part[1][h] = lane_zero ();
  for (int64_t i = 0; i < keys; i += 2)
    for (int h = 0; h < 2; h++) {
      const float *from = logits + i * TILE_COLUMNS + h * LANE;
      const Lane a = lane_exp2 (lane_sub (lane_load (from), about[h]), true);
      const Lane b = i + 1 < keys ? lane_exp2 (lane_sub (lane_load (from + TILE_COLUMNS), about[h]), true) : lane_zero ();
      part[0][h] = lane_add (part[0][h], a);
      part[1][h] = lane_add (part[1][h], b);
      pairs_store (out + i * TILE_COLUMNS + h * 2 * LANE, a, b);
    }
  attend_end (sum, shrink, part);
  return shrinks;
}

static const PmtAttendKernels attend_kernels_bf16 = {
  .keys = keys_bf16, .logits = logits_bf16, .attend = attend_bf16, .scale_columns = scale_columns, .transpose = transpose,
#ifdef __AVX512BF16__
  .weigh = weigh_bf16,
#endif
};
#endif
