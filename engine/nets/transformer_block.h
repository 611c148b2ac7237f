/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Transformer2DModel of the UNet: self-attention, cross-attention and a gated feed-forward over the grid's tokens (Rombach et al. 2022;
 * formats.md 5.3), with the attention taps of taps.h. */
#pragma once

#include "engine/nets/layers.h"
#include "engine/nets/taps.h"

typedef struct PmtTransformerBlock {
  PmtNorm norm1, norm2, norm3;
  PmtAttentionLayer attn1, attn2;
  PmtDense ff_in, ff_out;
  PmtAttnSite self, cross; /* height and width are filled in per call; the names are owned here */
} PmtTransformerBlock;

typedef struct PmtTransformer2d {
  PmtNorm norm;
  PmtDense proj_in, proj_out; /* 1x1 convolution or linear in the file: the same product */
  int groups;
  int n_blocks;
  PmtTransformerBlock *blocks;
} PmtTransformer2d;

/* Where a transformer stands, for its sites. `*block` is the running number of blocks; it is advanced. */
typedef struct PmtTransformerPlace {
  PmtPlace place;
  int level, layer;
  int *block;
} PmtTransformerPlace;

typedef struct PmtTransformerShape {
  int width, heads, depth, context_width, groups;
} PmtTransformerShape;

PmtTransformer2d pmt_transformer_declare (PmtWeightPool *pool, const char *prefix, const PmtTransformerShape *shape,
                                          PmtTransformerPlace place);
/* Frees what the struct holds, not the struct. */
void pmt_transformer_clear (PmtTransformer2d *transformer);

/* x [N, H, W, C], context [N, S, context_width] -> [N, H, W, C], residual included. taps may be NULL. Nobody may need x afterwards:
 * the result lies in its memory, unless there is a tape. */
PmtTensor pmt_transformer_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtTransformer2d *transformer, PmtTensor x,
                               PmtTensor context, const PmtTaps *taps);
