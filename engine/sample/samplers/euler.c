/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Euler's method on dx/dsigma = (x - clean) / sigma (Karras et al. 2022, algorithm 2 without churn). */
#include "engine/sample/samplers/common.h"

PmtGrid *
pmt_euler_grid (const PmtSchedule *schedule, int steps, bool karras, GError **error)
{
  PmtGrid *grid = pmt_sigma_grid (schedule, steps, karras, error);
  if (grid)
    grid->sigma[steps] = pmt_final_sigma (schedule);
  return grid;
}

void
pmt_euler_step (PmtSolver *s, int i, const float *output, float *x)
{
  const double sigma = s->grid->sigma[i], next = s->grid->sigma[i + 1], ratio = (next - sigma) / sigma;
  const PmtLevel level = pmt_level_from_sigma (sigma);
  for (size_t k = 0; k < s->n; k++) {
    float clean;
    pmt_predict_split (s->schedule->config.prediction, level, &output[k], &x[k], level.a, 1, &clean, NULL);
    x[k] = (float) (x[k] + ((double) x[k] - clean) * ratio);
  }
}

static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  return pmt_euler_grid (schedule, steps, false, error);
}

const PmtSampler pmt_sampler_euler = {
  .id = "euler",
  .label = N_("Euler"),
  .grid = make_grid,
  .scale_input = pmt_sigma_scale_input,
  .add_noise = pmt_sigma_add_noise,
  .step = pmt_euler_step,
  .denoised = pmt_sigma_denoised,
};
