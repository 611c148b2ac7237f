/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The residual block of UNet and autoencoder (He et al. 2016 with group norm and SiLU; formats.md 4.1 and 5.2). */
#pragma once

#include "engine/nets/layers.h"

typedef struct PmtResnetBlock {
  PmtNorm norm1, norm2;
  PmtConv conv1, conv2;
  PmtDense time;     /* time_emb_proj; absent in autoencoders */
  PmtDense shortcut; /* conv_shortcut, where the width changes */
  int in, out; /* widths */
  int groups;
  float eps;
} PmtResnetBlock;

/* time_width: width of the time embedding, 0 = none. few: the maps have few positions (PmtConv2dParams). */
PmtResnetBlock pmt_resnet_declare (PmtWeightPool *pool, const char *prefix, int in, int out, int time_width, int groups, float eps,
                                   bool few);

/* x [N, H, W, in], time_silu [N, time_width] = silu(embedding), the same for all blocks (or PMT_NO_TENSOR) -> [N, H, W, out]. */
PmtTensor pmt_resnet_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtResnetBlock *block, PmtTensor x, PmtTensor time_silu);
/* The same for an x that nobody needs afterwards: where the width stays, the result lies in its memory. */
PmtTensor pmt_resnet_run_over (PmtContext *ctx, const PmtWeightPool *pool, const PmtResnetBlock *block, PmtTensor x, PmtTensor time_silu);
