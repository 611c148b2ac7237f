/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/optim/adam.h"

#include <math.h>

PmtAdam
pmt_adam (double rate)
{
  return (PmtAdam) { .rate = rate, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 };
}

void
pmt_adam_step (const PmtAdam *a, int step, float *x, const float *gradient, float *mean, float *square, size_t n)
{
  const double c1 = 1 - pow (a->beta1, step), c2 = 1 - pow (a->beta2, step), keep = 1 - a->rate * a->decay;
  for (size_t k = 0; k < n; k++) {
    const double g = (double) gradient[k], m = a->beta1 * (double) mean[k] + (1 - a->beta1) * g,
                 s = a->beta2 * (double) square[k] + (1 - a->beta2) * g * g;
    mean[k] = (float) m;
    square[k] = (float) s;
    x[k] = (float) (keep * (double) x[k] - a->rate * (m / c1) / (sqrt (s / c2) + a->epsilon));
  }
}
