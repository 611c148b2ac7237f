/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Euler with ancestral noise from the very last timestep on, as SDXL Turbo was published with (Sauer et al. 2023); see euler_trailing.c. */
#include "engine/sample/samplers/common.h"

static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  const PmtSchedule trailing = pmt_schedule_trailing (schedule);
  return pmt_sigma_grid (&trailing, steps, false, error);
}

const PmtSampler pmt_sampler_euler_a_trailing = {
  .id = "euler-a-trailing",
  .label = N_("Euler ancestral trailing (Turbo)"),
  .stochastic = true,
  .grid = make_grid,
  .scale_input = pmt_sigma_scale_input,
  .add_noise = pmt_sigma_add_noise,
  .step = pmt_euler_a_step,
  .denoised = pmt_sigma_denoised,
};
