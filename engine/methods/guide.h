/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The prediction of a step led by a gradient, as classifier guidance does it (Dhariwal and Nichol 2021): the noise that it implies gets
 * k sqrt (1 - abar) times the gradient, in the scale of DDIM's latents whatever the sampler, and whatever the network predicts. */
#pragma once

#include "engine/sample/run.h"

/* `gradient` is by the track's latent as its sampler has it, of which guide is one for a loss that is to fall. Nothing in a dry run, and
 * where there is noise alone. */
void pmt_guide_prediction (PmtRun *run, const PmtStep *step, PmtTensor prediction, PmtTensor gradient, double k);

/* The noise that the prediction implies gets factor times `values`. */
void pmt_guide_noise (PmtRun *run, const PmtStep *step, PmtTensor prediction, PmtTensor values, double factor);
