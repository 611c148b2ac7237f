/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/resnet_block.h"

#include "engine/tensor/tape.h"

PmtResnetBlock
pmt_resnet_declare (PmtWeightPool *pool, const char *prefix, int in, int out, int time_width, int groups, float eps, bool few)
{
  PmtResnetBlock block = { 0 };
  PmtConv2dParams conv = PMT_CONV_3X3;
  conv.few = few;
  block.in = in;
  block.out = out;
  block.groups = groups;
  block.eps = eps;
  block.norm1 = pmt_norm_declare (pool, prefix, "norm1", in);
  block.conv1 = pmt_conv_declare (pool, prefix, "conv1", in, out, 3, conv);
  if (time_width > 0)
    block.time = pmt_dense_declare (pool, prefix, "time_emb_proj", time_width, out, true);
  block.norm2 = pmt_norm_declare (pool, prefix, "norm2", out);
  block.conv2 = pmt_conv_declare (pool, prefix, "conv2", out, out, 3, conv);
  if (in != out)
    block.shortcut = pmt_dense_declare (pool, prefix, "conv_shortcut", in, out, true);
  return block;
}

typedef struct Part {
  const PmtWeightPool *pool;
  const PmtResnetBlock *block;
  bool over; /* the result takes x's memory where the width stays */
} Part;

/* Two places serve all maps of the block but x: the first, at the frame's start, holds what the first and then what the second convolution reads or
 * writes, the second what is between them. */
static PmtTensor
run (PmtContext *ctx, const void *params, const PmtTensor *in)
{
  const Part *part = params;
  const PmtWeightPool *pool = part->pool;
  const PmtResnetBlock *block = part->block;
  PmtTensor x = in[0], time_silu = in[1];
  const PmtGroupNormParams norm = { .groups = block->groups, .eps = block->eps, .silu = true };
  const PmtFrame frame = pmt_frame_open (ctx);
  const PmtShape wide = PMT_SHAPE4 (x.shape.dim[0], x.shape.dim[1], x.shape.dim[2], MAX (block->in, block->out));
  PmtTensor first = ctx->tape ? PMT_NO_TENSOR : pmt_tensor_new (ctx, wide);
  PmtTensor second = pmt_conv_run (ctx, pool, &block->conv1, pmt_norm_run_group_over (ctx, pool, &block->norm1, first, x, norm));
  if (block->time.w != PMT_NO_WEIGHT)
    second = pmt_add_rows_over (ctx, second, second, pmt_dense_run (ctx, pool, &block->time, time_silu));
  second = pmt_norm_run_group_over (ctx, pool, &block->norm2, second, second, norm);
  PmtTensor y = pmt_conv_run_over (ctx, pool, &block->conv2, first, second);
  if (block->shortcut.w != PMT_NO_WEIGHT)
    x = pmt_dense_run_over (ctx, pool, &block->shortcut, second, x);
  return pmt_frame_close (ctx, frame, pmt_add_over (ctx, part->over && block->shortcut.w == PMT_NO_WEIGHT ? x : y, x, y));
}

static PmtTensor
run_part (PmtContext *ctx, const Part *part, PmtTensor x, PmtTensor time_silu)
{
  return pmt_tape_checkpoint (ctx, run, part, sizeof *part, (PmtTensor[]) { x, time_silu }, 2);
}

PmtTensor
pmt_resnet_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtResnetBlock *block, PmtTensor x, PmtTensor time_silu)
{
  return run_part (ctx, &(Part) { pool, block, false }, x, time_silu);
}

PmtTensor
pmt_resnet_run_over (PmtContext *ctx, const PmtWeightPool *pool, const PmtResnetBlock *block, PmtTensor x, PmtTensor time_silu)
{
  /* A part that is run again for its gradient needs its input again. */
  return run_part (ctx, &(Part) { pool, block, !ctx->tape }, x, time_silu);
}
