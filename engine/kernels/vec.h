/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernels of one level share: lanes for reductions, and exp and the normal distribution in float.
 *
 * Elementwise loops are plain C that compilers vectorise; each value then has the same bytes in vector body and scalar tail, since
 * contraction is off and IEEE rounding is all there is. Sums need a written order instead: they use the lanes below, whose number
 * does not depend on the CPU, so sums are equal on every level. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Registers' worth of floats on the level that is being compiled; generic vectors wider than a register compile badly. */
#if defined(__AVX512F__)
#define PMT_VECTOR 16
#elif defined(__AVX__)
#define PMT_VECTOR 8
#else
#define PMT_VECTOR 4
#endif

/* A sum of n values has PMT_LANES partial sums, lane j taking values j, j + PMT_LANES, …; they live in PMT_PARTS registers. */
enum { PMT_LANES = 32, PMT_PARTS = PMT_LANES / PMT_VECTOR };

typedef float PmtVector __attribute__ ((vector_size (4 * PMT_VECTOR)));
typedef int32_t PmtVectorBits __attribute__ ((vector_size (4 * PMT_VECTOR)));
/* In memory. (Not for arguments: gcc for ARM, to 14 at least, fails on those that are aligned less than a register.) */
typedef float PmtVectorThere __attribute__ ((vector_size (4 * PMT_VECTOR), aligned (4), may_alias));

#define PMT_INLINE static inline __attribute__ ((always_inline))

PMT_INLINE PmtVector
vector_load (const float *x)
{
  return *(const PmtVectorThere *) x;
}

PMT_INLINE void
vector_store (float *x, PmtVector v)
{
  *(PmtVectorThere *) x = v;
}

PMT_INLINE void
parts_fill (PmtVector parts[PMT_PARTS], float value)
{
  for (size_t p = 0; p < PMT_PARTS; p++)
    parts[p] = (PmtVector) { 0 } + value;
}

PMT_INLINE void
parts_store (float lane[PMT_LANES], const PmtVector parts[PMT_PARTS])
{
  for (size_t p = 0; p < PMT_PARTS; p++)
    vector_store (lane + p * PMT_VECTOR, parts[p]);
}

/* a where it is greater, else b. */
PMT_INLINE PmtVector
vector_max (PmtVector a, PmtVector b)
{
  PmtVectorBits greater = (PmtVectorBits) (a > b);
  return (PmtVector) (((PmtVectorBits) a & greater) | ((PmtVectorBits) b & ~greater));
}

/* Halves at a time: the order is part of the result. */
PMT_INLINE float
lanes_sum (float lane[PMT_LANES])
{
  for (int half = PMT_LANES / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++)
      lane[i] += lane[i + half];
  return lane[0];
}

PMT_INLINE float
bits_float (uint32_t bits)
{
  float f;
  memcpy (&f, &bits, sizeof f);
  return f;
}

PMT_INLINE uint32_t
float_bits (float f)
{
  uint32_t bits;
  memcpy (&bits, &f, sizeof bits);
  return bits;
}

/* a b + c, rounded once where the level has an instruction for that. */
PMT_INLINE float
fused_float (float a, float b, float c)
{
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return __builtin_fmaf (a, b, c);
#else
  return a * b + c;
#endif
}

/* e^x within 2 ulp; 0 below -104, infinity above 88.73, subnormal results rounded like others, NaN stays.
 * x = n ln 2 + r, |r| <= ln2/2: a polynomial for e^r, then 2^n in two factors so that neither overflows early. ln 2 is split so
 * that n times its high part is exact. Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits. */
PMT_INLINE float
exp_float (float x)
{
  const float round = 12582912.0f;
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  float shifted = x * 1.44269504f + round;
  float n = shifted - round;
  float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = (p * r) * r + r + 1.0f;
  int32_t whole = (int32_t) (float_bits (shifted) - 0x4b400000u);
  int32_t half = whole >> 1;
  float low = bits_float ((uint32_t) (half + 127) << 23);
  float high = bits_float ((uint32_t) (whole - half + 127) << 23);
  return p * low * high;
}

/* e^x within 2 ulp as a product of two factors, for x in [-87, 88], in half the instructions; beyond, that of the nearer end, which 1 + e^x
 * and x e^x do not tell from the right one. NaN stays. */
PMT_INLINE float
exp_factors (float x, float *power)
{
  const float round = 12582912.0f;
  x = x > 88.0f ? 88.0f : x;
  x = x < -87.0f ? -87.0f : x;
  float shifted = fused_float (x, 1.44269504f, round);
  float n = shifted - round;
  float r = fused_float (n, 2.12194440e-4f, fused_float (n, -0.693359375f, x));
  float p = 1.9875691500e-4f;
  p = fused_float (p, r, 1.3981999507e-3f);
  p = fused_float (p, r, 8.3334519073e-3f);
  p = fused_float (p, r, 4.1665795894e-2f);
  p = fused_float (p, r, 1.6666665459e-1f);
  p = fused_float (p, r, 5.0000001201e-1f);
  *power = bits_float ((float_bits (shifted) + 127u) << 23);
  return fused_float (p * r, r, r) + 1.0f;
}

/* 1 + e^-x, which a sigmoid divides by. */
PMT_INLINE float
logistic_float (float x)
{
  float power;
  float p = exp_factors (-x, &power);
  return fused_float (p, power, 1.0f);
}

PMT_INLINE float
sigmoid_float (float x)
{
  return 1.0f / logistic_float (x);
}

/* The standard normal distribution at x: its density, and in the return value its cumulative.
 * For x > 0 the upper tail is exp(-x^2/2) t P(t), t = 1/(1 + 0.27 x), P of degree 8 fitted for least relative error on [0, 14]
 * (2.4e-8); the lower tail mirrors it, so small values keep their relative precision. */
PMT_INLINE float
normal_float (float x, float *density)
{
  float a = x < 0.0f ? -x : x;
  float t = 1.0f / (1.0f + 0.27f * a);
  float p = 0.0289155591f, power;
  p = fused_float (p, t, -0.126256645f);
  p = fused_float (p, t, 0.169294241f);
  p = fused_float (p, t, -0.068624197f);
  p = fused_float (p, t, 0.107401632f);
  p = fused_float (p, t, 0.0722393652f);
  p = fused_float (p, t, 0.101759398f);
  p = fused_float (p, t, 0.107550474f);
  p = fused_float (p, t, 0.107720183f);
  float e = exp_factors (-0.5f * (a * a), &power);
  e *= power;
  *density = e * 0.398942280f;
  float tail = e * (p * t);
  return x < 0.0f ? tail : 1.0f - tail;
}

PMT_INLINE float
gelu_float (float x)
{
  float density;
  return x * normal_float (x, &density);
}

PMT_INLINE float
gelu_slope_float (float x)
{
  float density;
  float cumulative = normal_float (x, &density);
  return cumulative + x * density;
}
