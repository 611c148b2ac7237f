/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What product_int8.h needs of a level, for AVX-512 with VNNI. */
#pragma once

#include "engine/kernels/product.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
#define PMT_HAVE_PRODUCTS_INT8 1
typedef __m512i Sums;
#define sums_zero _mm512_setzero_si512
#define sums_load _mm512_loadu_si512
#define sums_fill _mm512_set1_epi32
#define sums_lane _mm512_cvtepi32_ps

/* acc += a b, four bytes to a sum. By hand, since GCC (to 15 at least) copies each accumulator before the intrinsic and runs out of registers. */
PMT_INLINE Sums
dot_int8 (Sums acc, Sums a, Sums b)
{
  __asm__ ("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
  return acc;
}

/* The smallest and largest of n values; true when one of them is NaN. */
PMT_INLINE bool
find_range (const float *x, size_t n, float *low, float *high)
{
  const __m512 inf = _mm512_set1_ps (__builtin_inff ());
  __m512 least = inf, most = _mm512_sub_ps (_mm512_setzero_ps (), inf);
  __mmask16 strange = 0;
  for (size_t i = 0; i < n; i += LANE) {
    const __mmask16 some = n - i < LANE ? (__mmask16) ((1u << (n - i)) - 1) : (__mmask16) 0xffff;
    const __m512 v = _mm512_maskz_loadu_ps (some, x + i);
    strange |= _mm512_mask_cmp_ps_mask (some, v, v, _CMP_UNORD_Q);
    least = _mm512_mask_min_ps (least, some, least, v);
    most = _mm512_mask_max_ps (most, some, most, v);
  }
  *low = _mm512_reduce_min_ps (least);
  *high = _mm512_reduce_max_ps (most);
  return strange != 0;
}

static void
convert_int8 (const float *x, void *y, size_t n)
{
  float *head = y;
  uint8_t *out = (uint8_t *) y + PMT_PRODUCT_HEAD_INT8;
  float low, high;
  const bool strange = find_range (x, n, &low, &high);
  const float step = (high - low) * (1.0f / 255.0f), inverse = step > 0 ? 1.0f / step : 0;
  head[0] = strange ? __builtin_nanf ("") : step;
  head[1] = low;
  const __m512 least = _mm512_set1_ps (low), factor = _mm512_set1_ps (inverse);
  for (size_t i = 0; i < n; i += LANE) {
    const __mmask16 some = n - i < LANE ? (__mmask16) ((1u << (n - i)) - 1) : (__mmask16) 0xffff;
    const __m512 v = _mm512_mul_ps (_mm512_sub_ps (_mm512_maskz_loadu_ps (some, x + i), least), factor);
    /* beyond the row's end lie bytes that meet weights of 0 */
    _mm_storeu_si128 ((__m128i *) (out + i), _mm512_maskz_cvtusepi32_epi8 (some, _mm512_cvtps_epi32 (v)));
  }
}

/* One column of a block, its bytes to `out`; up to the next multiple of LANE they are 0. NaN in a weight gives NaN in its column. */
static void
pack_column_int8 (const float *w, int64_t count, float *scale, float *sum, int8_t *out)
{
  __m512 largest = _mm512_setzero_ps ();
  __m512i total = _mm512_setzero_si512 ();
  __mmask16 strange = 0;
  for (int64_t i = 0; i < count; i += LANE) {
    const __mmask16 some = count - i < LANE ? (__mmask16) ((1u << (count - i)) - 1) : (__mmask16) 0xffff;
    const __m512 v = _mm512_maskz_loadu_ps (some, w + i);
    strange |= _mm512_cmp_ps_mask (v, v, _CMP_UNORD_Q);
    largest = _mm512_max_ps (_mm512_abs_ps (v), largest);
  }
  const float most = _mm512_reduce_max_ps (largest);
  const bool some_weight = most > 1e-30f; /* else 127 / most may be infinite */
  const __m512 inverse = _mm512_set1_ps (some_weight ? 127.0f / most : 0);
  for (int64_t i = 0; i < count; i += LANE) {
    const __mmask16 some = count - i < LANE ? (__mmask16) ((1u << (count - i)) - 1) : (__mmask16) 0xffff;
    const __m512 v = _mm512_mul_ps (_mm512_maskz_loadu_ps (some, w + i), inverse);
    const __m512i q = _mm512_maskz_cvtps_epi32 (_mm512_cmp_ps_mask (v, v, _CMP_ORD_Q), v);
    _mm_storeu_si128 ((__m128i *) (out + i), _mm512_cvtsepi32_epi8 (q));
    total = _mm512_add_epi32 (total, q);
  }
  *scale = strange ? __builtin_nanf ("") : some_weight ? most / 127.0f : 0;
  *sum = (float) _mm512_reduce_add_epi32 (total);
}
#endif
