/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Euler's method from the very last timestep on, whatever spacing the model's scheduler states: what networks for few steps were distilled
 * with (SDXL-Lightning, Lin et al. 2024; SD and SDXL Turbo, Sauer et al. 2023), whose single files and LoRAs cannot say so. Elsewhere known
 * as "SGM uniform". */
#include "engine/sample/samplers/common.h"

static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  const PmtSchedule trailing = pmt_schedule_trailing (schedule);
  return pmt_euler_grid (&trailing, steps, false, error);
}

const PmtSampler pmt_sampler_euler_trailing = {
  .id = "euler-trailing",
  .label = N_("Euler trailing (Lightning, Turbo)"),
  .grid = make_grid,
  .scale_input = pmt_sigma_scale_input,
  .add_noise = pmt_sigma_add_noise,
  .step = pmt_euler_step,
  .denoised = pmt_sigma_denoised,
};
