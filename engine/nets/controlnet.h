/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ControlNetModel (Zhang, Rao & Agrawala 2023): a clone of a UNet's way down and middle that is also shown a picture, whose every output
 * passes a 1x1 convolution and is then added to what the UNet has there (formats.md 7.5).
 *
 * The residuals come in the UNet's order of skips, the middle's last. With `global_pool` (the "shuffle" ControlNet) they are means over
 * the grid, [N, 1, 1, C], to be added at every position. */
#pragma once

#include "engine/nets/unet.h"

#define PMT_CONTROLNET_MAX_HINTS 8

typedef struct PmtControlNetConfig {
  PmtUnetConfig unet;   /* of what was cloned; its way up and out_channels mean nothing here */
  int hint_channels;    /* of the picture: 3 */
  int n_hint_widths;    /* conditioning_embedding_out_channels: the picture is made 2^(n - 1) times smaller */
  int hint_widths[PMT_CONTROLNET_MAX_HINTS];
  bool bgr;             /* the network wants the channels the other way round */
  bool global_pool;     /* the network is a "shuffle" one */
  bool pool_stated;     /* config.json says whether it is; no shape shows it */
} PmtControlNetConfig;

/* Reads config.json's object with diffusers' constructor defaults; errors as pmt_unet_config_parse. */
gboolean pmt_controlnet_config_parse (JsonObject *object, const char *file, PmtControlNetConfig *config, GError **error);

/* The configuration of a network without config.json, from the shapes of its tensors. What shapes cannot tell (heads, norm groups, how
 * time is embedded) is taken from `base`, the UNet that it is to be used with. PMT_ERROR_FORMAT where the tensors are not those of a
 * ControlNet. */
gboolean pmt_controlnet_config_derive (PmtWeights *weights, const PmtUnetConfig *base, PmtControlNetConfig *config, GError **error);

typedef struct PmtControlNet PmtControlNet;

/* With weights == NULL only the structure is made: usable in dry contexts, and loadable later. Errors as pmt_unet_new. */
PmtControlNet *pmt_controlnet_new (const PmtControlNetConfig *config, PmtWeights *weights, const PmtCancel *cancel, GError **error);
gboolean pmt_controlnet_load (PmtControlNet *net, PmtWeights *weights, const PmtCancel *cancel, GError **error);
void pmt_controlnet_free (PmtControlNet *net); /* NULL is fine */
const PmtControlNetConfig *pmt_controlnet_config (const PmtControlNet *net);
PmtWeightPool *pmt_controlnet_weights (const PmtControlNet *net); /* owned by the network */

/* What the network sees of the picture [N, H, W, hint_channels] (RGB, 0..1, -1 under an inpainting mask): [N, h, w, C0], the same at
 * every timestep. */
PmtTensor pmt_controlnet_hint (PmtContext *ctx, const PmtControlNet *net, PmtTensor picture);

/* How many residuals there are: one per skip, one for the middle. */
int pmt_controlnet_n_residuals (const PmtControlNet *net);

/* The residuals for `input` (sample: the latent that the UNet is shown, without further channels) into residual[n_residuals], times
 * `scale`; with `guess` also times 10^(-1 + k / (n - 1)), weakest at the first (without effect when pooled). `pool`: as
 * pmt_controlnet_pools says. hint: of one row (shared) or of every row. False, with the residuals cleared, when ctx has failed. */
bool pmt_controlnet_forward (PmtContext *ctx, const PmtControlNet *net, const PmtUnetInput *input, PmtTensor hint, float scale,
                             bool guess, bool pool, PmtTensor *residual);

/* Whether residuals are means over the grid: as its configuration says; where it has none, as its name or else `asked` does. */
bool pmt_controlnet_pools (const PmtControlNet *net, bool asked);

/* x [N, H, W, C] of the UNet with a residual [N, H, W, C] or [N, 1, 1, C] added. */
PmtTensor pmt_controlnet_add (PmtContext *ctx, PmtTensor x, PmtTensor residual);
