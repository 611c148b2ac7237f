/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/layers.h"

const PmtAttentionNames pmt_attention_names_diffusers = { "to_q", "to_k", "to_v", "to_out.0" };
const PmtAttentionNames pmt_attention_names_clip = { "q_proj", "k_proj", "v_proj", "out_proj" };

static PmtWeightRef
declare_part (PmtWeightPool *pool, const char *prefix, const char *name, const char *part, PmtWeightLayout layout, PmtShape shape)
{
  g_autofree char *full = g_strconcat (name, ".", part, NULL);
  return pmt_weight_pool_declare (pool, prefix, full, layout, shape);
}

static PmtWeightRef
declare_product (PmtWeightPool *pool, const char *prefix, const char *name, PmtWeightLayout layout, PmtShape shape)
{
  g_autofree char *full = g_strconcat (name, ".weight", NULL);
  return pmt_weight_pool_declare_product (pool, prefix, full, layout, shape);
}

PmtDense
pmt_dense_declare (PmtWeightPool *pool, const char *prefix, const char *name, int in, int out, bool bias)
{
  PmtDense layer = { 0 };
  layer.w = declare_product (pool, prefix, name, PMT_LAYOUT_PLAIN, PMT_SHAPE2 (out, in));
  if (bias)
    layer.b = declare_part (pool, prefix, name, "bias", PMT_LAYOUT_PLAIN, PMT_SHAPE1 (out));
  return layer;
}

PmtTensor
pmt_dense_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtDense *layer, PmtTensor x)
{
  return pmt_dense_run_over (ctx, pool, layer, PMT_NO_TENSOR, x);
}

/* y + scale up (down x), in y's place. */
static PmtTensor
add_low_rank (PmtContext *ctx, const PmtLowRank *more, PmtTensor x, PmtTensor y)
{
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor low = pmt_scale (ctx, pmt_linear (ctx, x, more->down, PMT_NO_TENSOR), more->scale);
  PmtTensor sum = pmt_add_over (ctx, y, pmt_linear (ctx, low, more->up, PMT_NO_TENSOR), y);
  pmt_frame_close (ctx, frame, PMT_NO_TENSOR);
  return sum;
}

PmtTensor
pmt_dense_run_over (PmtContext *ctx, const PmtWeightPool *pool, const PmtDense *layer, PmtTensor place, PmtTensor x)
{
  PmtTensor y = pmt_linear_over (ctx, place, x, pmt_weight (ctx, pool, layer->w), pmt_weight (ctx, pool, layer->b));
  const PmtLowRank *more = pmt_weight_low_rank (pool, layer->w);
  return more ? add_low_rank (ctx, more, x, y) : y;
}

PmtConv
pmt_conv_declare (PmtWeightPool *pool, const char *prefix, const char *name, int in, int out, int size, PmtConv2dParams params)
{
  PmtConv layer = { 0 };
  g_autofree char *weight = g_strconcat (name, ".weight", NULL);
  layer.w = pmt_weight_pool_declare_conv (pool, prefix, weight, PMT_SHAPE4 (out, in, size, size), params);
  layer.b = declare_part (pool, prefix, name, "bias", PMT_LAYOUT_PLAIN, PMT_SHAPE1 (out));
  layer.params = params;
  return layer;
}

PmtTensor
pmt_conv_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtConv *layer, PmtTensor x)
{
  return pmt_conv_run_over (ctx, pool, layer, PMT_NO_TENSOR, x);
}

PmtTensor
pmt_conv_run_over (PmtContext *ctx, const PmtWeightPool *pool, const PmtConv *layer, PmtTensor place, PmtTensor x)
{
  return pmt_conv2d_over (ctx, place, x, pmt_weight (ctx, pool, layer->w), pmt_weight (ctx, pool, layer->b), layer->params);
}

PmtTensor
pmt_conv_run_twice (PmtContext *ctx, const PmtWeightPool *pool, const PmtConv *layer, PmtTensor x, int64_t height, int64_t width)
{
  if (pmt_context_failed (ctx) || !x.data)
    return PMT_NO_TENSOR;
  PmtConv enlarging = *layer;
  enlarging.params.odd_height = height == 2 * x.shape.dim[1] - 1;
  enlarging.params.odd_width = width == 2 * x.shape.dim[2] - 1;
  x = pmt_conv_run (ctx, pool, &enlarging, x);
  g_assert (!x.data || (x.shape.dim[1] == height && x.shape.dim[2] == width));
  return x;
}

PmtNorm
pmt_norm_declare (PmtWeightPool *pool, const char *prefix, const char *name, int width)
{
  PmtNorm layer;
  layer.gamma = declare_part (pool, prefix, name, "weight", PMT_LAYOUT_PLAIN, PMT_SHAPE1 (width));
  layer.beta = declare_part (pool, prefix, name, "bias", PMT_LAYOUT_PLAIN, PMT_SHAPE1 (width));
  return layer;
}

PmtTensor
pmt_norm_run_group (PmtContext *ctx, const PmtWeightPool *pool, const PmtNorm *layer, PmtTensor x, PmtGroupNormParams params)
{
  return pmt_norm_run_group_over (ctx, pool, layer, PMT_NO_TENSOR, x, params);
}

PmtTensor
pmt_norm_run_group_over (PmtContext *ctx, const PmtWeightPool *pool, const PmtNorm *layer, PmtTensor place, PmtTensor x, PmtGroupNormParams params)
{
  return pmt_group_norm_over (ctx, place, x, pmt_weight (ctx, pool, layer->gamma), pmt_weight (ctx, pool, layer->beta), params);
}

PmtTensor
pmt_norm_run_layer (PmtContext *ctx, const PmtWeightPool *pool, const PmtNorm *layer, PmtTensor x, float eps)
{
  return pmt_layer_norm (ctx, x, pmt_weight (ctx, pool, layer->gamma), pmt_weight (ctx, pool, layer->beta), eps);
}

PmtAttentionLayer
pmt_attention_declare (PmtWeightPool *pool, const char *prefix, const PmtAttentionNames *names, int width, int context, int heads,
                       bool qkv_bias)
{
  PmtAttentionLayer layer;
  layer.q = pmt_dense_declare (pool, prefix, names->q, width, width, qkv_bias);
  layer.k = pmt_dense_declare (pool, prefix, names->k, context, width, qkv_bias);
  layer.v = pmt_dense_declare (pool, prefix, names->v, context, width, qkv_bias);
  layer.out = pmt_dense_declare (pool, prefix, names->out, width, width, true);
  layer.heads = heads;
  return layer;
}

PmtTensor
pmt_attention_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtAttentionLayer *layer, PmtTensor x, bool causal)
{
  PmtTensor q = pmt_dense_run (ctx, pool, &layer->q, x);
  PmtTensor k = pmt_dense_run (ctx, pool, &layer->k, x);
  PmtTensor v = pmt_dense_run (ctx, pool, &layer->v, x);
  PmtAttentionParams params = { .heads = layer->heads, .causal = causal, .precision = pmt_weight_pool_precision (pool) };
  PmtTensor mixed = pmt_attention (ctx, q, k, v, params);
  return pmt_dense_run (ctx, pool, &layer->out, mixed);
}

PmtTensor
pmt_tokens_from_grid (PmtTensor x)
{
  const int64_t *d = x.shape.dim;
  return x.data ? pmt_tensor_view (x, PMT_SHAPE3 (d[0], d[1] * d[2], d[3])) : x;
}

PmtTensor
pmt_grid_from_tokens (PmtTensor x, int64_t height, int64_t width)
{
  const int64_t *d = x.shape.dim;
  return x.data ? pmt_tensor_view (x, PMT_SHAPE4 (d[0], height, width, d[2])) : x;
}

PmtTensor
pmt_tokens_join (PmtContext *ctx, PmtTensor a, PmtTensor b)
{
  const int64_t *d = a.shape.dim, *e = b.shape.dim;
  if (pmt_context_failed (ctx) || !a.data || !b.data)
    return PMT_NO_TENSOR;
  g_assert (a.shape.rank == 3 && b.shape.rank == 3 && d[0] == e[0] && d[2] == e[2]);
  PmtTensor both = pmt_concat (ctx, pmt_tensor_view (a, PMT_SHAPE2 (d[0], d[1] * d[2])), pmt_tensor_view (b, PMT_SHAPE2 (e[0], e[1] * e[2])));
  return both.data ? pmt_tensor_view (both, PMT_SHAPE3 (d[0], d[1] + e[1], d[2])) : both;
}
