/* SPDX-License-Identifier: GPL-3.0-or-later */
/* UniPC on the noise levels of Karras et al. 2022. */
#include "engine/sample/samplers/common.h"

static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  return pmt_dpmpp_grid (schedule, steps, true, error);
}

const PmtSampler pmt_sampler_unipc_karras = {
  .id = "unipc-karras",
  .label = N_("UniPC Karras"),
  .grid = make_grid,
  .state_size = pmt_unipc_state_size,
  .add_noise = pmt_dpmpp_add_noise,
  .step = pmt_unipc_step,
  .denoised = pmt_dpmpp_denoised,
};
