/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A register's worth of floats for kernels that no compiler vectorises well by itself, with what one does with it; and how large the tiles of
 * products are, so that their sums stay in registers. A level without fused multiply-add has none: PMT_HAVE_PRODUCTS is undefined there.
 *
 *   lane_fma (a, b, c)  a b + c, rounded once
 *   lane_max (a, b)     b where one is NaN
 *
 * Where there are bf16 values (PMT_HAVE_PRODUCTS_BF16), Pairs are as many pairs of them as a lane has values:
 *   pairs_dot (sum, a, b)   sum plus the two products of each pair
 *   pairs_store (to, a, b)  the values of lanes a and b in turn
 *   convert_bf16 (x, y, n)  rounded to nearest even; an odd last value gets a 0 beside it */
#pragma once

#include "engine/kernels/vec.h"

#if (defined(__AVX512F__) && defined(__AVX512VL__)) || (defined(__AVX2__) && defined(__FMA__))
#define PMT_HAVE_PRODUCTS 1
#include <immintrin.h>

#if defined(__AVX512F__)
#define PMT_TWELVE_ROWS 1
enum { TILE_ROWS = 12, TILE_COLUMNS = 32 };
typedef __m512 Lane;
#define lane_load _mm512_loadu_ps
#define lane_store _mm512_storeu_ps
#define lane_zero _mm512_setzero_ps
#define lane_fill _mm512_set1_ps
#define lane_fma _mm512_fmadd_ps
#define lane_max _mm512_max_ps
#define lane_sub _mm512_sub_ps
#define lane_add _mm512_add_ps
#define lane_mul _mm512_mul_ps
#define lane_ceil(x) _mm512_roundscale_ps (x, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)
#else
enum { TILE_ROWS = 6, TILE_COLUMNS = 16 };
typedef __m256 Lane;
#define lane_load _mm256_loadu_ps
#define lane_store _mm256_storeu_ps
#define lane_zero _mm256_setzero_ps
#define lane_fill _mm256_set1_ps
#define lane_fma _mm256_fmadd_ps
#define lane_max _mm256_max_ps
#define lane_sub _mm256_sub_ps
#define lane_add _mm256_add_ps
#define lane_mul _mm256_mul_ps
#define lane_ceil _mm256_ceil_ps
#endif

#if defined(__AVX512BF16__) && defined(__AVX512BW__)
#define PMT_HAVE_PRODUCTS_BF16 1
typedef __m512bh Pairs;
#define pairs_load(p) ((__m512bh) _mm512_loadu_si512 (p))
#define pairs_fill(pair) ((__m512bh) _mm512_set1_epi32 (pair))
#define pairs_dot(sum, a, b) _mm512_dpbf16_ps (sum, a, b)

/* An odd last value gets a 0 beside it. */
static void
convert_bf16 (const float *x, void *y, size_t n)
{
  uint16_t *out = y;
  size_t i = 0;
  for (; i + 32 <= n; i += 32)
    _mm512_storeu_si512 (out + i, (__m512i) _mm512_cvtne2ps_pbh (_mm512_loadu_ps (x + i + 16), _mm512_loadu_ps (x + i)));
  for (; i < n; i += 16) {
    const size_t left = n - i < 16 ? n - i : 16;
    const __mmask16 some = (__mmask16) ((1u << left) - 1), even = (__mmask16) ((1u << ((left + 1) & ~(size_t) 1)) - 1);
    _mm256_mask_storeu_epi16 (out + i, even, (__m256i) _mm512_cvtneps_pbh (_mm512_maskz_loadu_ps (some, x + i)));
  }
}

/* The values of a and b in turn. */
PMT_INLINE void
pairs_store (void *to, Lane a, Lane b)
{
  static const uint16_t order[32] = { 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29,
                                      14, 30, 15, 31 };
  const __m512i both = (__m512i) _mm512_cvtne2ps_pbh (b, a);
  _mm512_storeu_si512 (to, _mm512_permutexvar_epi16 (_mm512_loadu_si512 (order), both));
}
#endif

/* y[c, r] = x[r, c] for 8 x 8 values. */
PMT_INLINE void
transpose_eight (const float *x, int64_t ldx, float *y, int64_t ldy)
{
  __m256 a[8], b[8];
  for (int i = 0; i < 8; i++)
    a[i] = _mm256_loadu_ps (x + i * ldx);
  for (int i = 0; i < 8; i += 2) {
    b[i] = _mm256_unpacklo_ps (a[i], a[i + 1]);
    b[i + 1] = _mm256_unpackhi_ps (a[i], a[i + 1]);
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; j++) {
      a[i + 2 * j] = _mm256_shuffle_ps (b[i + j], b[i + j + 2], 0x44);
      a[i + 2 * j + 1] = _mm256_shuffle_ps (b[i + j], b[i + j + 2], 0xee);
    }
  for (int i = 0; i < 4; i++) {
    _mm256_storeu_ps (y + i * ldy, _mm256_permute2f128_ps (a[i], a[i + 4], 0x20));
    _mm256_storeu_ps (y + (i + 4) * ldy, _mm256_permute2f128_ps (a[i], a[i + 4], 0x31));
  }
}

#elif defined(PMT_NEON)
#define PMT_HAVE_PRODUCTS 1
#define PMT_TWELVE_ROWS 1
#include "engine/kernels/lane_neon.h"
#endif

#ifdef PMT_HAVE_PRODUCTS
enum { LANE = TILE_COLUMNS / 2 };

/* What of a panel is multiplied after some thousand bytes more: tiles with few rows use a weight up faster than processors fetch it by themselves, which
 * begin anew at each page. Beyond a panel lies the next one; beyond the last, nothing is read. */
PMT_INLINE void
fetch_ahead (const void *now)
{
  enum { AHEAD = 8 << 10, LINE = 64 };
  __builtin_prefetch ((const char *) now + AHEAD, 0, 2);
  __builtin_prefetch ((const char *) now + AHEAD + LINE, 0, 2);
}
#endif
