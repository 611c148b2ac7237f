/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the UNet and the networks cloned from it (ControlNet) have in common: the time embedding, the way down and the middle. The layer
 * and level structs serve the UNet's way up too. */
#pragma once

#include "engine/nets/conditions.h"
#include "engine/nets/resnet_block.h"
#include "engine/nets/transformer_block.h"
#include "engine/nets/unet.h"

/* conv_in's, and per level every layer's and the downsampler's */
#define PMT_UNET_MAX_SKIPS (1 + PMT_UNET_MAX_LEVELS * 17)

typedef struct PmtUnetLayer {
  PmtResnetBlock resnet;
  PmtTransformer2d *transformer; /* NULL where the block has no attention */
} PmtUnetLayer;

typedef struct PmtUnetLevel {
  int n_layers;
  PmtUnetLayer *layers;
  bool has_sampler;
  PmtConv sampler; /* after the layers: stride 2 on the way down, after enlarging on the way up */
} PmtUnetLevel;

typedef struct PmtUnetEncoder {
  PmtConditions conditions;
  PmtConv conv_in;
  PmtUnetLevel down[PMT_UNET_MAX_LEVELS];
  PmtResnetBlock mid1, mid2;
  PmtTransformer2d mid_transformer;
} PmtUnetEncoder;

/* Declares all of it; *counter is the running number of transformer blocks. */
void pmt_unet_encoder_declare (PmtUnetEncoder *encoder, PmtWeightPool *pool, const PmtUnetConfig *config, int *counter);
/* Frees what the struct holds, not the struct. */
void pmt_unet_encoder_clear (PmtUnetEncoder *encoder);

/* One layer of `block` ("up_blocks.1") at `level` of the config's lists, reading `in` channels. */
void pmt_unet_layer_declare (PmtUnetLayer *layer, PmtWeightPool *pool, const PmtUnetConfig *config, const char *block, int in,
                             int level, bool attention, PmtTransformerPlace place);
void pmt_unet_level_clear (PmtUnetLevel *level);

/* Skips in pushing order. A skip remembers the frame that was opened before it was made: when it has been used up, that frame is closed
 * around what was made of it, so the memory behaves as if skips and stream were one stack. */
typedef struct PmtUnetSkip {
  PmtTensor x;
  PmtFrame frame;
} PmtUnetSkip;

/* One evaluation. */
typedef struct PmtUnetPass {
  PmtContext *ctx;
  const PmtUnetConfig *config;
  const PmtWeightPool *pool;
  const PmtTaps *taps; /* may be NULL */
  PmtTensor context;   /* text */
  PmtTensor time_silu; /* [N, 4 C0] */
  PmtUnetSkip skips[PMT_UNET_MAX_SKIPS];
  int n_skips, most_skips; /* the way down ends when it has made so many; 0: at its end */
  bool stopped;        /* taps->seen said so: nothing more is run */
} PmtUnetPass;

/* True when `input` fits; otherwise fails the context with a sentence about "The `what`". */
bool pmt_unet_check_input (PmtContext *ctx, const char *what, const PmtUnetConfig *config, const PmtUnetInput *input);

/* Time embedding, conv_in, `hint` [N, h, w, C0] added to that (or PMT_NO_TENSOR), the way down and the middle: the middle's output, with
 * the skips left in `pass`. */
PmtTensor pmt_unet_encode (PmtUnetPass *pass, const PmtUnetEncoder *encoder, const PmtUnetInput *input, PmtTensor hint);

/* One layer, then whether to stop after it. */
PmtTensor pmt_unet_run_layer (PmtUnetPass *pass, const PmtUnetLayer *layer, PmtTensor x);
/* Sets pass->stopped when taps->seen says so. */
void pmt_unet_ask (PmtUnetPass *pass);
/* Shows x to who wants that site. */
PmtTensor pmt_unet_tap (PmtUnetPass *pass, PmtTensor x, PmtResidKind kind, int level, int index);
