/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Heun's method, the second-order one of Karras et al. 2022 (algorithm 1): an Euler step, then the same step again with the mean of the
 * slopes at both ends. The last step, to no noise, is Euler's alone, so n steps are 2 n - 1 evaluations. */
#include "engine/sample/samplers/common.h"

/* Evaluation 0 is at the first level; evaluations 2 k - 1 and 2 k are both at level k: the one ends a step, the other begins one. */
PmtGrid *
pmt_heun_grid (const PmtSchedule *schedule, int steps, bool karras, GError **error)
{
  PmtGrid *grid = pmt_grid_new (schedule, steps, 2 * steps - 1, error);
  if (!grid)
    return NULL;
  grid->order = 2;
  if (!pmt_sigma_fill (schedule, steps, karras, grid->timestep, grid->sigma, error)) {
    pmt_grid_free (grid);
    return NULL;
  }
  for (int k = steps - 1; k > 0; k--) {
    grid->timestep[2 * k] = grid->timestep[2 * k - 1] = grid->timestep[k];
    grid->sigma[2 * k] = grid->sigma[2 * k - 1] = grid->sigma[k];
  }
  grid->sigma[grid->n] = 0.0;
  grid->init_sigma = pmt_sigma_start (schedule, grid->sigma[0]);
  return grid;
}

size_t
pmt_heun_state_size (size_t n)
{
  return 2 * n * sizeof (float);
}

void
pmt_heun_step (PmtSolver *s, int i, const float *output, float *x)
{
  float *begun = s->state, *slope = begun + s->n; /* where the step began, and the slope there */
  const double *sigma = s->grid->sigma;
  const PmtLevel level = pmt_level_from_sigma (sigma[i]);
  const bool second = i % 2 == 1;
  const double width = second ? sigma[i] - sigma[i - 1] : sigma[i + 1] - sigma[i];
  for (size_t k = 0; k < s->n; k++) {
    float clean;
    pmt_predict_split (s->schedule->config.prediction, level, &output[k], &x[k], level.a, 1, &clean, NULL);
    const double here = ((double) x[k] - clean) / sigma[i];
    if (second) {
      x[k] = (float) (begun[k] + 0.5 * (slope[k] + here) * width);
      continue;
    }
    begun[k] = x[k];
    slope[k] = (float) here;
    x[k] = (float) (x[k] + here * width);
  }
}

static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  return pmt_heun_grid (schedule, steps, false, error);
}

const PmtSampler pmt_sampler_heun = {
  .id = "heun",
  .label = N_("Heun"),
  .grid = make_grid,
  .state_size = pmt_heun_state_size,
  .scale_input = pmt_sigma_scale_input,
  .add_noise = pmt_sigma_add_noise,
  .step = pmt_heun_step,
  .denoised = pmt_sigma_denoised,
};
