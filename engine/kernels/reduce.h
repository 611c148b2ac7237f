/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sums, norms and softmax; compiled once per level by level.c. Contracts are in kernels.h. */
#pragma once

#include <math.h>
#include <stdbool.h>

#include "engine/kernels/pointwise.h"
#include "engine/kernels/vec.h"

/* Four rows at a time, so that the sums are not written and read again for each; still one row after the other. */
static void
column_sum (const float *x, float *sum, size_t rows, size_t c)
{
  size_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const float *a = x + r * c;
    for (size_t i = 0; i < c; i++)
      sum[i] = (((sum[i] + a[i]) + a[c + i]) + a[2 * c + i]) + a[3 * c + i];
  }
  for (; r < rows; r++)
    for (size_t i = 0; i < c; i++)
      sum[i] += x[r * c + i];
}

PMT_INLINE void
moment (float value, float about, float *sum, float *square)
{
  const float d = value - about;
  *sum += d;
  *square = fused_float (d, d, *square);
}

static void
column_moments (const float *x, const float *about, float *restrict sum, float *restrict square, size_t rows, size_t c)
{
  size_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const float *a = x + r * c;
    for (size_t i = 0; i < c; i++) {
      float s = sum[i], q = square[i];
      moment (a[i], about[i], &s, &q);
      moment (a[c + i], about[i], &s, &q);
      moment (a[2 * c + i], about[i], &s, &q);
      moment (a[3 * c + i], about[i], &s, &q);
      sum[i] = s;
      square[i] = q;
    }
  }
  for (; r < rows; r++)
    for (size_t i = 0; i < c; i++)
      moment (x[r * c + i], about[i], &sum[i], &square[i]);
}

static void
column_square (const float *x, const float *mean, float *sum, size_t rows, size_t c)
{
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < c; i++) {
      float d = x[r * c + i] - mean[i];
      sum[i] += d * d;
    }
}

static void
column_dot (const float *a, const float *b, float *sum, size_t rows, size_t c)
{
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < c; i++)
      sum[i] += a[r * c + i] * b[r * c + i];
}

static void
normalize (const float *x, const float *mean, const float *factor, const float *shift, float *y, size_t rows, size_t c, bool silu_too)
{
  for (size_t r = 0; r < rows; r++) {
    const float *in = x + r * c;
    float *out = y + r * c;
    if (silu_too)
      for (size_t i = 0; i < c; i++) {
        float v = fused_float (in[i] - mean[i], factor[i], shift[i]);
        out[i] = v / logistic_float (v);
      }
    else
      for (size_t i = 0; i < c; i++)
        out[i] = fused_float (in[i] - mean[i], factor[i], shift[i]);
  }
}

static float
sum_run (const float *x, size_t n)
{
  PmtVector acc[PMT_PARTS];
  float lane[PMT_LANES];
  parts_fill (acc, 0.0f);
  size_t i = 0;
  for (; i + PMT_LANES <= n; i += PMT_LANES)
    for (size_t p = 0; p < PMT_PARTS; p++)
      acc[p] += vector_load (x + i + p * PMT_VECTOR);
  parts_store (lane, acc);
  for (size_t j = 0; i < n; i++, j++)
    lane[j] += x[i];
  return lanes_sum (lane);
}

static float
square_run (const float *x, float mean, size_t n)
{
  PmtVector acc[PMT_PARTS];
  float lane[PMT_LANES];
  parts_fill (acc, 0.0f);
  size_t i = 0;
  for (; i + PMT_LANES <= n; i += PMT_LANES)
    for (size_t p = 0; p < PMT_PARTS; p++) {
      PmtVector d = vector_load (x + i + p * PMT_VECTOR) - mean;
      acc[p] += d * d;
    }
  parts_store (lane, acc);
  for (size_t j = 0; i < n; i++, j++)
    lane[j] += (x[i] - mean) * (x[i] - mean);
  return lanes_sum (lane);
}

static float
dot (const float *a, const float *b, size_t n)
{
  PmtVector acc[PMT_PARTS];
  float lane[PMT_LANES];
  parts_fill (acc, 0.0f);
  size_t i = 0;
  for (; i + PMT_LANES <= n; i += PMT_LANES)
    for (size_t p = 0; p < PMT_PARTS; p++)
      acc[p] += vector_load (a + i + p * PMT_VECTOR) * vector_load (b + i + p * PMT_VECTOR);
  parts_store (lane, acc);
  for (size_t j = 0; i < n; i++, j++)
    lane[j] += a[i] * b[i];
  return lanes_sum (lane);
}

static void
row_moments (const float *x, size_t c, float eps, float *mean, float *rstd)
{
  *mean = sum_run (x, c) / (float) c;
  *rstd = 1.0f / sqrtf (square_run (x, *mean, c) / (float) c + eps);
}

static void
layer_norm (const float *x, const float *gamma, const float *beta, float eps, float *y, size_t rows, size_t c)
{
  for (size_t r = 0; r < rows; r++) {
    const float *in = x + r * c;
    float *out = y + r * c;
    float mean, rstd;
    row_moments (in, c, eps, &mean, &rstd);
    for (size_t i = 0; i < c; i++)
      out[i] = (in[i] - mean) * rstd * gamma[i] + beta[i];
  }
}

/* Ignores NaN: whoever takes exp of the values meets it there. */
static float
max_run (const float *x, size_t n)
{
  PmtVector acc[PMT_PARTS];
  float lane[PMT_LANES], top = -INFINITY;
  parts_fill (acc, -INFINITY);
  size_t i = 0;
  for (; i + PMT_LANES <= n; i += PMT_LANES)
    for (size_t p = 0; p < PMT_PARTS; p++)
      acc[p] = vector_max (vector_load (x + i + p * PMT_VECTOR), acc[p]);
  parts_store (lane, acc);
  for (size_t j = 0; j < PMT_LANES; j++)
    top = lane[j] > top ? lane[j] : top;
  for (; i < n; i++)
    top = x[i] > top ? x[i] : top;
  return top;
}

static float
exp_sum (const float *x, float factor, float top, float *y, size_t n)
{
  for (size_t i = 0; i < n; i++)
    y[i] = exp_float (factor * x[i] - top);
  return sum_run (y, n);
}

static void
softmax (const float *x, float factor, float *y, size_t n)
{
  float sum = exp_sum (x, factor, factor * max_run (x, n), y, n);
  scale (y, 1.0f / sum, y, n);
}
