/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/guide.h"

#include <math.h>

/* Below this part of picture in a latent, a change of the noise would have to be made of nothing. */
#define LEAST_PICTURE 1e-3

/* What one unit of noise more is in the network's output, the latent being what it is: x = a clean + s noise, v = a noise - s clean. */
static double
output_of_noise (PmtPrediction prediction, double a, double s)
{
  switch (prediction) {
  case PMT_PREDICT_V:
    return 1 / a;
  case PMT_PREDICT_SAMPLE:
    return -s / a;
  default:
    return 1;
  }
}

void
pmt_guide_noise (PmtRun *run, const PmtStep *step, PmtTensor prediction, PmtTensor values, double factor)
{
  const double whole = sqrt (1 + step->sigma * step->sigma), a = 1 / whole, s = step->sigma / whole;
  if (run->ctx.dry || a < LEAST_PICTURE)
    return;
  const double k = factor * output_of_noise (run->schedule->config.prediction, a, s);
  for (int64_t i = 0; i < pmt_tensor_size (prediction); i++)
    prediction.data[i] += (float) (k * values.data[i]);
}

void
pmt_guide_prediction (PmtRun *run, const PmtStep *step, PmtTensor prediction, PmtTensor gradient, double k)
{
  const double whole = sqrt (1 + step->sigma * step->sigma), by_latent = run->request->sampler->scale_input ? whole : 1;
  pmt_guide_noise (run, step, prediction, gradient, k * step->sigma / whole * by_latent);
}
