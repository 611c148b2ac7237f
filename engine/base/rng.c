/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/rng.h"

#include <math.h>

enum { N = 624, M = 397, BLOCK = 16, HALF = BLOCK / 2 };

static const double TWO_PI = 6.283185307179586476925286766559;

void
pmt_rng_seed (PmtRng *rng, uint64_t seed)
{
  /* torch keeps the low 32 bits only. */
  rng->state[0] = (uint32_t) seed;
  for (int i = 1; i < N; i++) {
    uint32_t before = rng->state[i - 1];
    rng->state[i] = 1812433253u * (before ^ (before >> 30)) + (uint32_t) i;
  }
  rng->next = N;
  rng->spare = 0;
  rng->has_spare = 0;
}

static uint32_t
twist (uint32_t high, uint32_t low)
{
  uint32_t y = (high & 0x80000000u) | (low & 0x7fffffffu);
  return (y >> 1) ^ ((low & 1u) ? 0x9908b0dfu : 0u);
}

static void
refill (PmtRng *rng)
{
  uint32_t *s = rng->state;
  for (int i = 0; i < N; i++)
    s[i] = s[(i + M) % N] ^ twist (s[i], s[(i + 1) % N]);
  rng->next = 0;
}

uint32_t
pmt_rng_u32 (PmtRng *rng)
{
  if (rng->next >= N)
    refill (rng);
  uint32_t y = rng->state[rng->next++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

float
pmt_rng_uniform (PmtRng *rng)
{
  return (float) (pmt_rng_u32 (rng) & 0xffffffu) * 0x1p-24f;
}

/* 53 bits from two draws, the first one being the high half. */
static double
uniform53 (PmtRng *rng)
{
  uint64_t high = pmt_rng_u32 (rng);
  uint64_t low = pmt_rng_u32 (rng);
  return (double) (((high << 32) | low) & ((UINT64_C (1) << 53) - 1)) * 0x1p-53;
}

/* The path for fewer than 16 values: Box-Muller in double, one pair at a time, the second value kept for later. */
static double
normal_single (PmtRng *rng)
{
  if (rng->has_spare) {
    rng->has_spare = 0;
    return rng->spare;
  }
  double u1 = uniform53 (rng);
  double u2 = uniform53 (rng);
  double radius = sqrt (-2.0 * log1p (-u2));
  double theta = TWO_PI * u1;
  rng->spare = radius * sin (theta);
  rng->has_spare = 1;
  return radius * cos (theta);
}

/* Sixteen uniforms become sixteen normals in place. Angle and radius are rounded to float where torch rounds them; what is left
 * is the last-bit difference of its sine and cosine. */
static void
normal_block (float *v)
{
  for (int i = 0; i < HALF; i++) {
    float u1 = 1.0f - v[i];
    float radius = sqrtf (-2.0f * logf (u1));
    float theta = (float) TWO_PI * v[i + HALF];
    v[i] = radius * cosf (theta);
    v[i + HALF] = radius * sinf (theta);
  }
}

void
pmt_rng_normal (PmtRng *rng, size_t n, float *out)
{
  if (n < BLOCK) {
    for (size_t i = 0; i < n; i++)
      out[i] = (float) normal_single (rng);
    return;
  }
  for (size_t i = 0; i < n; i++)
    out[i] = pmt_rng_uniform (rng);
  for (size_t i = 0; i + BLOCK <= n; i += BLOCK)
    normal_block (out + i);
  if (n % BLOCK != 0) {
    /* The last sixteen are drawn anew, over values that already are normals. */
    float *tail = out + n - BLOCK;
    for (int i = 0; i < BLOCK; i++)
      tail[i] = pmt_rng_uniform (rng);
    normal_block (tail);
  }
}
