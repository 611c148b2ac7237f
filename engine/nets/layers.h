/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The layers that all networks are made of: handles of their weights, how to declare them, how to run them.
 *
 * `prefix` is the module's place ("down_blocks.0.resnets.1"), `name` the layer's in it ("conv1"). Widths are channels. */
#pragma once

#include "engine/nets/weight_pool.h"
#include "engine/ops/ops.h"

typedef struct PmtDense {
  PmtWeightRef w, b;
} PmtDense;

/* A linear layer in -> out. A 1x1 convolution is the same thing on NHWC: files may hold its weight as [out, in, 1, 1]. */
PmtDense pmt_dense_declare (PmtWeightPool *pool, const char *prefix, const char *name, int in, int out, bool bias);
/* x [.., in] -> [.., out] */
PmtTensor pmt_dense_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtDense *layer, PmtTensor x);
/* This and the others below: the result in a place whose values nobody needs any more (ops.h), or PMT_NO_TENSOR. */
PmtTensor pmt_dense_run_over (PmtContext *ctx, const PmtWeightPool *pool, const PmtDense *layer, PmtTensor place, PmtTensor x);

typedef struct PmtConv {
  PmtWeightRef w, b;
  PmtConv2dParams params;
} PmtConv;

/* A square kernel `size` wide, with bias. */
PmtConv pmt_conv_declare (PmtWeightPool *pool, const char *prefix, const char *name, int in, int out, int size,
                          PmtConv2dParams params);
/* x [N, H, W, in] -> [N, H', W', out] */
PmtTensor pmt_conv_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtConv *layer, PmtTensor x);
PmtTensor pmt_conv_run_over (PmtContext *ctx, const PmtWeightPool *pool, const PmtConv *layer, PmtTensor place, PmtTensor x);

/* A layer of PMT_CONV_3X3_TWICE where the larger map may lack its last row and column: height and width are 2 H or 2 H - 1, 2 W or 2 W - 1. */
PmtTensor pmt_conv_run_twice (PmtContext *ctx, const PmtWeightPool *pool, const PmtConv *layer, PmtTensor x, int64_t height, int64_t width);

typedef struct PmtNorm {
  PmtWeightRef gamma, beta;
} PmtNorm;

PmtNorm pmt_norm_declare (PmtWeightPool *pool, const char *prefix, const char *name, int width);
PmtTensor pmt_norm_run_group (PmtContext *ctx, const PmtWeightPool *pool, const PmtNorm *layer, PmtTensor x,
                              PmtGroupNormParams params);
PmtTensor pmt_norm_run_group_over (PmtContext *ctx, const PmtWeightPool *pool, const PmtNorm *layer, PmtTensor place, PmtTensor x,
                                   PmtGroupNormParams params);
PmtTensor pmt_norm_run_layer (PmtContext *ctx, const PmtWeightPool *pool, const PmtNorm *layer, PmtTensor x, float eps);

/* Names of the four projections of an attention, below its module. */
typedef struct PmtAttentionNames {
  const char *q, *k, *v, *out;
} PmtAttentionNames;

extern const PmtAttentionNames pmt_attention_names_diffusers; /* to_q to_k to_v to_out.0 */
extern const PmtAttentionNames pmt_attention_names_clip;      /* q_proj k_proj v_proj out_proj */

typedef struct PmtAttentionLayer {
  PmtDense q, k, v, out;
  int heads;
} PmtAttentionLayer;

/* `width` of queries and output, `context` of what keys and values are made from. The output projection always has a bias. */
PmtAttentionLayer pmt_attention_declare (PmtWeightPool *pool, const char *prefix, const PmtAttentionNames *names, int width,
                                         int context, int heads, bool qkv_bias);
/* Self-attention of x [N, T, width] with output projection, without residual. */
PmtTensor pmt_attention_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtAttentionLayer *layer, PmtTensor x,
                             bool causal);

/* [N, H, W, C] -> [N, H*W, C] and back: the same memory. PMT_NO_TENSOR stays what it is. */
PmtTensor pmt_tokens_from_grid (PmtTensor x);
PmtTensor pmt_grid_from_tokens (PmtTensor x, int64_t height, int64_t width);
/* Token sequences behind each other: [N, T, C] and [N, S, C] -> [N, T + S, C]. */
PmtTensor pmt_tokens_join (PmtContext *ctx, PmtTensor a, PmtTensor b);
