/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Predicted noise made more like noise, for inversions whose result is to be sampled from again (Parmar et al. 2023, section 3.1): without
 * likeness between neighbours, of mean 0 and variance 1. */
#pragma once

#include "engine/base/rng.h"

typedef struct PmtEvenNoise {
  double apart;   /* what the likeness of neighbours counts */
  double normal;  /* what mean and variance count */
  int rounds;     /* as many times, each with `rolls` shifts */
  int rolls;
  PmtRng rng;     /* shifts are drawn here, below half a side and never 0: the noise beside itself is no neighbour */
} PmtEvenNoise;

/* Sum over channels, sizes (the noise and its 2 x 2 means down to 8 rows) and axes of mean (e shifted e)^2; adds its gradient, times
 * `factor`. e [height, width, channels]. */
double pmt_noise_likeness (PmtRng *rng, const float *e, int height, int width, int channels, double factor, float *gradient);
/* var + mean^2 - 1 - ln (var + 1e-7) over all values. */
double pmt_noise_abnormality (const float *e, int n, double factor, float *gradient);
/* In place. */
void pmt_noise_even (PmtEvenNoise *even, float *e, int height, int width, int channels);
