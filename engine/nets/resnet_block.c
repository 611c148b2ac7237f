/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/resnet_block.h"

#include "engine/tensor/tape.h"

PmtResnetBlock
pmt_resnet_declare (PmtWeightPool *pool, const char *prefix, int in, int out, int time_width, int groups, float eps)
{
  PmtResnetBlock block = { 0 };
  block.groups = groups;
  block.eps = eps;
  block.norm1 = pmt_norm_declare (pool, prefix, "norm1", in);
  block.conv1 = pmt_conv_declare (pool, prefix, "conv1", in, out, 3, PMT_CONV_3X3);
  if (time_width > 0)
    block.time = pmt_dense_declare (pool, prefix, "time_emb_proj", time_width, out, true);
  block.norm2 = pmt_norm_declare (pool, prefix, "norm2", out);
  block.conv2 = pmt_conv_declare (pool, prefix, "conv2", out, out, 3, PMT_CONV_3X3);
  if (in != out)
    block.shortcut = pmt_dense_declare (pool, prefix, "conv_shortcut", in, out, true);
  return block;
}

typedef struct Part {
  const PmtWeightPool *pool;
  const PmtResnetBlock *block;
} Part;

static PmtTensor
run (PmtContext *ctx, const void *params, const PmtTensor *in)
{
  const PmtWeightPool *pool = ((const Part *) params)->pool;
  const PmtResnetBlock *block = ((const Part *) params)->block;
  PmtTensor x = in[0], time_silu = in[1];
  /* The frame is closed after each half, so that at any time only x, one half's input and its temporaries are alive. */
  PmtFrame frame = pmt_frame_open (ctx);
  PmtGroupNormParams norm = { .groups = block->groups, .eps = block->eps, .silu = true };
  PmtTensor h = pmt_norm_run_group (ctx, pool, &block->norm1, x, norm);
  h = pmt_conv_run (ctx, pool, &block->conv1, h);
  if (block->time.w != PMT_NO_WEIGHT)
    h = pmt_add_rows (ctx, h, pmt_dense_run (ctx, pool, &block->time, time_silu));
  h = pmt_frame_close (ctx, frame, h);
  h = pmt_norm_run_group (ctx, pool, &block->norm2, h, norm);
  h = pmt_conv_run (ctx, pool, &block->conv2, h);
  h = pmt_frame_close (ctx, frame, h);
  if (block->shortcut.w != PMT_NO_WEIGHT)
    x = pmt_dense_run (ctx, pool, &block->shortcut, x);
  return pmt_frame_close (ctx, frame, pmt_add (ctx, x, h));
}

PmtTensor
pmt_resnet_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtResnetBlock *block, PmtTensor x, PmtTensor time_silu)
{
  const Part part = { pool, block };
  return pmt_tape_checkpoint (ctx, run, &part, sizeof part, (PmtTensor[]) { x, time_silu }, 2);
}
