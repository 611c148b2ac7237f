/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The operations as functions. All take and return tensors of ctx; see tensor/context.h for errors (sticky) and op.h for how each is
 * declared. "x [.., C]" means any leading dimensions. Weights may be shared by all rows; activations have the batch on axis 0, and
 * a row's bytes never depend on how many rows share the call. */
#pragma once

#include "engine/kernels/kernels.h"
#include "engine/ops/op.h"

/* y = x W^T + b. x [.., in], w [out, in], b [out] or PMT_NO_TENSOR -> [.., out]. */
PmtTensor pmt_linear (PmtContext *ctx, PmtTensor x, PmtTensor w, PmtTensor b);
/* pmt_geglu of that, to the bit, without its memory where the weight is packed: w [2 c, in] -> [.., c]. */
PmtTensor pmt_linear_geglu (PmtContext *ctx, PmtTensor x, PmtTensor w, PmtTensor b);

typedef struct PmtConv2dParams {
  int stride;
  int pad_top, pad_left, pad_bottom, pad_right; /* zeros */
  bool twice; /* of x made twice as large first (nearest neighbour), without a copy of it */
  bool odd_height, odd_width; /* that without its last row, column */
  bool few; /* x has few positions at the usual sizes: a larger weight would take longer to read than it saves. Says how the weight is packed */
} PmtConv2dParams;

/* x [N, H, W, Cin], w [Cout, kh, kw, Cin] (packed so by the weight loader), b [Cout] or none -> [N, H', W', Cout]. */
PmtTensor pmt_conv2d (PmtContext *ctx, PmtTensor x, PmtTensor w, PmtTensor b, PmtConv2dParams p);
#define PMT_CONV_3X3 ((PmtConv2dParams) { 1, 1, 1, 1, 1 })
#define PMT_CONV_3X3_TWICE ((PmtConv2dParams) { 1, 1, 1, 1, 1, true, false, false })
#define PMT_CONV_1X1 ((PmtConv2dParams) { 1, 0, 0, 0, 0 })

typedef struct PmtGroupNormParams {
  int groups;
  float eps;
  bool silu; /* apply SiLU to the result in the same pass */
} PmtGroupNormParams;

/* Wu & He 2018. x [N, .., C]; statistics over all of a row's positions and the C/groups channels of a group; gamma, beta [C]. */
PmtTensor pmt_group_norm (PmtContext *ctx, PmtTensor x, PmtTensor gamma, PmtTensor beta, PmtGroupNormParams p);
/* Over the last axis; gamma, beta [C]. */
PmtTensor pmt_layer_norm (PmtContext *ctx, PmtTensor x, PmtTensor gamma, PmtTensor beta, float eps);

PmtTensor pmt_silu (PmtContext *ctx, PmtTensor x);
PmtTensor pmt_gelu (PmtContext *ctx, PmtTensor x);       /* erf form */
PmtTensor pmt_relu (PmtContext *ctx, PmtTensor x);
PmtTensor pmt_tanh (PmtContext *ctx, PmtTensor x);
PmtTensor pmt_quick_gelu (PmtContext *ctx, PmtTensor x); /* x * sigmoid(1.702 x), CLIP-L */
/* x [.., 2C] = [a | gate] -> a * gelu(gate), [.., C] (Shazeer 2020; the gate is the second half). */
PmtTensor pmt_geglu (PmtContext *ctx, PmtTensor x);

/* Functions of small added networks, by torch.nn's names and constants. */
typedef enum {
  PMT_ACTIVATE_LEAKY_RELU, /* slope 0.01 below 0 */
  PMT_ACTIVATE_ELU,
  PMT_ACTIVATE_HARD_SWISH,
  PMT_ACTIVATE_HARD_SIGMOID,
  PMT_ACTIVATE_TANH,
  PMT_ACTIVATE_SIGMOID,
  PMT_ACTIVATE_SOFTPLUS,
  PMT_ACTIVATE_MISH,
  PMT_ACTIVATE_SOFTSIGN,
  PMT_ACTIVATE_RELU6,
  PMT_ACTIVATE_SELU,
  PMT_N_ACTIVATES
} PmtActivate;
PmtTensor pmt_activate (PmtContext *ctx, PmtTensor x, PmtActivate function);
const char *pmt_activate_name (PmtActivate function); /* torch.nn's class in lower case: "leakyrelu" */

PmtTensor pmt_add (PmtContext *ctx, PmtTensor a, PmtTensor b);          /* equal shapes */
PmtTensor pmt_add_rows (PmtContext *ctx, PmtTensor x, PmtTensor v);     /* x [N, .., C] + v [N, C] at every position */
PmtTensor pmt_scale (PmtContext *ctx, PmtTensor x, float factor);
PmtTensor pmt_scale_rows (PmtContext *ctx, PmtTensor x, PmtTensor w);   /* x [N, .., C] times w [N, ..] at every position */
PmtTensor pmt_concat (PmtContext *ctx, PmtTensor a, PmtTensor b);       /* on the last axis, a first */

/* The same with the result in a place whose values nobody needs any more (pmt_op_run_over): no new memory, and where it is x (or a, b) no
 * other page to write. Convolution and linear layer write to a place that they do not read. */
PmtTensor pmt_add_over (PmtContext *ctx, PmtTensor place, PmtTensor a, PmtTensor b);
PmtTensor pmt_add_rows_over (PmtContext *ctx, PmtTensor place, PmtTensor x, PmtTensor v);
PmtTensor pmt_group_norm_over (PmtContext *ctx, PmtTensor place, PmtTensor x, PmtTensor gamma, PmtTensor beta, PmtGroupNormParams p);
PmtTensor pmt_conv2d_over (PmtContext *ctx, PmtTensor place, PmtTensor x, PmtTensor w, PmtTensor b, PmtConv2dParams p);
PmtTensor pmt_linear_over (PmtContext *ctx, PmtTensor place, PmtTensor x, PmtTensor w, PmtTensor b);

/* Nearest neighbour to height x width: source index floor(i * in / out). x [N, H, W, C]. */
PmtTensor pmt_resize_nearest (PmtContext *ctx, PmtTensor x, int64_t height, int64_t width);
/* Keys' cubic convolution (a = -1/2) to height x width, stretched where it shrinks, as PIL does it and pmt_resize; of the result rows [top, top + rows)
 * and columns [left, left + columns) are made: x [N, H, W, C] -> [N, rows, columns, C]. */
typedef struct PmtResizeCubicParams {
  int height, width, top, left, rows, columns;
} PmtResizeCubicParams;
PmtTensor pmt_resize_cubic (PmtContext *ctx, PmtTensor x, PmtResizeCubicParams p);
/* Means over windows of height x width side by side, smaller ones at the far edges: x [N, H, W, C] -> [N, ceil(H/height),
 * ceil(W/width), C]. A window as large as the map gives its mean. */
PmtTensor pmt_avg_pool (PmtContext *ctx, PmtTensor x, int64_t height, int64_t width);
/* Blocks of pixels to channels: x [N, H, W, C] -> [N, H/block, W/block, C block^2], channel c block^2 + dy block + dx. */
PmtTensor pmt_pixel_unshuffle (PmtContext *ctx, PmtTensor x, int64_t block);

/* An autoencoder's moments [.., 2C] = [mean | logvar]: the log-variances held within [-30, 20]; and mean + exp(logvar / 2) noise with noise
 * [.., C] (PMT_NO_TENSOR: the mean) -> [.., C]. */
PmtTensor pmt_moments_clamp (PmtContext *ctx, PmtTensor moments);
PmtTensor pmt_moments_sample (PmtContext *ctx, PmtTensor moments, PmtTensor noise);

typedef struct PmtAttentionParams {
  int heads;
  bool causal; /* key j is hidden from query i < j */
  PmtPrecision precision; /* of the fused way's products; other than f32 it needs kernels (kernels/packed.h); int8 is bf16 where bytes are not worth it */
} PmtAttentionParams;

/* softmax(q k^T / sqrt(d)) v per head, d = C / heads, never holding the whole matrix.
 * q [N, T, C], k and v [N, S, C] -> [N, T, C]. */
PmtTensor pmt_attention (PmtContext *ctx, PmtTensor q, PmtTensor k, PmtTensor v, PmtAttentionParams p);

/* The same in three steps, for those who look at or change what is between (taps, probes, gradients). */
PmtTensor pmt_attention_logits (PmtContext *ctx, PmtTensor q, PmtTensor k, PmtAttentionParams p); /* -> [N, heads, T, S], scaled */
PmtTensor pmt_softmax (PmtContext *ctx, PmtTensor x);                                             /* over the last axis */
PmtTensor pmt_attention_mix (PmtContext *ctx, PmtTensor probs, PmtTensor v, PmtAttentionParams p); /* -> [N, T, C] */

/* Rows of a table: table [V, C], ids (n_rows * n_tokens values in [0, V)) -> [n_rows, n_tokens, C]. */
PmtTensor pmt_embedding (PmtContext *ctx, PmtTensor table, const int32_t *ids, int64_t n_rows, int64_t n_tokens);
/* The same with a second table [M, C] that continues the first: ids in [V, V + M) are its rows. PMT_NO_TENSOR = none. */
PmtTensor pmt_embedding_more (PmtContext *ctx, PmtTensor table, PmtTensor more, const int32_t *ids, int64_t n_rows, int64_t n_tokens);
