/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The multistep sampling of latent consistency models (Luo et al. 2023, algorithm 3): a clean estimate, noised anew to the next level. */
#include <math.h>
#include <string.h>

#include "engine/sample/samplers/common.h"

/* The consistency function is kept in the estimate by its boundary condition: at timestep 0 it would be x itself. */
static void
denoised (const PmtSolver *s, int i, const float *output, const float *x, float *out)
{
  const double var = 0.5 * 0.5, t = 10.0 * s->grid->timestep[i];
  const double skip = var / (t * t + var), gain = t / sqrt (t * t + var);
  pmt_abar_denoised (s, i, output, x, out);
  for (size_t k = 0; k < s->n; k++)
    out[k] = (float) (gain * out[k] + skip * x[k]);
}

static size_t
state_size (size_t n)
{
  return n * sizeof (float);
}

static void
step (PmtSolver *s, int i, const float *output, float *x)
{
  float *clean = s->state;
  denoised (s, i, output, x, clean);
  if (i + 1 < s->grid->n)
    pmt_abar_add_noise (s, i + 1, clean, pmt_solver_draw (s), x);
  else
    memcpy (x, clean, s->n * sizeof (float));
}

const PmtSampler pmt_sampler_lcm = {
  .id = "lcm",
  .label = N_("LCM"),
  .stochastic = true,
  .advised_steps = 4,
  .advised_guidance = 1.5,
  .grid = pmt_few_steps_grid,
  .most_steps = pmt_few_steps_most,
  .state_size = state_size,
  .add_noise = pmt_abar_add_noise,
  .step = step,
  .denoised = denoised,
};
