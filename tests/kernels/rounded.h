/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A value as products in a precision see it: in bf16 rounded to nearest even, as the hardware does it; in int8 as it is, since there whole
 * blocks are rounded together. */
#pragma once

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
