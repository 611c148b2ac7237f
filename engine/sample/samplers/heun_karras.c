/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Heun's method on noise levels spaced as in Karras et al. 2022. */
#include "engine/sample/samplers/common.h"

static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  return pmt_heun_grid (schedule, steps, true, error);
}

const PmtSampler pmt_sampler_heun_karras = {
  .id = "heun-karras",
  .label = N_("Heun Karras"),
  .grid = make_grid,
  .state_size = pmt_heun_state_size,
  .scale_input = pmt_sigma_scale_input,
  .add_noise = pmt_sigma_add_noise,
  .step = pmt_heun_step,
  .denoised = pmt_sigma_denoised,
};
