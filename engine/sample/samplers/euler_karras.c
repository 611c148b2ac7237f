/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Euler's method on noise levels spaced as in Karras et al. 2022. */
#include "engine/sample/samplers/common.h"

static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  return pmt_euler_grid (schedule, steps, true, error);
}

const PmtSampler pmt_sampler_euler_karras = {
  .id = "euler-karras",
  .label = N_("Euler Karras"),
  .grid = make_grid,
  .scale_input = pmt_sigma_scale_input,
  .add_noise = pmt_sigma_add_noise,
  .step = pmt_euler_step,
  .denoised = pmt_sigma_denoised,
};
