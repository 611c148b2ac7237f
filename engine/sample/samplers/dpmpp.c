/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DPM-Solver++ (Lu et al. 2022), multistep, second order, midpoint form; as an ordinary or a stochastic differential equation. */
#include <math.h>

#include "engine/sample/samplers/common.h"

typedef struct State {
  int64_t seen;     /* steps done */
  float previous[]; /* the clean estimate one step before */
} State;

PmtGrid *
pmt_dpmpp_grid (const PmtSchedule *schedule, int steps, bool karras, GError **error)
{
  PmtGrid *grid = pmt_grid_new (schedule, steps, steps, error);
  if (!grid)
    return NULL;
  grid->sigma[steps] = pmt_final_sigma (schedule);
  if (karras) {
    /* the range is that of the whole training table, not of spaced timesteps as in Euler's Karras form */
    pmt_karras_sigmas (schedule->sigma[schedule->config.train_steps - 1], schedule->sigma[0], steps, grid->sigma);
    for (int i = 0; i < steps; i++) {
      grid->timestep[i] = rint (pmt_timestep_of (schedule, grid->sigma[i]));
      grid->sigma[i] = (float) grid->sigma[i];
    }
    return grid;
  }
  if (!pmt_spacing_fill (schedule, steps + 1, steps, false, grid->timestep, error)) {
    pmt_grid_free (grid);
    return NULL;
  }
  for (int i = 0; i < steps; i++)
    grid->sigma[i] = pmt_sigma_at (schedule, grid->timestep[i]);
  return grid;
}

size_t
pmt_dpmpp_state_size (size_t n)
{
  return sizeof (State) + n * sizeof (float);
}

void
pmt_dpmpp_add_noise (const PmtSolver *s, int i, const float *clean, const float *noise, float *out)
{
  pmt_level_mix (pmt_level_from_sigma (s->grid->sigma[i]), clean, noise, s->n, out);
}

void
pmt_dpmpp_denoised (const PmtSolver *s, int i, const float *output, const float *x, float *out)
{
  pmt_predict_split (s->schedule->config.prediction, pmt_level_from_sigma (s->grid->sigma[i]), output, x, 1.0, s->n, out, NULL);
}

/* First order at the start, at the very end, and at the end of a short run, where the second is not stable. */
static bool
is_second (const PmtSolver *s, const State *state, int i)
{
  const bool last = i == s->grid->n - 1;
  return state->seen > 0 && !(last && (s->grid->n < 15 || !s->schedule->config.final_sigma_min));
}

static void
step (PmtSolver *s, int i, const float *output, float *x, bool stochastic)
{
  State *state = s->state;
  float *previous = state->previous;
  const double *sigma = s->grid->sigma;
  const PmtLevel from = pmt_level_from_sigma (sigma[i]);
  /* drawn at the last step too, where it may count for nothing: so the reference does */
  const float *noise = stochastic ? pmt_solver_draw (s) : NULL;
  if (sigma[i + 1] == 0.0) {
    /* lambda is infinite there; the limit is the clean estimate itself */
    pmt_predict_split (s->schedule->config.prediction, from, output, x, 1.0, s->n, x, NULL);
    return;
  }
  const PmtLevel to = pmt_level_from_sigma (sigma[i + 1]);
  /* lambda = log (a / s) = -log sigma */
  const double h = log (sigma[i]) - log (sigma[i + 1]);
  const bool second = is_second (s, state, i);
  const double r = second ? (log (sigma[i - 1]) - log (sigma[i])) / h : 1.0;
  const double fade = stochastic ? exp (-h) : 1.0;
  const double keep = to.s / from.s * fade, gain = -to.a * expm1 (stochastic ? -2.0 * h : -h), bend = second ? 0.5 * gain / r : 0.0;
  const double fresh = stochastic ? to.s * sqrt (-expm1 (-2.0 * h)) : 0.0;
  for (size_t k = 0; k < s->n; k++) {
    float clean;
    pmt_predict_split (s->schedule->config.prediction, from, &output[k], &x[k], 1.0, 1, &clean, NULL);
    x[k] = (float) (keep * x[k] + gain * clean + (second ? bend * ((double) clean - previous[k]) : 0.0) +
                    (noise ? fresh * noise[k] : 0.0));
    previous[k] = clean;
  }
  state->seen++;
}

void
pmt_dpmpp_step (PmtSolver *s, int i, const float *output, float *x)
{
  step (s, i, output, x, false);
}

void
pmt_dpmpp_sde_step (PmtSolver *s, int i, const float *output, float *x)
{
  step (s, i, output, x, true);
}
