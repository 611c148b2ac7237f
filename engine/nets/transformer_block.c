/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/transformer_block.h"

#define TRANSFORMER_NORM_EPS 1e-6f /* the group norm in front; unlike the resnets' 1e-5 */
#define LAYER_NORM_EPS 1e-5f

static void
declare_block (PmtTransformerBlock *block, PmtWeightPool *pool, const char *prefix, const PmtTransformerShape *shape,
               const PmtAttnSite *site)
{
  int width = shape->width;
  char *attn1 = g_strconcat (prefix, ".attn1", NULL);
  char *attn2 = g_strconcat (prefix, ".attn2", NULL);
  block->norm1 = pmt_norm_declare (pool, prefix, "norm1", width);
  block->attn1 = pmt_attention_declare (pool, attn1, &pmt_attention_names_diffusers, width, width, shape->heads, false);
  block->norm2 = pmt_norm_declare (pool, prefix, "norm2", width);
  block->attn2 = pmt_attention_declare (pool, attn2, &pmt_attention_names_diffusers, width, shape->context_width, shape->heads, false);
  block->norm3 = pmt_norm_declare (pool, prefix, "norm3", width);
  block->ff_in = pmt_dense_declare (pool, prefix, "ff.net.0.proj", width, 8 * width, true);
  block->ff_out = pmt_dense_declare (pool, prefix, "ff.net.2", 4 * width, width, true);
  block->self = *site;
  block->self.cross = false;
  block->self.name = attn1;
  block->cross = *site;
  block->cross.cross = true;
  block->cross.name = attn2;
}

PmtTransformer2d
pmt_transformer_declare (PmtWeightPool *pool, const char *prefix, const PmtTransformerShape *shape, PmtTransformerPlace place)
{
  PmtTransformer2d transformer = { 0 };
  transformer.groups = shape->groups;
  transformer.norm = pmt_norm_declare (pool, prefix, "norm", shape->width);
  transformer.proj_in = pmt_dense_declare (pool, prefix, "proj_in", shape->width, shape->width, true);
  transformer.n_blocks = shape->depth;
  transformer.blocks = g_new0 (PmtTransformerBlock, shape->depth);
  for (int i = 0; i < shape->depth; i++) {
    PmtAttnSite site = { .block = (*place.block)++, .place = place.place, .level = place.level, .layer = place.layer,
                         .depth = i, .heads = shape->heads };
    char *inner = g_strdup_printf ("%s.transformer_blocks.%d", prefix, i);
    declare_block (&transformer.blocks[i], pool, inner, shape, &site);
    g_free (inner);
  }
  transformer.proj_out = pmt_dense_declare (pool, prefix, "proj_out", shape->width, shape->width, true);
  return transformer;
}

void
pmt_transformer_clear (PmtTransformer2d *transformer)
{
  for (int i = 0; i < transformer->n_blocks; i++) {
    g_free ((char *) transformer->blocks[i].self.name);
    g_free ((char *) transformer->blocks[i].cross.name);
  }
  g_clear_pointer (&transformer->blocks, g_free);
  transformer->n_blocks = 0;
}

static void
call_tap (PmtContext *ctx, const PmtTaps *taps, unsigned wants, PmtAttnStage stage, PmtAttnCall *call)
{
  if ((wants & stage) && !pmt_context_failed (ctx))
    taps->attn (taps->user, ctx, stage, call);
}

/* x + attention(layer-normed x): fused where no tap looks between q k^T and the mixing of values, in three steps otherwise. */
static PmtTensor
attend (PmtContext *ctx, const PmtWeightPool *pool, const PmtAttentionLayer *layer, const PmtNorm *norm, const PmtAttnSite *site,
        PmtTensor x, PmtTensor context, const PmtTaps *taps)
{
  unsigned wants = taps && taps->attn && taps->attn_wants ? taps->attn_wants (taps->user, site) : 0;
  PmtAttentionParams params = { .heads = layer->heads };
  PmtAttnCall call = { .site = site };
  call.input = pmt_norm_run_layer (ctx, pool, norm, x, LAYER_NORM_EPS);
  call.context = site->cross ? context : PMT_NO_TENSOR;
  call.source_k = call.source_v = site->cross ? context : call.input;
  call_tap (ctx, taps, wants, PMT_ATTN_SOURCES, &call);
  call.q = pmt_dense_run (ctx, pool, &layer->q, call.input);
  call.k = pmt_dense_run (ctx, pool, &layer->k, call.source_k);
  call.v = pmt_dense_run (ctx, pool, &layer->v, call.source_v);
  call_tap (ctx, taps, wants, PMT_ATTN_QKV, &call);
  if (wants & (PMT_ATTN_LOGITS | PMT_ATTN_PROBS)) {
    call.logits = pmt_attention_logits (ctx, call.q, call.k, params);
    call_tap (ctx, taps, wants, PMT_ATTN_LOGITS, &call);
    call.probs = pmt_softmax (ctx, call.logits);
    call_tap (ctx, taps, wants, PMT_ATTN_PROBS, &call);
    call.out = pmt_attention_mix (ctx, call.probs, call.v, params);
  } else {
    call.out = pmt_attention (ctx, call.q, call.k, call.v, params);
  }
  call_tap (ctx, taps, wants, PMT_ATTN_OUT, &call);
  call.hidden = pmt_add (ctx, pmt_dense_run (ctx, pool, &layer->out, call.out), x);
  call_tap (ctx, taps, wants, PMT_ATTN_AFTER, &call);
  return call.hidden;
}

static PmtTensor
feed_forward (PmtContext *ctx, const PmtWeightPool *pool, const PmtTransformerBlock *block, PmtTensor x)
{
  PmtTensor h = pmt_norm_run_layer (ctx, pool, &block->norm3, x, LAYER_NORM_EPS);
  h = pmt_geglu (ctx, pmt_dense_run (ctx, pool, &block->ff_in, h));
  return pmt_add (ctx, pmt_dense_run (ctx, pool, &block->ff_out, h), x);
}

PmtTensor
pmt_transformer_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtTransformer2d *transformer, PmtTensor x, PmtTensor context,
                     const PmtTaps *taps)
{
  int64_t height = x.shape.dim[1], width = x.shape.dim[2];
  PmtFrame frame = pmt_frame_open (ctx);
  PmtGroupNormParams norm = { .groups = transformer->groups, .eps = TRANSFORMER_NORM_EPS };
  PmtTensor h = pmt_tokens_from_grid (pmt_norm_run_group (ctx, pool, &transformer->norm, x, norm));
  h = pmt_frame_close (ctx, frame, pmt_dense_run (ctx, pool, &transformer->proj_in, h));
  for (int i = 0; i < transformer->n_blocks; i++) {
    const PmtTransformerBlock *block = &transformer->blocks[i];
    PmtAttnSite self = block->self, cross = block->cross;
    self.height = cross.height = (int) height;
    self.width = cross.width = (int) width;
    h = pmt_frame_close (ctx, frame, attend (ctx, pool, &block->attn1, &block->norm1, &self, h, PMT_NO_TENSOR, taps));
    h = pmt_frame_close (ctx, frame, attend (ctx, pool, &block->attn2, &block->norm2, &cross, h, context, taps));
    h = pmt_frame_close (ctx, frame, feed_forward (ctx, pool, block, h));
  }
  h = pmt_grid_from_tokens (pmt_dense_run (ctx, pool, &transformer->proj_out, h), height, width);
  return pmt_frame_close (ctx, frame, pmt_add (ctx, h, x));
}
