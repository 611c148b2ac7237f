/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DPM-Solver++ 2M of the diffusion's stochastic equation, on the model's own timestep spacing. */
#include "engine/sample/samplers/common.h"

static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  return pmt_dpmpp_grid (schedule, steps, false, error);
}

const PmtSampler pmt_sampler_dpmpp_2m_sde = {
  .id = "dpmpp-2m-sde",
  .label = N_("DPM++ 2M SDE"),
  .stochastic = true,
  .grid = make_grid,
  .state_size = pmt_dpmpp_state_size,
  .add_noise = pmt_dpmpp_add_noise,
  .step = pmt_dpmpp_sde_step,
  .denoised = pmt_dpmpp_denoised,
};
