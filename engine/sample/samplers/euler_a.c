/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Euler with ancestral noise (K. Crowson's k-diffusion): a step below the next level, then fresh noise up to it. */
#include <math.h>

#include "engine/sample/samplers/common.h"

void
pmt_euler_a_step (PmtSolver *s, int i, const float *output, float *x)
{
  const double from = s->grid->sigma[i], to = s->grid->sigma[i + 1];
  const double up = sqrt (to * to * (from * from - to * to) / (from * from)), down = sqrt (to * to - up * up);
  const double ratio = (down - from) / from;
  const PmtLevel level = pmt_level_from_sigma (from);
  /* drawn at the last step too, where it counts for nothing, so that what is drawn after it agrees with the reference */
  const float *noise = pmt_solver_draw (s);
  for (size_t k = 0; k < s->n; k++) {
    float clean;
    pmt_predict_split (s->schedule->config.prediction, level, &output[k], &x[k], level.a, 1, &clean, NULL);
    x[k] = (float) (x[k] + ((double) x[k] - clean) * ratio + up * noise[k]);
  }
}

static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  return pmt_sigma_grid (schedule, steps, false, error);
}

const PmtSampler pmt_sampler_euler_a = {
  .id = "euler-a",
  .label = N_("Euler ancestral"),
  .stochastic = true,
  .grid = make_grid,
  .scale_input = pmt_sigma_scale_input,
  .add_noise = pmt_sigma_add_noise,
  .step = pmt_euler_a_step,
  .denoised = pmt_sigma_denoised,
};
