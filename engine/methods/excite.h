/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What methods that follow a gradient share: the loss of Attend-and-Excite, and the step of the latent against a gradient. */
#pragma once

#include "engine/methods/sharp_maps.h"

/* Attend-and-Excite (Chefer et al. 2023): max over the tokens of max (0, 1 - the highest value of the token's sharp map). `tokens` are
 * columns of the context; `columns` those that count. Adds its gradient to those of probed[n]. */
double pmt_excite_loss (PmtProbed *probed, int n_probed, const int *columns, int n_columns, const int *tokens, int n_tokens);

/* Papers count steps of a run of fifty. Whether the step that an evaluation begins (pmt_gradient_step_begun) is one of the first `steps` of
 * those, as a part of this run; and which one is there, or under way, where such a run begins step k. */
bool pmt_gradient_step_acts (const PmtRun *run, const PmtStep *step, int steps);
int pmt_gradient_step_of_fifty (const PmtRun *run, const PmtStep *step, int64_t k);

/* The latent of a track minus k times the gradient, in the scale of DDIM's latents: samplers that work on sigmas have latents larger by
 * sqrt (1 + sigma^2), and gradients smaller by the same. Nothing in a dry run. */
void pmt_gradient_step (PmtRun *run, const PmtStep *step, int track, PmtTensor gradient, double k);
