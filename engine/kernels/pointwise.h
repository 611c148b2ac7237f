/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Elementwise kernels; compiled once per level by level.c. Contracts are in kernels.h. */
#pragma once

#include "engine/kernels/vec.h"

static void
exp_run (const float *x, float *y, size_t n)
{
  for (size_t i = 0; i < n; i++)
    y[i] = exp_float (x[i]);
}

static void
silu (const float *x, float *y, size_t n)
{
  for (size_t i = 0; i < n; i++)
    y[i] = x[i] / logistic_float (x[i]);
}

static void
silu_grad (const float *x, const float *dy, float *dx, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    float s = sigmoid_float (x[i]);
    dx[i] += dy[i] * (s * (1.0f + x[i] * (1.0f - s)));
  }
}

static void
gelu (const float *x, float *y, size_t n)
{
  for (size_t i = 0; i < n; i++)
    y[i] = gelu_float (x[i]);
}

static void
gelu_grad (const float *x, const float *dy, float *dx, size_t n)
{
  for (size_t i = 0; i < n; i++)
    dx[i] += dy[i] * gelu_slope_float (x[i]);
}

static const float QUICK = 1.702f;

static void
quick_gelu (const float *x, float *y, size_t n)
{
  for (size_t i = 0; i < n; i++)
    y[i] = x[i] / logistic_float (QUICK * x[i]);
}

static void
quick_gelu_grad (const float *x, const float *dy, float *dx, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    float s = sigmoid_float (QUICK * x[i]);
    dx[i] += dy[i] * (s * (1.0f + QUICK * x[i] * (1.0f - s)));
  }
}

static void
geglu (const float *x, float *y, size_t rows, size_t c)
{
  for (size_t r = 0; r < rows; r++) {
    const float *a = x + r * 2 * c, *gate = a + c;
    float *out = y + r * c;
    for (size_t i = 0; i < c; i++)
      out[i] = a[i] * gelu_float (gate[i]);
  }
}

static void
geglu_grad (const float *x, const float *dy, float *dx, size_t rows, size_t c)
{
  for (size_t r = 0; r < rows; r++) {
    const float *a = x + r * 2 * c, *gate = a + c, *d = dy + r * c;
    float *da = dx + r * 2 * c, *dgate = da + c;
    for (size_t i = 0; i < c; i++) {
      float density;
      float cumulative = normal_float (gate[i], &density);
      da[i] += d[i] * (gate[i] * cumulative);
      dgate[i] += d[i] * a[i] * (cumulative + gate[i] * density);
    }
  }
}

static void
add (const float *a, const float *b, float *y, size_t n)
{
  for (size_t i = 0; i < n; i++)
    y[i] = a[i] + b[i];
}

static void
scale (const float *x, float factor, float *y, size_t n)
{
  for (size_t i = 0; i < n; i++)
    y[i] = factor * x[i];
}

static void
axpy (float factor, const float *x, float *y, size_t n)
{
  for (size_t i = 0; i < n; i++)
    y[i] += factor * x[i];
}

static void
mul_add (const float *a, const float *b, float *y, size_t n)
{
  for (size_t i = 0; i < n; i++)
    y[i] += a[i] * b[i];
}

static void
add_row (const float *x, const float *v, float *y, size_t rows, size_t c)
{
  for (size_t r = 0; r < rows; r++)
    add (x + r * c, v, y + r * c, c);
}
