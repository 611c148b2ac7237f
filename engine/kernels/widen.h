/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Half-precision numbers as files have them, to float: exact. Compiled once per level by level.c. */
#pragma once

#include <string.h>

#include "engine/kernels/vec.h"

#if defined(__AVX512F__) || defined(__F16C__)
#include <immintrin.h>
#endif

/* Without branches and without subnormal floats (slow on most machines): a normal number's bits below the sign move to where a float has
 * them, with the exponents' biases' difference (112) added, twice for infinity and NaN; a subnormal one is its mantissa times 2^-24. */
PMT_INLINE uint32_t
half_float_bits (uint16_t half)
{
  const uint32_t magnitude = (uint32_t) (half & 0x7fff) << 13;
  const uint32_t small = float_bits ((float) (int32_t) (half & 0x7fff) * 0x1p-24f);
  const uint32_t bits = magnitude + (112u << 23) + (magnitude >= 31u << 23 ? 112u << 23 : 0);
  return (magnitude < 1u << 23 ? small : bits) | (uint32_t) (half & 0x8000) << 16;
}

enum { HALVES = 32 };

/* A number that compilers know makes vector code. */
PMT_INLINE void
widen_block (const uint8_t *x, float *y)
{
#if defined(__AVX512F__)
  for (int i = 0; i < HALVES; i += 16)
    _mm512_storeu_ps (y + i, _mm512_cvtph_ps (_mm256_loadu_si256 ((const __m256i *) (x + 2 * i))));
#elif defined(__F16C__)
  for (int i = 0; i < HALVES; i += 8)
    _mm256_storeu_ps (y + i, _mm256_cvtph_ps (_mm_loadu_si128 ((const __m128i *) (x + 2 * i))));
#else
  uint16_t half[HALVES];
  uint32_t bits[HALVES];
  memcpy (half, x, sizeof half);
  for (int i = 0; i < HALVES; i++)
    bits[i] = half_float_bits (half[i]);
  memcpy (y, bits, sizeof bits);
#endif
}

static void
widen_f16 (const void *x, float *y, size_t n)
{
  const uint8_t *bytes = x;
  size_t i = 0;
  for (; i + HALVES <= n; i += HALVES)
    widen_block (bytes + 2 * i, y + i);
  if (i < n) {
    uint8_t last[2 * HALVES] = { 0 };
    float values[HALVES];
    memcpy (last, bytes + 2 * i, 2 * (n - i));
    widen_block (last, values);
    memcpy (y + i, values, (n - i) * sizeof (float));
  }
}
