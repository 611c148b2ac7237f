/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PNDM (Liu et al. 2022) in the form called PLMS: the linear multistep part alone, started by a step that is done twice (an Euler step,
 * then again with the mean of both outputs). Stable Diffusion 1.x was first sampled with it. */
#include <math.h>
#include <string.h>

#include "engine/sample/samplers/common.h"

enum { PAST = 4 };

typedef struct State {
  int64_t seen;   /* evaluations done */
  float values[]; /* PAST model outputs, the newest at seen_kept % PAST, then the latent that the first step began with */
} State;

/* The second entry of the list comes twice, which makes n + 1 evaluations. */
static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  PmtGrid *grid = pmt_grid_new (schedule, steps, steps > 1 ? steps + 1 : 1, error);
  if (!grid)
    return NULL;
  if (!pmt_spacing_fill (schedule, steps, steps, false, grid->timestep, error)) {
    pmt_grid_free (grid);
    return NULL;
  }
  for (int i = grid->n - 1; i > 1; i--)
    grid->timestep[i] = grid->timestep[i - 1];
  for (int i = 0; i < grid->n; i++)
    grid->sigma[i] = schedule->sigma[(int) grid->timestep[i]];
  return grid;
}

static size_t
state_size (size_t n)
{
  return sizeof (State) + (PAST + 1) * n * sizeof (float);
}

/* Adams-Bashforth over the outputs so far; [0] the newest. The second evaluation of all is combined with the first alone. */
static const double weights[PAST][PAST] = {
  { 1.0 }, { 3.0 / 2, -1.0 / 2 }, { 23.0 / 12, -16.0 / 12, 5.0 / 12 }, { 55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24 }
};

/* abar of a network trained down to pure noise is 0 at its end, where the step below has no meaning: stay just above. */
static double
abar_of (const PmtSchedule *schedule, double t)
{
  return MAX (pmt_abar_at (schedule, MIN (t, schedule->config.train_steps - 1)), 0x1p-24);
}

static void
step (PmtSolver *s, int i, const float *output, float *x)
{
  State *state = s->state;
  const size_t n = s->n;
  const int stride = s->schedule->config.train_steps / s->grid->steps;
  const int64_t seen = state->seen++;
  float *saved = state->values + PAST * n;
  const bool again = seen == 1;
  /* The repeated evaluation is not kept among the outputs, and goes over the first step's interval. */
  const int64_t newest = again ? 0 : seen > 1 ? seen - 1 : 0, kept = MIN (newest + 1, PAST);
  if (!again)
    memcpy (state->values + (size_t) (newest % PAST) * n, output, n * sizeof (float));
  if (seen == 0)
    memcpy (saved, x, n * sizeof (float));
  const double t = s->grid->timestep[i] + (again ? stride : 0), to = s->grid->timestep[i] - (again ? 0 : stride);
  const double abar = abar_of (s->schedule, t), next = abar_of (s->schedule, to);
  const PmtLevel level = pmt_level_from_abar (abar);
  const double keep = sqrt (next / abar);
  const double gain = (next - abar) / (abar * sqrt (1.0 - next) + sqrt (abar * (1.0 - abar) * next));
  for (size_t k = 0; k < n; k++) {
    double mean = 0.0;
    if (again)
      mean = 0.5 * ((double) output[k] + state->values[k]);
    for (int64_t p = 0; p < kept && !again; p++)
      mean += weights[kept - 1][p] * state->values[(size_t) ((newest - p) % PAST) * n + k];
    const float from = again ? saved[k] : x[k], out = (float) mean;
    float eps;
    pmt_predict_split (s->schedule->config.prediction, level, &out, &from, 1.0, 1, NULL, &eps);
    x[k] = (float) (keep * from - gain * eps);
  }
}

const PmtSampler pmt_sampler_pndm = {
  .id = "pndm",
  .label = N_("PNDM"),
  .grid = make_grid,
  .state_size = state_size,
  .add_noise = pmt_abar_add_noise,
  .step = step,
  .denoised = pmt_abar_denoised,
};
