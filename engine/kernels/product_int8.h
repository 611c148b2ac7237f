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

#include "engine/kernels/transforms_int8.h"

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
    fetch_ahead (w + i * TILE_COLUMNS);
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
  .stride = PMT_PRODUCT_STRIDE_INT8, .head = INT8_HEAD, .staged = &product_f32, .back = &product_bf16,
  .convert = convert_int8, .pack = pack_int8, .unpack = unpack_int8, .read = read_int8, .tile = tile_int8, .winograd = &winograd_int8,
};
#endif
