/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Starting from a picture: shared by img2img and both ways of inpainting, in the order in which diffusers draws random numbers. */
#pragma once

#include "engine/sample/run.h"

typedef struct PmtStart {
  bool pure_at_full; /* at strength 1 start from noise alone (inpainting), not from image and noise (img2img) */
  bool need_clean;   /* the clean latents are wanted also where the start doesn't need them */
} PmtStart;

/* Sets run->first from the request's strength and starts the track: posterior sample of the picture (if needed), then initial noise.
 * *clean [1, h, w, c] gets the picture's latents, PMT_NO_TENSOR where they were not needed. PMT_ERROR_INPUT when the strength leaves
 * no step. */
gboolean pmt_start_from_image (PmtRun *run, int track, PmtStart start, PmtTensor *clean, GError **error);

/* For methods that go from a photo to noise and back: the run has a picture or its latents, its network takes nothing but latents, and its
 * sampler is DDIM without noise. Otherwise PMT_ERROR_INPUT with a sentence that names `method`. From state_new. */
gboolean pmt_start_check_inversion (const PmtRun *run, const char *method, GError **error);
/* The picture's most likely latents [1, h, w, c] as the UNet has them (the posterior's mean; nothing is drawn), or those of the request. */
gboolean pmt_start_mean (PmtRun *run, int track, PmtTensor *clean, GError **error);

/* The request's mask at latent size, nearest (source index floor(i * in / out)): h * w values in the run's memory. What is as good as 1 is 1. */
float *pmt_start_latent_mask (PmtRun *run, GError **error);

/* True when the run's UNet is GLIGEN's for inpainting, which takes its further channels in an order of its own (gligen.c). */
bool pmt_start_inpaints_boxes (const PmtRun *run);
