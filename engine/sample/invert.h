/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DDIM inversion (Song et al. 2021, section 4.3; Dhariwal and Nichol 2021, appendix F): the deterministic sampler run backwards, from the
 * latent of a picture to the noise that leads to it. The start of prompt-to-prompt, null-text inversion, MasaCtrl and their like, for
 * their `plan` hooks. As diffusers' DDIMInverseScheduler has it (formats.md 6.2). */
#pragma once

#include "engine/sample/run.h"

typedef struct PmtInversion {
  int steps;            /* of the whole way; 0 = the request's */
  int count;            /* how many of them are gone, from the clean end; 0 = all */
  bool guided;          /* with all that the run's methods make of a prediction (guidance …), for runs with DDIM; else the prompt's alone */
  PmtConditioning text; /* what the picture is said to show (pmt_run_encode_text); zeroed = what the track's prompt says */
  /* May change the noise [h, w, c] that an output implies before it is used; not in a dry run. NULL = it is taken as it is. */
  void (*noise) (void *user, float *noise, int height, int width, int channels);
  void *user;
} PmtInversion;

/* From `clean` [1, h, w, c] (as the UNet has latents; pmt_run_encode and pmt_run_sample_moments make them) to *noised, of the same shape
 * and in the run's memory, by nested predictions, of which plain ones are without guidance. Rows are made like the track's, with its `call` and attention hooks in
 * force, and without extra channels: networks for inpainting cannot be inverted. The result is
 * sqrt(abar) clean + sqrt(1 - abar) noise at the highest timestep gone to of DDIM's own grid; a sampler on sigmas wants it divided by sqrt(abar).
 *
 * `path` (may be NULL): count + 1 tensors that get the latents on the way, in the run's memory: [0] clean … [count] *noised. With DDIM as the
 * run's sampler, [k] is at grid point steps - k. */
gboolean pmt_run_invert (PmtRun *run, int track, const PmtInversion *inversion, PmtTensor clean, PmtTensor *path, PmtTensor *noised,
                         GError **error);

/* ---- the same without a network ---- */

/* The timesteps of an inversion, ascending; g_free it. NULL + PMT_ERROR_INPUT when that many steps cannot be done. */
double *pmt_invert_timesteps (const PmtSchedule *schedule, int steps, GError **error);
/* x (in place, n values) from the level below timestep t up to t's own, with the network's `output` at t. */
void pmt_invert_step (const PmtSchedule *schedule, int steps, double t, const float *output, size_t n, float *x);
