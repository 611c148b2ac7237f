/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Trajectory consistency distillation's strategic stochastic sampling (Zheng et al. 2024, algorithm 2): below the next level by gamma
 * (0 to 1, here eta), along the trajectory, then up to it with fresh noise. */
#include <math.h>

#include "engine/sample/samplers/common.h"

static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  PmtGrid *grid = pmt_few_steps_grid (schedule, steps, strength, error);
  if (grid)
    grid->sigma[steps] = schedule->sigma[0]; /* it ends at timestep 0 */
  return grid;
}

static void
step (PmtSolver *s, int i, const float *output, float *x)
{
  const bool last = i + 1 == s->grid->n;
  const double next = last ? 0.0 : s->grid->timestep[i + 1];
  /* in f32, as the reference rounds it down */
  const double below = floorf ((float) (1.0 - s->eta) * (float) next);
  const PmtLevel from = pmt_level_from_abar (pmt_abar_at (s->schedule, s->grid->timestep[i]));
  const PmtLevel to = pmt_level_from_abar (pmt_abar_at (s->schedule, below));
  const bool draws = s->eta > 0 && !last;
  const double left = draws ? pmt_abar_at (s->schedule, next) / (to.a * to.a) : 1.0, keep = sqrt (left), fresh = sqrt (1.0 - left);
  const float *noise = draws ? pmt_solver_draw (s) : NULL;
  for (size_t k = 0; k < s->n; k++) {
    float clean, eps;
    pmt_predict_split (s->schedule->config.prediction, from, &output[k], &x[k], 1.0, 1, &clean, &eps);
    x[k] = (float) (keep * (to.a * clean + to.s * eps) + (noise ? fresh * noise[k] : 0.0));
  }
}

const PmtSampler pmt_sampler_tcd = {
  .id = "tcd",
  .label = N_("TCD"),
  .uses_eta = true,
  .eta = 0.3,
  .advised_steps = 4,
  .advised_guidance = 1.0,
  .grid = make_grid,
  .most_steps = pmt_few_steps_most,
  .add_noise = pmt_abar_add_noise,
  .step = step,
  .denoised = pmt_abar_denoised,
};
