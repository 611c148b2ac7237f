/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/unet_encoder.h"

enum { FEW_FROM = 3 }; /* the first level whose maps, an eighth of the latents' sides, have few positions */

/* Structure */

static int
time_width (const PmtUnetConfig *config)
{
  return 4 * config->block_out_channels[0];
}

/* Level whose list entries (heads, depth) apply: up blocks count from the deepest. */
static PmtTransformerShape
transformer_shape (const PmtUnetConfig *config, int level)
{
  return (PmtTransformerShape) { .width = config->block_out_channels[level], .heads = config->heads[level],
                                 .depth = config->transformer_layers[level], .context_width = config->cross_attention_dim,
                                 .groups = config->norm_groups };
}

void
pmt_unet_layer_declare (PmtUnetLayer *layer, PmtWeightPool *pool, const PmtUnetConfig *config, const char *block, int in, int level,
                        bool attention, PmtTransformerPlace place)
{
  char *prefix = g_strdup_printf ("%s.resnets.%d", block, place.layer);
  layer->resnet = pmt_resnet_declare (pool, prefix, in, config->block_out_channels[level], time_width (config), config->norm_groups,
                                      config->norm_eps, level >= FEW_FROM);
  g_free (prefix);
  if (attention) {
    PmtTransformerShape shape = transformer_shape (config, level);
    prefix = g_strdup_printf ("%s.attentions.%d", block, place.layer);
    layer->transformer = g_new0 (PmtTransformer2d, 1);
    *layer->transformer = pmt_transformer_declare (pool, prefix, &shape, place);
    g_free (prefix);
  }
}

static void
declare_down (PmtUnetEncoder *encoder, PmtWeightPool *pool, const PmtUnetConfig *config, int i, int *counter)
{
  PmtUnetLevel *level = &encoder->down[i];
  int width = config->block_out_channels[i];
  char *block = g_strdup_printf ("down_blocks.%d", i);
  level->n_layers = config->layers_per_block;
  level->layers = g_new0 (PmtUnetLayer, level->n_layers);
  for (int j = 0; j < level->n_layers; j++) {
    int in = j > 0 ? width : config->block_out_channels[i > 0 ? i - 1 : 0];
    pmt_unet_layer_declare (&level->layers[j], pool, config, block, in, i, config->down_has_attention[i],
                            (PmtTransformerPlace) { PMT_PLACE_DOWN, i, j, counter });
  }
  level->has_sampler = i + 1 < config->n_levels;
  if (level->has_sampler)
    level->sampler = pmt_conv_declare (pool, block, "downsamplers.0.conv", width, width, 3, (PmtConv2dParams) { 2, 1, 1, 1, 1 });
  g_free (block);
}

static void
declare_mid (PmtUnetEncoder *encoder, PmtWeightPool *pool, const PmtUnetConfig *config, int *counter)
{
  int last = config->n_levels - 1, width = config->block_out_channels[last];
  PmtTransformerShape shape = transformer_shape (config, last);
  encoder->mid1 = pmt_resnet_declare (pool, "mid_block.resnets.0", width, width, time_width (config), config->norm_groups,
                                      config->norm_eps, last >= FEW_FROM);
  if (config->mid_plain)
    return;
  encoder->mid_transformer = pmt_transformer_declare (pool, "mid_block.attentions.0", &shape,
                                                      (PmtTransformerPlace) { PMT_PLACE_MID, 0, 0, counter });
  encoder->mid2 = pmt_resnet_declare (pool, "mid_block.resnets.1", width, width, time_width (config), config->norm_groups,
                                      config->norm_eps, last >= FEW_FROM);
}

static PmtConditionShape
condition_shape (const PmtUnetConfig *config)
{
  return (PmtConditionShape) { .width = config->block_out_channels[0], .flip_sin_to_cos = config->flip_sin_to_cos,
                               .freq_shift = config->freq_shift, .guidance_dim = config->time_cond_proj_dim,
                               .added_dim = config->added_dim, .time_id_dim = config->time_id_dim };
}

static PmtConditionInput
condition_input (const PmtUnetInput *input)
{
  return (PmtConditionInput) { input->timesteps, input->timestep_cond, input->text_embeds, input->time_ids };
}

void
pmt_unet_encoder_declare (PmtUnetEncoder *encoder, PmtWeightPool *pool, const PmtUnetConfig *config, int *counter)
{
  int first = config->block_out_channels[0];
  const PmtConditionShape conditions = condition_shape (config);
  encoder->conditions = pmt_conditions_declare (pool, &conditions);
  encoder->conv_in = pmt_conv_declare (pool, NULL, "conv_in", config->in_channels, first, 3, PMT_CONV_3X3);
  for (int i = 0; i < config->n_levels; i++)
    declare_down (encoder, pool, config, i, counter);
  declare_mid (encoder, pool, config, counter);
}

void
pmt_unet_level_clear (PmtUnetLevel *level)
{
  for (int j = 0; j < level->n_layers; j++) {
    if (level->layers[j].transformer)
      pmt_transformer_clear (level->layers[j].transformer);
    g_free (level->layers[j].transformer);
  }
  g_free (level->layers);
}

void
pmt_unet_encoder_clear (PmtUnetEncoder *encoder)
{
  for (int i = 0; i < PMT_UNET_MAX_LEVELS; i++)
    pmt_unet_level_clear (&encoder->down[i]);
  pmt_transformer_clear (&encoder->mid_transformer);
}

/* One evaluation */

PmtTensor
pmt_unet_tap (PmtUnetPass *pass, PmtTensor x, PmtResidKind kind, int level, int index)
{
  const PmtTaps *taps = pass->taps;
  PmtResidSite site = { kind, level, index };
  if (taps && taps->resid && taps->resid_wants && taps->resid_wants (taps->user, &site) && !pmt_context_failed (pass->ctx))
    taps->resid (taps->user, pass->ctx, &site, &x);
  return x;
}

void
pmt_unet_ask (PmtUnetPass *pass)
{
  const PmtTaps *taps = pass->taps;
  pass->stopped = pass->stopped || (taps && taps->seen && !pmt_context_failed (pass->ctx) && taps->seen (taps->user));
}

static bool
deep_enough (const PmtUnetPass *pass)
{
  return pass->stopped || (pass->most_skips > 0 && pass->n_skips >= pass->most_skips);
}

static void
push_skip (PmtUnetPass *pass, PmtTensor x, PmtFrame frame)
{
  g_assert (pass->n_skips < PMT_UNET_MAX_SKIPS);
  pass->skips[pass->n_skips++] = (PmtUnetSkip) { x, frame };
}

PmtTensor
pmt_unet_run_layer (PmtUnetPass *pass, const PmtUnetLayer *layer, PmtTensor x)
{
  x = pmt_resnet_run (pass->ctx, pass->pool, &layer->resnet, x, pass->time_silu);
  if (layer->transformer)
    x = pmt_transformer_run (pass->ctx, pass->pool, layer->transformer, x, pass->context, pass->taps);
  pmt_unet_ask (pass);
  return x;
}

static PmtTensor
run_down (PmtUnetPass *pass, const PmtUnetLevel *level, int i, PmtTensor x)
{
  for (int j = 0; j < level->n_layers && !deep_enough (pass); j++) {
    PmtFrame frame = pmt_frame_open (pass->ctx);
    x = pmt_unet_run_layer (pass, &level->layers[j], x);
    if (j + 1 == level->n_layers)
      x = pmt_unet_tap (pass, x, PMT_RESID_DOWN, i, 0);
    x = pmt_frame_close (pass->ctx, frame, x);
    push_skip (pass, x, frame);
  }
  if (level->has_sampler && !deep_enough (pass)) {
    PmtFrame frame = pmt_frame_open (pass->ctx);
    x = pmt_conv_run (pass->ctx, pass->pool, &level->sampler, x);
    x = pmt_frame_close (pass->ctx, frame, pmt_unet_tap (pass, x, PMT_RESID_DOWNSAMPLED, i, 0));
    push_skip (pass, x, frame);
  }
  return x;
}

static PmtTensor
run_mid (PmtUnetPass *pass, const PmtUnetEncoder *encoder, PmtTensor x)
{
  PmtContext *ctx = pass->ctx;
  PmtFrame frame = pmt_frame_open (ctx);
  x = pmt_resnet_run (ctx, pass->pool, &encoder->mid1, x, pass->time_silu);
  if (!pass->config->mid_plain) {
    x = pmt_frame_close (ctx, frame, x);
    x = pmt_frame_close (ctx, frame, pmt_transformer_run (ctx, pass->pool, &encoder->mid_transformer, x, pass->context, pass->taps));
    x = pmt_resnet_run (ctx, pass->pool, &encoder->mid2, x, pass->time_silu);
  }
  x = pmt_frame_close (ctx, frame, pmt_unet_tap (pass, x, PMT_RESID_MID, 0, 0));
  pmt_unet_ask (pass);
  return x;
}

bool
pmt_unet_check_input (PmtContext *ctx, const char *what, const PmtUnetConfig *config, const PmtUnetInput *input)
{
  const PmtShape *x = &input->sample.shape, *c = &input->context.shape;
  char have[PMT_SHAPE_TEXT], text[PMT_SHAPE_TEXT];
  if (pmt_context_failed (ctx))
    return false;
  if (input->sample.data && x->rank == 4 && x->dim[3] == config->in_channels && input->context.data && c->rank == 3
      && c->dim[0] == x->dim[0] && c->dim[2] == config->cross_attention_dim && pmt_shape_size (x) > 0 && pmt_shape_size (c) > 0
      && input->timesteps) {
    const PmtConditionShape conditions = condition_shape (config);
    const PmtConditionInput told = condition_input (input);
    return pmt_conditions_check (ctx, what, &conditions, &told, x->dim[0]);
  }
  pmt_context_fail (ctx, PMT_ERROR_INPUT,
                    "The %s takes a latent of N x height x width x %d with a text of N x tokens x %d and was given %s with %s; use the "
                    "text encoder and latents that belong to the model.",
                    what, config->in_channels, config->cross_attention_dim, pmt_shape_text (x, have, sizeof have),
                    pmt_shape_text (c, text, sizeof text));
  return false;
}

PmtTensor
pmt_unet_encode (PmtUnetPass *pass, const PmtUnetEncoder *encoder, const PmtUnetInput *input, PmtTensor hint)
{
  PmtContext *ctx = pass->ctx;
  const PmtConditionInput told = condition_input (input);
  pass->time_silu = pmt_conditions_run (ctx, pass->pool, &encoder->conditions, &told, input->sample.shape.dim[0]);
  PmtFrame first = pmt_frame_open (ctx);
  PmtTensor x = pmt_conv_run (ctx, pass->pool, &encoder->conv_in, input->sample);
  if (hint.data)
    x = pmt_add (ctx, x, hint);
  x = pmt_frame_close (ctx, first, x);
  push_skip (pass, x, first);
  pass->most_skips = input->shallow;
  for (int i = 0; i < pass->config->n_levels && !deep_enough (pass); i++)
    x = run_down (pass, &encoder->down[i], i, x);
  return deep_enough (pass) ? x : run_mid (pass, encoder, x);
}
