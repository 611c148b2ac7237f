/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DDPM (Ho et al. 2020, eq. 7): each step draws from the posterior between two neighbours of the list. */
#include <math.h>

#include "engine/sample/samplers/common.h"

static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  return pmt_abar_grid (schedule, steps, error);
}

static void
step (PmtSolver *s, int i, const float *output, float *x)
{
  const PmtGrid *grid = s->grid;
  const double abar = pmt_abar_at (s->schedule, grid->timestep[i]);
  /* ends at no noise at all, whatever set_alpha_to_one says of DDIM */
  const double next = i + 1 < grid->n ? pmt_abar_at (s->schedule, grid->timestep[i + 1]) : 1.0;
  const double alpha = abar / next, beta = 1.0 - alpha;
  const double from_clean = sqrt (next) * beta / (1.0 - abar), from_x = sqrt (alpha) * (1.0 - next) / (1.0 - abar);
  const double sd = sqrt (MAX ((1.0 - next) / (1.0 - abar) * beta, 1e-20));
  const PmtLevel level = pmt_level_from_abar (abar);
  const float *noise = grid->timestep[i] > 0 ? pmt_solver_draw (s) : NULL;
  for (size_t k = 0; k < s->n; k++) {
    float clean;
    pmt_predict_split (s->schedule->config.prediction, level, &output[k], &x[k], 1.0, 1, &clean, NULL);
    x[k] = (float) (from_clean * clean + from_x * x[k] + (noise ? sd * noise[k] : 0.0));
  }
}

const PmtSampler pmt_sampler_ddpm = {
  .id = "ddpm",
  .label = N_("DDPM"),
  .stochastic = true,
  .grid = make_grid,
  .add_noise = pmt_abar_add_noise,
  .step = step,
  .denoised = pmt_abar_denoised,
};
