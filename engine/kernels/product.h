/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inner loops of packed products (packed.h), compiled once per level by level.c: a tile of up to TILE_ROWS rows and two registers of
 * columns stays in registers while k runs. Each value is a sum in the order of k, whatever tile it falls into. */
#pragma once

#include <glib.h>
#include <string.h>

#include "engine/kernels/kernels.h"
#include "engine/kernels/lane.h"
#include "engine/kernels/transforms.h"

#ifdef PMT_HAVE_PRODUCTS
/* Accumulators from the bias, from what earlier blocks of k left in c, or from zero; and back to c. */
#define TILE_BEGIN(rows, c, ldc, first, bias, acc)                                                                                   \
  _Pragma ("GCC unroll 12")                                                                                                          \
  for (int r = 0; r < (rows); r++) {                                                                                                 \
    const float *from = (first) ? (bias) : (c) + r * (ldc);                                                                          \
    acc[r][0] = from ? lane_load (from) : lane_zero ();                                                                              \
    acc[r][1] = from ? lane_load (from + LANE) : lane_zero ();                                                                       \
  }
#define TILE_END(rows, c, ldc, acc)                                                                                                  \
  _Pragma ("GCC unroll 12")                                                                                                          \
  for (int r = 0; r < (rows); r++) {                                                                                                 \
    lane_store ((c) + r * (ldc), acc[r][0]);                                                                                         \
    lane_store ((c) + r * (ldc) + LANE, acc[r][1]);                                                                                  \
  }

PMT_INLINE void
tile_f32_rows (int rows, const float *a, const float *b, int64_t k, float *c, int64_t ldc, bool first, const float *bias)
{
  Lane acc[TILE_ROWS][2];
  TILE_BEGIN (rows, c, ldc, first, bias, acc)
  for (int64_t i = 0; i < k; i++) {
    const Lane left = lane_load (b + i * TILE_COLUMNS), right = lane_load (b + i * TILE_COLUMNS + LANE);
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
      const Lane value = lane_fill (a[r * PMT_PRODUCT_STRIDE_F32 + i]);
      acc[r][0] = lane_fma (value, left, acc[r][0]);
      acc[r][1] = lane_fma (value, right, acc[r][1]);
    }
  }
  TILE_END (rows, c, ldc, acc)
}

/* The number of rows has to be a constant for the accumulators to be registers. */
#define TILE_SWITCH(function, ...)                                                                                                   \
  switch (rows) {                                                                                                                    \
    TILE_CASE (function, 1, __VA_ARGS__)                                                                                             \
    TILE_CASE (function, 2, __VA_ARGS__)                                                                                             \
    TILE_CASE (function, 3, __VA_ARGS__)                                                                                             \
    TILE_CASE (function, 4, __VA_ARGS__)                                                                                             \
    TILE_CASE (function, 5, __VA_ARGS__)                                                                                             \
    TILE_CASE (function, 6, __VA_ARGS__)                                                                                             \
    TILE_MORE (function, __VA_ARGS__)                                                                                                \
  }
#define TILE_CASE(function, n, ...)                                                                                                  \
  case n:                                                                                                                            \
    function (n, __VA_ARGS__);                                                                                                       \
    break;
#if defined(PMT_TWELVE_ROWS)
#define TILE_MORE(function, ...)                                                                                                     \
  TILE_CASE (function, 7, __VA_ARGS__)                                                                                               \
  TILE_CASE (function, 8, __VA_ARGS__)                                                                                               \
  TILE_CASE (function, 9, __VA_ARGS__)                                                                                               \
  TILE_CASE (function, 10, __VA_ARGS__)                                                                                              \
  TILE_CASE (function, 11, __VA_ARGS__)                                                                                              \
  TILE_CASE (function, 12, __VA_ARGS__)
#else
#define TILE_MORE(function, ...)
#endif

static void
tile_f32 (int rows, const void *a, const void *b, int64_t k, float *c, int64_t ldc, bool first, const float *bias)
{
  TILE_SWITCH (tile_f32_rows, a, b, k, c, ldc, first, bias)
}

static void
convert_f32 (const float *x, void *y, size_t n)
{
  memcpy (y, x, n * sizeof (float));
}

/* x [rows, columns] -> y [columns, rows]; of any 32-bit values. */
static void
transpose (const float *x, int64_t ldx, int64_t rows, int64_t columns, float *y, int64_t ldy)
{
  const int64_t r_end = rows / 8 * 8, c_end = columns / 8 * 8;
  for (int64_t c = 0; c < c_end; c += 8)
    for (int64_t r = 0; r < r_end; r += 8)
      transpose_eight (x + r * ldx + c, ldx, y + c * ldy + r, ldy);
  for (int64_t c = 0; c < columns; c++)
    for (int64_t r = c < c_end ? r_end : 0; r < rows; r++)
      memcpy (&y[c * ldy + r], &x[r * ldx + c], sizeof (float));
}

/* w [n, k], n at most TILE_COLUMNS -> one panel [k][TILE_COLUMNS]; columns beyond n are 0. */
static void
pack_f32 (const float *w, int64_t n, int64_t k, void *packed)
{
  if (n < TILE_COLUMNS)
    memset (packed, 0, (size_t) k * TILE_COLUMNS * sizeof (float));
  transpose (w, k, n, k, packed, TILE_COLUMNS);
}

static void
unpack_f32 (const void *packed, int64_t n, int64_t k, float *w)
{
  const float *in = packed;
  for (int64_t j = 0; j < n; j += TILE_COLUMNS)
    for (int64_t i = 0; i < k; i++, in += TILE_COLUMNS)
      for (int64_t c = j; c < MIN (n, j + TILE_COLUMNS); c++)
        w[c * k + i] = in[c - j];
}

static void
read_f32 (const void *panel, int64_t k, int64_t column, int64_t count, float *to)
{
  memcpy (to, (const float *) panel + k * TILE_COLUMNS + column, (size_t) count * sizeof (float));
}

static const PmtProductKernels product_f32 = {
  .rows = TILE_ROWS, .columns = TILE_COLUMNS, .depth = PMT_PRODUCT_DEPTH_F32, .unit = 1, .value_size = sizeof (float),
  .stride = PMT_PRODUCT_STRIDE_F32 * sizeof (float),
  .convert = convert_f32, .pack = pack_f32, .unpack = unpack_f32, .read = read_f32, .tile = tile_f32, .winograd = &winograd_f32,
};
#endif

#ifdef PMT_HAVE_PRODUCTS_BF16
PMT_INLINE void
tile_bf16_rows (int rows, const uint16_t *a, const uint16_t *b, int64_t k, float *c, int64_t ldc, bool first, const float *bias)
{
  Lane acc[TILE_ROWS][2];
  TILE_BEGIN (rows, c, ldc, first, bias, acc)
  for (int64_t i = 0; i < k; i += 2) {
    const Pairs left = pairs_load (b + i * TILE_COLUMNS), right = pairs_load (b + i * TILE_COLUMNS + 2 * LANE);
    fetch_ahead (b + i * TILE_COLUMNS);
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
      int32_t pair;
      memcpy (&pair, a + r * PMT_PRODUCT_STRIDE_BF16 + i, sizeof pair);
      const Pairs value = pairs_fill (pair);
      acc[r][0] = pairs_dot (acc[r][0], left, value);
      acc[r][1] = pairs_dot (acc[r][1], right, value);
    }
  }
  TILE_END (rows, c, ldc, acc)
}

static void
tile_bf16 (int rows, const void *a, const void *b, int64_t k, float *c, int64_t ldc, bool first, const float *bias)
{
  TILE_SWITCH (tile_bf16_rows, a, b, k, c, ldc, first, bias)
}

/* w [n, k], n at most TILE_COLUMNS -> one panel [pairs of k][TILE_COLUMNS][2]; what is beyond n or k is 0. */
static void
pack_bf16 (const float *w, int64_t n, int64_t k, void *packed)
{
  enum { STRIP = 128 };
  float *out = packed, pairs[TILE_COLUMNS][STRIP / 2];
  memset (pairs, 0, sizeof pairs);
  for (int64_t i = 0; i < k; i += STRIP) {
    const int64_t count = MIN (STRIP, k - i);
    for (int64_t c = 0; c < n; c++)
      convert_bf16 (w + c * k + i, pairs[c], (size_t) count);
    transpose (pairs[0], STRIP / 2, TILE_COLUMNS, (count + 1) / 2, out + i / 2 * TILE_COLUMNS, TILE_COLUMNS);
  }
}

static void
unpack_bf16 (const void *packed, int64_t n, int64_t k, float *w)
{
  const uint16_t *in = packed;
  for (int64_t j = 0; j < n; j += TILE_COLUMNS)
    for (int64_t i = 0; i < k; i += 2, in += 2 * TILE_COLUMNS)
      for (int64_t c = j; c < MIN (n, j + TILE_COLUMNS); c++)
        for (int64_t h = 0; h < 2 && i + h < k; h++) {
          const uint32_t bits = (uint32_t) in[(c - j) * 2 + h] << 16;
          memcpy (&w[c * k + i + h], &bits, sizeof bits);
        }
}

static void
read_bf16 (const void *panel, int64_t k, int64_t column, int64_t count, float *to)
{
  const uint16_t *pairs = (const uint16_t *) panel + k / 2 * 2 * TILE_COLUMNS + 2 * column + k % 2;
  for (int64_t i = 0; i < count; i++) {
    const uint32_t bits = (uint32_t) pairs[2 * i] << 16;
    memcpy (&to[i], &bits, sizeof bits);
  }
}

static const PmtProductKernels product_bf16 = {
  .rows = TILE_ROWS, .columns = TILE_COLUMNS, .depth = PMT_PRODUCT_DEPTH_BF16, .unit = 2, .value_size = sizeof (uint16_t),
  .stride = PMT_PRODUCT_STRIDE_BF16 * sizeof (uint16_t),
  .convert = convert_bf16, .pack = pack_bf16, .unpack = unpack_bf16, .read = read_bf16, .tile = tile_bf16, .winograd = &winograd_bf16,
};
#endif
