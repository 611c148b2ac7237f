/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/transformer_block.h"

#include "engine/tensor/tape.h"

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

typedef struct Attend {
  const PmtWeightPool *pool;
  const PmtAttentionLayer *layer;
  const PmtNorm *norm;
  const PmtAttnSite *site; /* of this call, only read where there are taps */
  const PmtTaps *taps;
  unsigned wants;
  bool over; /* the result takes x's memory */
} Attend;

/* x + attention(layer-normed x), on the context where there is one: fused where no tap looks between q k^T and the mixing of values, in three steps otherwise. */
static PmtTensor
attend_part (PmtContext *ctx, const void *part_params, const PmtTensor *in)
{
  const Attend *part = part_params;
  const PmtWeightPool *pool = part->pool;
  const PmtAttentionLayer *layer = part->layer;
  const PmtTaps *taps = part->taps;
  const unsigned wants = part->wants;
  PmtTensor x = in[0], context = in[1];
  PmtAttentionParams params = { .heads = layer->heads, .precision = pmt_weight_pool_precision (pool) };
  PmtAttnCall call = { .site = part->site, .stream = x };
  call.source_q = call.input = pmt_norm_run_layer (ctx, pool, part->norm, x, LAYER_NORM_EPS);
  call.context = context;
  call.source_k = call.source_v = context.data ? context : call.input;
  call_tap (ctx, taps, wants, PMT_ATTN_SOURCES, &call);
  call.q = pmt_dense_run (ctx, pool, &layer->q, call.source_q);
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
  call.hidden = pmt_add_over (ctx, part->over ? x : PMT_NO_TENSOR, pmt_dense_run (ctx, pool, &layer->out, call.out), x);
  call_tap (ctx, taps, wants, PMT_ATTN_AFTER, &call);
  return call.hidden;
}

/* What a tap keeps for a loss is on the tape, so what is tapped is not run again. */
static PmtTensor
attend (PmtContext *ctx, const PmtWeightPool *pool, const PmtAttentionLayer *layer, const PmtNorm *norm, const PmtAttnSite *site,
        PmtTensor x, PmtTensor context, const PmtTaps *taps)
{
  const unsigned wants = taps && taps->attn && taps->attn_wants ? taps->attn_wants (taps->user, site) : 0;
  const Attend part = { pool, layer, norm, site, taps, wants, !wants && !ctx->tape };
  const PmtTensor in[] = { x, context };
  return wants ? attend_part (ctx, &part, in) : pmt_tape_checkpoint (ctx, attend_part, &part, sizeof part, in, 2);
}

typedef struct Feed {
  const PmtWeightPool *pool;
  const PmtTransformerBlock *block;
  bool over;
} Feed;

static PmtTensor
feed_part (PmtContext *ctx, const void *part, const PmtTensor *in)
{
  const PmtWeightPool *pool = ((const Feed *) part)->pool;
  const PmtTransformerBlock *block = ((const Feed *) part)->block;
  PmtTensor x = in[0];
  PmtTensor h = pmt_norm_run_layer (ctx, pool, &block->norm3, x, LAYER_NORM_EPS);
  h = pmt_linear_geglu (ctx, h, pmt_weight (ctx, pool, block->ff_in.w), pmt_weight (ctx, pool, block->ff_in.b));
  return pmt_add_over (ctx, ((const Feed *) part)->over ? x : PMT_NO_TENSOR, pmt_dense_run (ctx, pool, &block->ff_out, h), x);
}

static PmtTensor
feed_forward (PmtContext *ctx, const PmtWeightPool *pool, const PmtTransformerBlock *block, PmtTensor x)
{
  const Feed part = { pool, block, !ctx->tape };
  return pmt_tape_checkpoint (ctx, feed_part, &part, sizeof part, &x, 1);
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
  return pmt_frame_close (ctx, frame, pmt_add_over (ctx, x, h, x));
}
