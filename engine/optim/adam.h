/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Adam with decoupled weight decay (Kingma & Ba 2015; Loshchilov & Hutter 2019), as torch.optim.AdamW does it. */
#pragma once

#include <stddef.h>

typedef struct PmtAdam {
  double rate, beta1, beta2, epsilon;
  double decay; /* of the values, in rates; 0 = plain Adam */
} PmtAdam;

/* torch's usual numbers at `rate`, without decay. */
PmtAdam pmt_adam (double rate);

/* The step-th step, from 1, on n values x. `mean` and `square` are the optimiser's and 0 before the first one. */
void pmt_adam_step (const PmtAdam *adam, int step, float *x, const float *gradient, float *mean, float *square, size_t n);
