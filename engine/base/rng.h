/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random numbers as torch's CPU generator makes them, so that a seed means the same picture as in PyTorch programs.
 * MT19937 (Matsumoto & Nishimura 1998) seeded by init_genrand; normals as in ATen's normal_fill (formats.md 6.4). */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct PmtRng {
  uint32_t state[624];
  int next;
  /* torch keeps the second value of a Box-Muller pair for requests of fewer than 16 values */
  double spare;
  int has_spare;
} PmtRng;

void pmt_rng_seed (PmtRng *rng, uint64_t seed);
uint32_t pmt_rng_u32 (PmtRng *rng);
float pmt_rng_uniform (PmtRng *rng); /* [0,1), 24 bits, torch.rand */

/* n standard normal values in the order torch.randn(n) gives them (also for n < 16, where torch takes another path). */
void pmt_rng_normal (PmtRng *rng, size_t n, float *out);
