/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DDIM (Song et al. 2021, eq. 12 and 16); eta 1 gives ancestral sampling. */
#include <math.h>

#include "engine/sample/samplers/common.h"

static double
abar_at (const PmtSchedule *schedule, double t)
{
  if (t >= 0)
    return schedule->abar[(int) t];
  return schedule->config.set_alpha_to_one ? 1.0 : schedule->abar[0];
}

/* The level that step i arrives at: a fixed stride below its timestep, which is not always the next entry of the list (trailing
 * and linspace spacing when the stride doesn't divide). */
static double
next_abar (const PmtSolver *s, int i)
{
  return abar_at (s->schedule, s->grid->timestep[i] - s->schedule->config.train_steps / s->grid->steps);
}

static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, GError **error)
{
  PmtGrid *grid = pmt_grid_new (schedule, steps, steps, error);
  if (!grid)
    return NULL;
  if (!pmt_spacing_fill (schedule, steps, steps, false, grid->timestep, error)) {
    pmt_grid_free (grid);
    return NULL;
  }
  for (int i = 0; i < steps; i++)
    grid->sigma[i] = schedule->sigma[(int) grid->timestep[i]];
  return grid;
}

static void
add_noise (const PmtSolver *s, int i, const float *clean, const float *noise, float *out)
{
  const double abar = i < s->grid->n ? abar_at (s->schedule, s->grid->timestep[i]) : 1.0;
  pmt_level_mix (pmt_level_from_abar (abar), clean, noise, s->n, out);
}

static void
step (PmtSolver *s, int i, const float *output, float *x)
{
  const double abar = abar_at (s->schedule, s->grid->timestep[i]), next = next_abar (s, i);
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

static void
denoised (const PmtSolver *s, int i, const float *output, const float *x, float *out)
{
  pmt_predict_split (s->schedule->config.prediction, pmt_level_from_abar (abar_at (s->schedule, s->grid->timestep[i])), output, x,
                     1.0, s->n, out, NULL);
}

const PmtSampler pmt_sampler_ddim = {
  .id = "ddim",
  .label = N_("DDIM"),
  .uses_eta = true,
  .grid = make_grid,
  .add_noise = add_noise,
  .step = step,
  .denoised = denoised,
};
