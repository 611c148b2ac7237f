/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transforms of minimal filtering (winograd.h), compiled once per level by level.c. Each is made of one for a line, applied to the columns and
 * then to the rows; channels are lanes. */
#pragma once

#include <string.h>

#include "engine/kernels/kernels.h"
#include "engine/kernels/lane.h"
#include "engine/kernels/vec.h"

#ifdef PMT_HAVE_PRODUCTS

typedef void (*LineFunc) (const Lane *x, Lane *y);
/* Lines' transforms: so many values to so many. */
typedef struct LineTransform {
  int in, out;
  LineFunc down, across;
} LineTransform;

PMT_INLINE void
line_window_same (const Lane *x, Lane *y)
{
  y[0] = lane_sub (x[0], x[2]);
  y[1] = lane_add (x[1], x[2]);
  y[2] = lane_sub (x[2], x[1]);
  y[3] = lane_sub (x[1], x[3]);
}

PMT_INLINE void
line_window_twice (const Lane *x, Lane *y)
{
  y[0] = lane_sub (x[0], x[1]);
  y[1] = x[1];
  y[2] = lane_sub (x[2], x[1]);
}

PMT_INLINE void
line_window_half (const Lane *x, Lane *y)
{
  y[0] = lane_sub (x[0], x[2]);
  y[1] = lane_add (x[1], x[2]);
  y[2] = lane_sub (x[3], x[1]);
}

PMT_INLINE void
line_outputs_same (const Lane *x, Lane *y)
{
  y[0] = lane_add (lane_add (x[0], x[1]), x[2]);
  y[1] = lane_sub (lane_sub (x[1], x[2]), x[3]);
}

PMT_INLINE void
line_outputs_twice (const Lane *x, Lane *y)
{
  y[0] = lane_add (x[0], x[1]);
  y[1] = lane_add (x[1], x[2]);
}

/* Where the second output is left out, so is the neighbour that is equal to the last value: beyond it is 0, not that again. */
PMT_INLINE void
line_outputs_last (const Lane *x, Lane *y)
{
  y[0] = lane_add (lane_add (x[0], x[1]), x[2]);
  y[1] = lane_add (x[1], x[2]);
}

PMT_INLINE void
line_outputs_half (const Lane *x, Lane *y)
{
  y[0] = lane_add (lane_add (x[0], x[1]), x[2]);
}

/* y [out, out] of x [in, in] */
PMT_INLINE void
transform_square (LineTransform t, const Lane *x, Lane *y)
{
  Lane turned[4][4], column[4], line[4];
  for (int j = 0; j < t.in; j++) {
    for (int i = 0; i < t.in; i++)
      column[i] = x[i * t.in + j];
    t.down (column, line);
    for (int i = 0; i < t.out; i++)
      turned[i][j] = line[i];
  }
  for (int i = 0; i < t.out; i++)
    t.across (turned[i], y + i * t.out);
}

/* One lane of a product's left side. */
typedef void (*StoreFunc) (void *to, Lane value);

PMT_INLINE void
store_f32 (void *to, Lane value)
{
  lane_store (to, value);
}

PMT_INLINE void
window_lane (LineTransform t, StoreFunc store, const float *const *from, int64_t at, char *to, size_t apart)
{
  Lane x[16], y[16];
  for (int i = 0; i < t.in * t.in; i++)
    x[i] = lane_load (from[i] + at);
  transform_square (t, x, y);
  for (int p = 0; p < t.out * t.out; p++)
    store (to + (size_t) p * apart, y[p]);
}

PMT_INLINE void
window_run (LineTransform t, StoreFunc store, size_t value_size, int64_t unit, const float *const *from, int64_t count, void *to, size_t apart)
{
  int64_t i = 0;
  for (; i + LANE <= count; i += LANE)
    window_lane (t, store, from, i, (char *) to + (size_t) i * value_size, apart);
  if (i == count)
    return;
  float rest[16][LANE] = { 0 };
  const float *edge[16];
  char room[16][LANE * sizeof (float)];
  for (int j = 0; j < t.in * t.in; j++) {
    memcpy (rest[j], from[j] + i, (size_t) (count - i) * sizeof (float));
    edge[j] = rest[j];
  }
  window_lane (t, store, edge, 0, room[0], sizeof room[0]);
  for (int p = 0; p < t.out * t.out; p++)
    memcpy ((char *) to + (size_t) p * apart + (size_t) i * value_size, room[p], (size_t) ((count - i + unit - 1) / unit * unit) * value_size);
}

PMT_INLINE void
outputs_lane (LineTransform t, const float *m, int64_t apart, const float *bias, bool add, float *const *to, int64_t at)
{
  Lane x[16], y[4];
  for (int p = 0; p < t.in * t.in; p++)
    x[p] = lane_load (m + p * apart + at);
  transform_square (t, x, y);
  for (int i = 0; i < t.out * t.out; i++) {
    if (!to[i])
      continue;
    if (bias)
      y[i] = lane_add (y[i], lane_load (bias + at));
    if (add)
      y[i] = lane_add (y[i], lane_load (to[i] + at));
    lane_store (to[i] + at, y[i]);
  }
}

PMT_INLINE void
outputs_run (LineTransform t, const float *m, int64_t apart, const float *bias, bool add, float *const *to, int64_t count)
{
  int64_t i = 0;
  for (; i + LANE <= count; i += LANE)
    outputs_lane (t, m, apart, bias, add, to, i);
  if (i == count)
    return;
  const size_t bytes = (size_t) (count - i) * sizeof (float);
  float rest[4][LANE] = { 0 }, edge_bias[LANE] = { 0 };
  float *edge[4];
  for (int j = 0; j < t.out * t.out; j++) {
    edge[j] = to[j] ? rest[j] : NULL;
    if (to[j] && add)
      memcpy (rest[j], to[j] + i, bytes);
  }
  if (bias)
    memcpy (edge_bias, bias + i, bytes);
  outputs_lane (t, m + i, apart, bias ? edge_bias : NULL, add, edge, 0);
  for (int j = 0; j < t.out * t.out; j++)
    if (to[j])
      memcpy (to[j] + i, rest[j], bytes);
}

#define OUTPUTS(kind, many, few, down, across)                                                                                       \
  static void outputs_##kind (const float *m, int64_t apart, const float *bias, bool add, float *const *to, int64_t count)           \
  {                                                                                                                                  \
    outputs_run ((LineTransform) { many, few, down, across }, m, apart, bias, add, to, count);                                       \
  }
OUTPUTS (same, 4, 2, line_outputs_same, line_outputs_same)
OUTPUTS (twice, 3, 2, line_outputs_twice, line_outputs_twice)
OUTPUTS (half, 3, 1, line_outputs_half, line_outputs_half)
OUTPUTS (twice_bottom, 3, 2, line_outputs_last, line_outputs_twice)
OUTPUTS (twice_right, 3, 2, line_outputs_twice, line_outputs_last)
OUTPUTS (twice_corner, 3, 2, line_outputs_last, line_outputs_last)
#undef OUTPUTS

#define WINDOW(kind, type, few, many, value_size, unit)                                                                              \
  static void window_##kind##_##type (const float *const *from, int64_t count, void *to, size_t apart)                               \
  {                                                                                                                                  \
    const LineTransform t = { few, many, line_window_##kind, line_window_##kind };                                                   \
    window_run (t, store_##type, value_size, unit, from, count, to, apart);                                                          \
  }
WINDOW (same, f32, 4, 4, sizeof (float), 1)
WINDOW (twice, f32, 3, 3, sizeof (float), 1)
WINDOW (half, f32, 4, 3, sizeof (float), 1)

#define EACH_OUTPUTS { outputs_same, outputs_twice, outputs_half, outputs_twice_bottom, outputs_twice_right, outputs_twice_corner }
static const PmtWinogradKernels winograd_f32 = {
  .window = { window_same_f32, window_twice_f32, window_half_f32 },
  .outputs = EACH_OUTPUTS,
};

#ifdef PMT_HAVE_PRODUCTS_BF16
PMT_INLINE void
store_bf16 (void *to, Lane value)
{
#ifdef __AVX512BF16__
  _mm256_storeu_si256 (to, (__m256i) _mm512_cvtneps_pbh (value));
#else
  vst1_u16 (to, four_bf16 (value));
#endif
}

WINDOW (same, bf16, 4, 4, sizeof (uint16_t), 2)
WINDOW (twice, bf16, 3, 3, sizeof (uint16_t), 2)
WINDOW (half, bf16, 4, 3, sizeof (uint16_t), 2)

static const PmtWinogradKernels winograd_bf16 = {
  .window = { window_same_bf16, window_twice_bf16, window_half_bf16 },
  .outputs = EACH_OUTPUTS,
};
#endif
#undef WINDOW
#undef EACH_OUTPUTS

#endif
