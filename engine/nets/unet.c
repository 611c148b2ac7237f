/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/unet.h"

#include "engine/nets/unet_encoder.h"

struct PmtUnet {
  PmtUnetConfig config;
  PmtWeightPool *pool;
  PmtUnetEncoder encoder;
  PmtUnetLevel up[PMT_UNET_MAX_LEVELS];
  PmtNorm norm_out;
  PmtConv conv_out;
};

/* Structure */

/* Up block i works at level n-1-i. Each of its layers takes one skip: those of the same level's layers, then the one that entered
 * that level, which has the width of the level above it. */
static void
declare_up (PmtUnet *unet, int i, int *counter)
{
  const PmtUnetConfig *config = &unet->config;
  PmtUnetLevel *level = &unet->up[i];
  int at = config->n_levels - 1 - i;
  int width = config->block_out_channels[at];
  int before = config->block_out_channels[i > 0 ? at + 1 : at];
  int above = config->block_out_channels[at > 0 ? at - 1 : 0];
  char *block = g_strdup_printf ("up_blocks.%d", i);
  level->n_layers = config->layers_per_block + 1;
  level->layers = g_new0 (PmtUnetLayer, level->n_layers);
  for (int j = 0; j < level->n_layers; j++) {
    int stream = j > 0 ? width : before;
    int skip = j + 1 < level->n_layers ? width : above;
    pmt_unet_layer_declare (&level->layers[j], unet->pool, config, block, stream + skip, at, config->up_has_attention[i],
                            (PmtTransformerPlace) { PMT_PLACE_UP, i, j, counter });
  }
  level->has_sampler = i + 1 < config->n_levels;
  if (level->has_sampler)
    level->sampler = pmt_conv_declare (unet->pool, block, "upsamplers.0.conv", width, width, 3, PMT_CONV_3X3_TWICE);
  g_free (block);
}

static void
declare_all (PmtUnet *unet)
{
  const PmtUnetConfig *config = &unet->config;
  int first = config->block_out_channels[0], counter = 0;
  pmt_unet_encoder_declare (&unet->encoder, unet->pool, config, &counter);
  for (int i = 0; i < config->n_levels; i++)
    declare_up (unet, i, &counter);
  unet->norm_out = pmt_norm_declare (unet->pool, NULL, "conv_norm_out", first);
  unet->conv_out = pmt_conv_declare (unet->pool, NULL, "conv_out", first, config->out_channels, 3, PMT_CONV_3X3);
}

PmtUnet *
pmt_unet_new (const PmtUnetConfig *config, PmtWeights *weights, const PmtCancel *cancel, GError **error)
{
  PmtUnet *unet = g_new0 (PmtUnet, 1);
  unet->config = *config;
  unet->pool = pmt_weight_pool_new ("UNet", config->precision);
  declare_all (unet);
  if (weights && !pmt_weight_pool_load (unet->pool, weights, cancel, error)) {
    pmt_unet_free (unet);
    return NULL;
  }
  return unet;
}

void
pmt_unet_free (PmtUnet *unet)
{
  if (!unet)
    return;
  pmt_unet_encoder_clear (&unet->encoder);
  for (int i = 0; i < PMT_UNET_MAX_LEVELS; i++)
    pmt_unet_level_clear (&unet->up[i]);
  pmt_weight_pool_free (unet->pool);
  g_free (unet);
}

const PmtUnetConfig *
pmt_unet_config (const PmtUnet *unet)
{
  return &unet->config;
}

PmtWeightPool *
pmt_unet_weights (const PmtUnet *unet)
{
  return unet->pool;
}

size_t
pmt_unet_weight_bytes (const PmtUnet *unet)
{
  return pmt_weight_pool_bytes (unet->pool);
}

/* One evaluation */

int
pmt_unet_n_skips (const PmtUnetConfig *config)
{
  return config->n_levels * (config->layers_per_block + 1);
}

/* first: the layer that x enters. */
static PmtTensor
run_up (PmtUnetPass *pass, const PmtUnetLevel *level, int i, int first, PmtTensor x)
{
  PmtContext *ctx = pass->ctx;
  for (int j = first; j < level->n_layers && !pass->stopped; j++) {
    PmtUnetSkip skip = pass->skips[--pass->n_skips];
    x = pmt_unet_tap (pass, x, PMT_RESID_JOIN, i, pass->n_skips);
    skip.x = pmt_unet_tap (pass, skip.x, PMT_RESID_SKIP, i, pass->n_skips);
    x = pmt_unet_run_layer (pass, &level->layers[j], pmt_concat (ctx, x, skip.x));
    if (j + 1 == level->n_layers && !pass->stopped) {
      if (level->has_sampler) {
        /* The grid of the next skip; with sides that divide evenly that is twice the present one (formats.md 5.4). */
        const PmtShape *next = &pass->skips[pass->n_skips - 1].x.shape;
        x = pmt_conv_run_twice (ctx, pass->pool, &level->sampler, x, next->dim[1], next->dim[2]);
      }
      x = pmt_unet_tap (pass, x, PMT_RESID_UP, i, 0);
      pmt_unet_ask (pass);
    }
    x = pmt_frame_close (ctx, skip.frame, x);
  }
  return x;
}

PmtTensor
pmt_unet_forward (PmtContext *ctx, PmtUnet *unet, const PmtUnetInput *input, const PmtTaps *taps)
{
  const PmtUnetConfig *config = &unet->config;
  PmtUnetPass pass = { .ctx = ctx, .config = config, .pool = unet->pool, .taps = taps, .context = input->context };
  if (!pmt_unet_check_input (ctx, "UNet", config, input))
    return PMT_NO_TENSOR;

  PmtFrame whole = pmt_frame_open (ctx);
  PmtTensor x = pmt_unet_encode (&pass, &unet->encoder, input, PMT_NO_TENSOR);
  const int layers = config->layers_per_block + 1, passed = pmt_unet_n_skips (config) - pass.n_skips;
  if (input->shallow) {
    g_assert (input->shallow > 0 && passed > 0 && input->stream.shape.dim[0] == input->sample.shape.dim[0]);
    x = input->stream;
  }
  for (int i = passed / layers; i < config->n_levels && !pass.stopped; i++)
    x = run_up (&pass, &unet->up[i], i, i == passed / layers ? passed % layers : 0, x);
  if (pass.stopped)
    return pmt_frame_close (ctx, whole, PMT_NO_TENSOR);
  g_assert (pass.n_skips == 0);

  PmtGroupNormParams norm = { .groups = config->norm_groups, .eps = config->norm_eps, .silu = true };
  x = pmt_norm_run_group (ctx, unet->pool, &unet->norm_out, x, norm);
  x = pmt_conv_run (ctx, unet->pool, &unet->conv_out, x);
  return pmt_frame_close (ctx, whole, x);
}
