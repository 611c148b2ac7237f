/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inner loops of products in 8 bits (W8A8), beside product.h's: vpdpbusd (usdot on ARM) sums four products of an unsigned and a signed byte.
 *
 * Scales belong to blocks of k, so that one large value spoils its block alone. A row of the left side is x = low + step q with q in
 * 0..255 over the block's own range (asymmetric: what comes out of SiLU and GELU is nearly all on one side), found when it is converted;
 * a column of the right side is w = scale q with q in -127..127. A block's part of the sum is then
 *   scale (step sum(qx qw) + low sum(qw)),
 * exact in 32-bit integers up to the two factors (Dettmers et al. 2022 and Xiao et al. 2023 have the arguments for such scales).
 *
 * A row's block: step and low (f32) in a head of PMT_PRODUCT_HEAD_INT8 bytes, then the bytes. A panel's block: scale [columns] and
 * sum(qw) [columns] as f32, then [quads of k][columns][4]. */
#pragma once

#include <math.h>

#include "engine/kernels/int8_neon.h"
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
  const __m512 inverse = _mm512_set1_ps (most > 0 ? 127.0f / most : 0);
  for (int64_t i = 0; i < count; i += LANE) {
    const __mmask16 some = count - i < LANE ? (__mmask16) ((1u << (count - i)) - 1) : (__mmask16) 0xffff;
    const __m512i q = _mm512_cvtps_epi32 (_mm512_mul_ps (_mm512_maskz_loadu_ps (some, w + i), inverse));
    _mm_storeu_si128 ((__m128i *) (out + i), _mm512_cvtsepi32_epi8 (q));
    total = _mm512_add_epi32 (total, q);
  }
  *scale = strange ? __builtin_nanf ("") : most / 127.0f;
  *sum = (float) _mm512_reduce_add_epi32 (total);
}
#endif

#ifdef PMT_HAVE_PRODUCTS_INT8

enum { INT8_HEAD = 2 * TILE_COLUMNS * sizeof (float) };

/* A block's sums for one row and one register of columns, with their factors, to `to`; from: what was there before, NULL for zero. */
PMT_INLINE void
end_block (Sums sums, const float *row, const float *head, const float *from, float *to)
{
  const Lane step = lane_fill (row[0]), low = lane_fill (row[1]), before = from ? lane_load (from) : lane_zero ();
  const Lane scale = lane_load (head), sum = lane_load (head + TILE_COLUMNS);
  const Lane part = lane_fma (sums_lane (sums), step, lane_mul (low, sum));
  lane_store (to, lane_fma (part, scale, before));
}

PMT_INLINE void
tile_int8_rows (int rows, const char *a, const char *b, int64_t k, float *c, int64_t ldc, bool first, const float *bias)
{
  const float *head = (const float *) b;
  const int8_t *w = (const int8_t *) b + INT8_HEAD;
  Sums acc[TILE_ROWS][2];
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++)
    acc[r][0] = acc[r][1] = sums_zero ();
  for (int64_t i = 0; i < k; i += 4) {
    const Sums left = sums_load (w + i * TILE_COLUMNS), right = sums_load (w + i * TILE_COLUMNS + 4 * LANE);
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
      int32_t four;
      memcpy (&four, a + r * PMT_PRODUCT_STRIDE_INT8 + PMT_PRODUCT_HEAD_INT8 + i, sizeof four);
      const Sums value = sums_fill (four);
      acc[r][0] = dot_int8 (acc[r][0], value, left);
      acc[r][1] = dot_int8 (acc[r][1], value, right);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) {
    const float *row = (const float *) (a + r * PMT_PRODUCT_STRIDE_INT8), *from = first ? bias : c + r * ldc;
    end_block (acc[r][0], row, head, from, c + r * ldc);
    end_block (acc[r][1], row, head + LANE, from ? from + LANE : NULL, c + r * ldc + LANE);
  }
}

static void
tile_int8 (int rows, const void *a, const void *b, int64_t k, float *c, int64_t ldc, bool first, const float *bias)
{
  TILE_SWITCH (tile_int8_rows, a, b, k, c, ldc, first, bias)
}

/* Bytes of a block of `count` values of k. */
PMT_INLINE size_t
block_bytes_int8 (int64_t count)
{
  return INT8_HEAD + (size_t) ((count + 3) / 4 * 4) * TILE_COLUMNS;
}

static void
pack_int8 (const float *w, int64_t n, int64_t k, void *packed)
{
  enum { QUADS = PMT_PRODUCT_DEPTH_INT8 / 4 };
  char *block = packed;
  float quads[TILE_COLUMNS][QUADS]; /* of bytes; moved as 32-bit values */
  memset (quads, 0, sizeof quads);
  for (int64_t i = 0; i < k; i += PMT_PRODUCT_DEPTH_INT8) {
    const int64_t count = MIN (PMT_PRODUCT_DEPTH_INT8, k - i);
    float *head = (float *) block;
    memset (head, 0, INT8_HEAD);
    for (int64_t c = 0; c < n; c++)
      pack_column_int8 (w + c * k + i, count, head + c, head + TILE_COLUMNS + c, (int8_t *) quads[c]);
    transpose (quads[0], QUADS, TILE_COLUMNS, (count + 3) / 4, (float *) (block + INT8_HEAD), TILE_COLUMNS);
    block += block_bytes_int8 (count);
  }
}

static void
unpack_int8 (const void *packed, int64_t n, int64_t k, float *w)
{
  const char *block = packed;
  for (int64_t j = 0; j < n; j += TILE_COLUMNS)
    for (int64_t i = 0; i < k; i += PMT_PRODUCT_DEPTH_INT8) {
      const int64_t count = MIN (PMT_PRODUCT_DEPTH_INT8, k - i);
      const float *scale = (const float *) block;
      const int8_t *in = (const int8_t *) block + INT8_HEAD;
      for (int64_t c = j; c < MIN (n, j + TILE_COLUMNS); c++)
        for (int64_t l = 0; l < count; l++)
          w[c * k + i + l] = scale[c - j] * in[l / 4 * 4 * TILE_COLUMNS + 4 * (c - j) + l % 4];
      block += block_bytes_int8 (count);
    }
}

static void
read_int8 (const void *panel, int64_t k, int64_t column, int64_t count, float *to)
{
  const char *block = (const char *) panel + (size_t) (k / PMT_PRODUCT_DEPTH_INT8) * block_bytes_int8 (PMT_PRODUCT_DEPTH_INT8);
  const int64_t at = k % PMT_PRODUCT_DEPTH_INT8;
  const float *scale = (const float *) block + column;
  const int8_t *in = (const int8_t *) block + INT8_HEAD + at / 4 * 4 * TILE_COLUMNS + 4 * column + at % 4;
  for (int64_t i = 0; i < count; i++)
    to[i] = scale[i] * in[4 * i];
}

static const PmtProductKernels product_int8 = {
  .rows = TILE_ROWS, .columns = TILE_COLUMNS, .depth = PMT_PRODUCT_DEPTH_INT8, .unit = 4, .value_size = 1,
  .stride = PMT_PRODUCT_STRIDE_INT8, .head = INT8_HEAD, .staged = &product_f32,
  .convert = convert_int8, .pack = pack_int8, .unpack = unpack_int8, .read = read_int8, .tile = tile_int8,
};
#endif
