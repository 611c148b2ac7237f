/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/vae_parts.h"

#include "engine/tensor/tape.h"

static PmtVaeMid
declare_mid (PmtWeightPool *pool, const char *half, const PmtVaeConfig *config)
{
  PmtVaeMid mid = { 0 };
  int width = config->block_out_channels[config->n_levels - 1];
  char *prefix = g_strconcat (half, ".mid_block.resnets.0", NULL);
  mid.groups = config->norm_groups;
  mid.resnet1 = pmt_resnet_declare (pool, prefix, width, width, 0, mid.groups, PMT_VAE_NORM_EPS, false);
  g_free (prefix);
  mid.has_attention = config->mid_attention;
  if (mid.has_attention) {
    prefix = g_strconcat (half, ".mid_block.attentions.0", NULL);
    mid.norm = pmt_norm_declare (pool, prefix, "group_norm", width);
    mid.attention = pmt_attention_declare (pool, prefix, &pmt_attention_names_diffusers, width, width, 1, true);
    g_free (prefix);
  }
  prefix = g_strconcat (half, ".mid_block.resnets.1", NULL);
  mid.resnet2 = pmt_resnet_declare (pool, prefix, width, width, 0, mid.groups, PMT_VAE_NORM_EPS, false);
  g_free (prefix);
  return mid;
}

static PmtVaeLevel
declare_level (PmtWeightPool *pool, const char *block, int in, int out, int n_resnets, int groups)
{
  PmtVaeLevel level = { 0 };
  level.n_resnets = n_resnets;
  level.resnets = g_new0 (PmtResnetBlock, n_resnets);
  for (int j = 0; j < n_resnets; j++) {
    char *prefix = g_strdup_printf ("%s.resnets.%d", block, j);
    level.resnets[j] = pmt_resnet_declare (pool, prefix, j > 0 ? out : in, out, 0, groups, PMT_VAE_NORM_EPS, false);
    g_free (prefix);
  }
  return level;
}

PmtVaeHalf
pmt_vae_encoder_declare (PmtWeightPool *pool, const PmtVaeConfig *config)
{
  PmtVaeHalf half = { 0 };
  const int *widths = config->block_out_channels;
  half.groups = config->norm_groups;
  half.n_levels = config->n_levels;
  half.conv_in = pmt_conv_declare (pool, "encoder", "conv_in", config->in_channels, widths[0], 3, PMT_CONV_3X3);
  for (int i = 0; i < half.n_levels; i++) {
    char *block = g_strdup_printf ("encoder.down_blocks.%d", i);
    half.levels[i] = declare_level (pool, block, widths[i > 0 ? i - 1 : 0], widths[i], config->layers_per_block, half.groups);
    half.levels[i].has_sampler = i + 1 < half.n_levels;
    /* Zeros at the right and bottom only, unlike the UNet's. */
    if (half.levels[i].has_sampler)
      half.levels[i].sampler = pmt_conv_declare (pool, block, "downsamplers.0.conv", widths[i], widths[i], 3,
                                                 (PmtConv2dParams) { 2, 0, 0, 1, 1 });
    g_free (block);
  }
  half.mid = declare_mid (pool, "encoder", config);
  half.norm_out = pmt_norm_declare (pool, "encoder", "conv_norm_out", widths[half.n_levels - 1]);
  half.conv_out = pmt_conv_declare (pool, "encoder", "conv_out", widths[half.n_levels - 1], 2 * config->latent_channels, 3,
                                    PMT_CONV_3X3);
  return half;
}

PmtVaeHalf
pmt_vae_decoder_declare (PmtWeightPool *pool, const PmtVaeConfig *config)
{
  PmtVaeHalf half = { 0 };
  const int *widths = config->block_out_channels;
  int last = config->n_levels - 1;
  half.groups = config->norm_groups;
  half.n_levels = config->n_levels;
  half.conv_in = pmt_conv_declare (pool, "decoder", "conv_in", config->latent_channels, widths[last], 3, PMT_CONV_3X3);
  half.mid = declare_mid (pool, "decoder", config);
  for (int i = 0; i < half.n_levels; i++) {
    int at = last - i;
    char *block = g_strdup_printf ("decoder.up_blocks.%d", i);
    half.levels[i] = declare_level (pool, block, widths[i > 0 ? at + 1 : at], widths[at], config->layers_per_block + 1, half.groups);
    half.levels[i].has_sampler = i < last;
    if (half.levels[i].has_sampler)
      half.levels[i].sampler = pmt_conv_declare (pool, block, "upsamplers.0.conv", widths[at], widths[at], 3, PMT_CONV_3X3_TWICE);
    g_free (block);
  }
  half.norm_out = pmt_norm_declare (pool, "decoder", "conv_norm_out", widths[0]);
  half.conv_out = pmt_conv_declare (pool, "decoder", "conv_out", widths[0], config->out_channels, 3, PMT_CONV_3X3);
  return half;
}

void
pmt_vae_half_clear (PmtVaeHalf *half)
{
  for (int i = 0; i < half->n_levels; i++)
    g_clear_pointer (&half->levels[i].resnets, g_free);
  half->n_levels = 0;
}

typedef struct Attend {
  const PmtWeightPool *pool;
  const PmtVaeMid *mid;
  bool over; /* the result takes x's memory */
} Attend;

static PmtTensor
attend_part (PmtContext *ctx, const void *params, const PmtTensor *in)
{
  const PmtWeightPool *pool = ((const Attend *) params)->pool;
  const PmtVaeMid *mid = ((const Attend *) params)->mid;
  PmtTensor x = in[0];
  int64_t height = x.shape.dim[1], width = x.shape.dim[2];
  PmtGroupNormParams norm = { .groups = mid->groups, .eps = PMT_VAE_NORM_EPS };
  PmtTensor h = pmt_tokens_from_grid (pmt_norm_run_group (ctx, pool, &mid->norm, x, norm));
  h = pmt_attention_run (ctx, pool, &mid->attention, h, false);
  return pmt_add_over (ctx, ((const Attend *) params)->over ? x : PMT_NO_TENSOR, pmt_grid_from_tokens (h, height, width), x);
}

static PmtTensor
attend (PmtContext *ctx, const PmtWeightPool *pool, const PmtVaeMid *mid, PmtTensor x)
{
  const Attend part = { pool, mid, !ctx->tape };
  return pmt_tape_checkpoint (ctx, attend_part, &part, sizeof part, &x, 1);
}

/* In the functions below x lies at the frame's start and is nobody else's: each step's result takes its place. */
static PmtTensor
run_mid (PmtContext *ctx, const PmtWeightPool *pool, const PmtVaeMid *mid, PmtTensor x, PmtFrame frame)
{
  x = pmt_frame_close (ctx, frame, pmt_resnet_run_over (ctx, pool, &mid->resnet1, x, PMT_NO_TENSOR));
  if (mid->has_attention)
    x = pmt_frame_close (ctx, frame, attend (ctx, pool, mid, x));
  return pmt_frame_close (ctx, frame, pmt_resnet_run_over (ctx, pool, &mid->resnet2, x, PMT_NO_TENSOR));
}

static PmtTensor
run_resnets (PmtContext *ctx, const PmtWeightPool *pool, const PmtVaeLevel *level, PmtTensor x, PmtFrame frame)
{
  for (int j = 0; j < level->n_resnets; j++)
    x = pmt_frame_close (ctx, frame, pmt_resnet_run_over (ctx, pool, &level->resnets[j], x, PMT_NO_TENSOR));
  return x;
}

static PmtTensor
run_out (PmtContext *ctx, const PmtWeightPool *pool, const PmtVaeHalf *half, PmtTensor x, PmtFrame frame)
{
  PmtGroupNormParams norm = { .groups = half->groups, .eps = PMT_VAE_NORM_EPS, .silu = true };
  x = pmt_norm_run_group_over (ctx, pool, &half->norm_out, x, x, norm);
  return pmt_frame_close (ctx, frame, pmt_conv_run (ctx, pool, &half->conv_out, x));
}

PmtTensor
pmt_vae_encoder_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtVaeHalf *encoder, PmtTensor x)
{
  PmtFrame frame = pmt_frame_open (ctx);
  x = pmt_frame_close (ctx, frame, pmt_conv_run (ctx, pool, &encoder->conv_in, x));
  for (int i = 0; i < encoder->n_levels; i++) {
    const PmtVaeLevel *level = &encoder->levels[i];
    x = run_resnets (ctx, pool, level, x, frame);
    if (level->has_sampler)
      x = pmt_frame_close (ctx, frame, pmt_conv_run (ctx, pool, &level->sampler, x));
  }
  x = run_mid (ctx, pool, &encoder->mid, x, frame);
  return run_out (ctx, pool, encoder, x, frame);
}

PmtTensor
pmt_vae_decoder_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtVaeHalf *decoder, PmtTensor x)
{
  PmtFrame frame = pmt_frame_open (ctx);
  x = pmt_frame_close (ctx, frame, pmt_conv_run (ctx, pool, &decoder->conv_in, x));
  x = run_mid (ctx, pool, &decoder->mid, x, frame);
  for (int i = 0; i < decoder->n_levels; i++) {
    const PmtVaeLevel *level = &decoder->levels[i];
    x = run_resnets (ctx, pool, level, x, frame);
    if (level->has_sampler)
      x = pmt_frame_close (ctx, frame, pmt_conv_run (ctx, pool, &level->sampler, x));
  }
  return run_out (ctx, pool, decoder, x, frame);
}
