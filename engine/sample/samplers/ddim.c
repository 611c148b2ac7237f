/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DDIM (Song et al. 2021, eq. 12 and 16); eta 1 gives ancestral sampling. */
#include <math.h>

#include "engine/sample/samplers/common.h"

/* The level that step i arrives at: a fixed stride below its timestep, which is not always the next entry of the list (trailing
 * and linspace spacing when the stride doesn't divide). */
static double
next_abar (const PmtSolver *s, int i)
{
  return pmt_abar_at (s->schedule, s->grid->timestep[i] - s->schedule->config.train_steps / s->grid->steps);
}

static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  return pmt_abar_grid (schedule, steps, error);
}

static void
step (PmtSolver *s, int i, const float *output, float *x)
{
  const double abar = pmt_abar_at (s->schedule, s->grid->timestep[i]), next = next_abar (s, i);
  const PmtLevel level = pmt_level_from_abar (abar);
  /* Where linspace and trailing grids take a stride of nothing the variance may come out a rounding below zero. */
  const double variance = abar < 1.0 ? MAX ((1.0 - next) / (1.0 - abar) * (1.0 - abar / next), 0.0) : 0.0;
  const double sd = s->eta * sqrt (variance);
  const double a = sqrt (next), b = sqrt (MAX (1.0 - next - sd * sd, 0.0));
  const float *noise = s->eta > 0 ? pmt_solver_draw (s) : NULL;
  for (size_t k = 0; k < s->n; k++) {
    float clean, eps;
    pmt_predict_split (s->schedule->config.prediction, level, &output[k], &x[k], 1.0, 1, &clean, &eps);
    x[k] = (float) (a * clean + b * eps + (noise ? sd * noise[k] : 0.0));
  }
}

const PmtSampler pmt_sampler_ddim = {
  .id = "ddim",
  .label = N_("DDIM"),
  .uses_eta = true,
  .grid = make_grid,
  .add_noise = pmt_abar_add_noise,
  .step = step,
  .denoised = pmt_abar_denoised,
};
