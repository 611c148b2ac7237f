/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A value as products in a precision see it: in bf16 rounded to nearest even, as the hardware does it; in int8 as it is, since there whole
 * blocks are rounded together (quantised). */
#pragma once

#include <math.h>
#include <string.h>

#include "engine/kernels/kernels.h"

static inline float
rounded (float x, PmtPrecision precision)
{
  uint32_t bits;
  if (precision != PMT_PRECISION_BF16)
    return x;
  memcpy (&bits, &x, sizeof bits);
  bits = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u;
  memcpy (&x, &bits, sizeof x);
  return x;
}

/* What int8 makes of a block of values: of the left side by the block's range, of the right by its largest. */
static inline void
quantised (float *x, int64_t n, bool left)
{
  float low = INFINITY, high = -INFINITY, largest = 0;
  for (int64_t i = 0; i < n; i++) {
    low = fminf (low, x[i]);
    high = fmaxf (high, x[i]);
    largest = fmaxf (largest, fabsf (x[i]));
  }
  const float step = left ? (high - low) * (1.0f / 255) : largest / 127, inverse = step > 0 ? (left ? 1 / step : 127 / largest) : 0;
  for (int64_t i = 0; i < n; i++)
    x[i] = left ? low + step * rintf ((x[i] - low) * inverse) : step * rintf (x[i] * inverse);
}
