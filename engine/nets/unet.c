/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/unet.h"

#include "engine/nets/resnet_block.h"
#include "engine/nets/time_embedding.h"
#include "engine/nets/transformer_block.h"

/* conv_in's, and per level every layer's and the downsampler's */
#define MAX_SKIPS (1 + PMT_UNET_MAX_LEVELS * 17)

typedef struct Layer {
  PmtResnetBlock resnet;
  PmtTransformer2d *transformer; /* NULL where the block has no attention */
} Layer;

typedef struct Level {
  int n_layers;
  Layer *layers;
  bool has_sampler;
  PmtConv sampler; /* after the layers: stride 2 on the way down, after enlarging on the way up */
} Level;

struct PmtUnet {
  PmtUnetConfig config;
  PmtWeightPool *pool;
  PmtDense time1, time2;
  PmtConv conv_in, conv_out;
  PmtNorm norm_out;
  Level down[PMT_UNET_MAX_LEVELS];
  Level up[PMT_UNET_MAX_LEVELS];
  PmtResnetBlock mid1, mid2;
  PmtTransformer2d mid_transformer;
};

/* Structure */

static int
time_width (const PmtUnet *unet)
{
  return 4 * unet->config.block_out_channels[0];
}

/* Level whose list entries (heads, depth) apply: up blocks count from the deepest. */
static PmtTransformerShape
transformer_shape (const PmtUnetConfig *config, int level)
{
  return (PmtTransformerShape) { .width = config->block_out_channels[level], .heads = config->heads[level],
                                 .depth = config->transformer_layers[level], .context_width = config->cross_attention_dim,
                                 .groups = config->norm_groups };
}

static void
declare_layer (PmtUnet *unet, Layer *layer, const char *block, int in, int level, bool attention, PmtTransformerPlace place)
{
  const PmtUnetConfig *config = &unet->config;
  char *prefix = g_strdup_printf ("%s.resnets.%d", block, place.layer);
  layer->resnet = pmt_resnet_declare (unet->pool, prefix, in, config->block_out_channels[level], time_width (unet),
                                      config->norm_groups, config->norm_eps);
  g_free (prefix);
  if (attention) {
    PmtTransformerShape shape = transformer_shape (config, level);
    prefix = g_strdup_printf ("%s.attentions.%d", block, place.layer);
    layer->transformer = g_new0 (PmtTransformer2d, 1);
    *layer->transformer = pmt_transformer_declare (unet->pool, prefix, &shape, place);
    g_free (prefix);
  }
}

static void
declare_down (PmtUnet *unet, int i, int *counter)
{
  const PmtUnetConfig *config = &unet->config;
  Level *level = &unet->down[i];
  int width = config->block_out_channels[i];
  char *block = g_strdup_printf ("down_blocks.%d", i);
  level->n_layers = config->layers_per_block;
  level->layers = g_new0 (Layer, level->n_layers);
  for (int j = 0; j < level->n_layers; j++) {
    int in = j > 0 ? width : config->block_out_channels[i > 0 ? i - 1 : 0];
    declare_layer (unet, &level->layers[j], block, in, i, config->down_has_attention[i],
                   (PmtTransformerPlace) { PMT_PLACE_DOWN, i, j, counter });
  }
  level->has_sampler = i + 1 < config->n_levels;
  if (level->has_sampler)
    level->sampler = pmt_conv_declare (unet->pool, block, "downsamplers.0.conv", width, width, 3, (PmtConv2dParams) { 2, 1, 1, 1, 1 });
  g_free (block);
}

static void
declare_mid (PmtUnet *unet, int *counter)
{
  const PmtUnetConfig *config = &unet->config;
  int last = config->n_levels - 1, width = config->block_out_channels[last];
  PmtTransformerShape shape = transformer_shape (config, last);
  unet->mid1 = pmt_resnet_declare (unet->pool, "mid_block.resnets.0", width, width, time_width (unet), config->norm_groups,
                                   config->norm_eps);
  unet->mid_transformer = pmt_transformer_declare (unet->pool, "mid_block.attentions.0", &shape,
                                                   (PmtTransformerPlace) { PMT_PLACE_MID, 0, 0, counter });
  unet->mid2 = pmt_resnet_declare (unet->pool, "mid_block.resnets.1", width, width, time_width (unet), config->norm_groups,
                                   config->norm_eps);
}

/* Up block i works at level n-1-i. Each of its layers takes one skip: those of the same level's layers, then the one that entered
 * that level, which has the width of the level above it. */
static void
declare_up (PmtUnet *unet, int i, int *counter)
{
  const PmtUnetConfig *config = &unet->config;
  Level *level = &unet->up[i];
  int at = config->n_levels - 1 - i;
  int width = config->block_out_channels[at];
  int before = config->block_out_channels[i > 0 ? at + 1 : at];
  int above = config->block_out_channels[at > 0 ? at - 1 : 0];
  char *block = g_strdup_printf ("up_blocks.%d", i);
  level->n_layers = config->layers_per_block + 1;
  level->layers = g_new0 (Layer, level->n_layers);
  for (int j = 0; j < level->n_layers; j++) {
    int stream = j > 0 ? width : before;
    int skip = j + 1 < level->n_layers ? width : above;
    declare_layer (unet, &level->layers[j], block, stream + skip, at, config->up_has_attention[i],
                   (PmtTransformerPlace) { PMT_PLACE_UP, i, j, counter });
  }
  level->has_sampler = i + 1 < config->n_levels;
  if (level->has_sampler)
    level->sampler = pmt_conv_declare (unet->pool, block, "upsamplers.0.conv", width, width, 3, PMT_CONV_3X3);
  g_free (block);
}

static void
declare_all (PmtUnet *unet)
{
  const PmtUnetConfig *config = &unet->config;
  int first = config->block_out_channels[0], counter = 0;
  unet->time1 = pmt_dense_declare (unet->pool, "time_embedding", "linear_1", first, time_width (unet), true);
  unet->time2 = pmt_dense_declare (unet->pool, "time_embedding", "linear_2", time_width (unet), time_width (unet), true);
  unet->conv_in = pmt_conv_declare (unet->pool, NULL, "conv_in", config->in_channels, first, 3, PMT_CONV_3X3);
  for (int i = 0; i < config->n_levels; i++)
    declare_down (unet, i, &counter);
  declare_mid (unet, &counter);
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
  unet->pool = pmt_weight_pool_new ("UNet");
  declare_all (unet);
  if (weights && !pmt_weight_pool_load (unet->pool, weights, cancel, error)) {
    pmt_unet_free (unet);
    return NULL;
  }
  return unet;
}

static void
clear_level (Level *level)
{
  for (int j = 0; j < level->n_layers; j++) {
    if (level->layers[j].transformer)
      pmt_transformer_clear (level->layers[j].transformer);
    g_free (level->layers[j].transformer);
  }
  g_free (level->layers);
}

void
pmt_unet_free (PmtUnet *unet)
{
  if (!unet)
    return;
  for (int i = 0; i < PMT_UNET_MAX_LEVELS; i++) {
    clear_level (&unet->down[i]);
    clear_level (&unet->up[i]);
  }
  pmt_transformer_clear (&unet->mid_transformer);
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

/* Skips in pushing order. A skip remembers the frame that was opened before it was made: when it has been used up, that frame is closed
 * around what was made of it, so the memory behaves as if skips and stream were one stack. */
typedef struct Skip {
  PmtTensor x;
  PmtFrame frame;
} Skip;

typedef struct Pass {
  PmtContext *ctx;
  const PmtUnet *unet;
  const PmtTaps *taps;
  PmtTensor context;   /* text */
  PmtTensor time_silu; /* [N, 4 C0] */
  Skip skips[MAX_SKIPS];
  int n_skips;
} Pass;

static PmtTensor
tap_resid (Pass *pass, PmtTensor x, PmtResidKind kind, int level, int index)
{
  const PmtTaps *taps = pass->taps;
  PmtResidSite site = { kind, level, index };
  if (taps && taps->resid && taps->resid_wants && taps->resid_wants (taps->user, &site) && !pmt_context_failed (pass->ctx))
    taps->resid (taps->user, pass->ctx, &site, &x);
  return x;
}

static void
push_skip (Pass *pass, PmtTensor x, PmtFrame frame)
{
  g_assert (pass->n_skips < MAX_SKIPS);
  pass->skips[pass->n_skips++] = (Skip) { x, frame };
}

static PmtTensor
run_layer (Pass *pass, const Layer *layer, PmtTensor x)
{
  x = pmt_resnet_run (pass->ctx, pass->unet->pool, &layer->resnet, x, pass->time_silu);
  if (layer->transformer)
    x = pmt_transformer_run (pass->ctx, pass->unet->pool, layer->transformer, x, pass->context, pass->taps);
  return x;
}

static PmtTensor
run_down (Pass *pass, int i, PmtTensor x)
{
  const Level *level = &pass->unet->down[i];
  for (int j = 0; j < level->n_layers; j++) {
    PmtFrame frame = pmt_frame_open (pass->ctx);
    x = run_layer (pass, &level->layers[j], x);
    if (j + 1 == level->n_layers)
      x = tap_resid (pass, x, PMT_RESID_DOWN, i, 0);
    x = pmt_frame_close (pass->ctx, frame, x);
    push_skip (pass, x, frame);
  }
  if (level->has_sampler) {
    PmtFrame frame = pmt_frame_open (pass->ctx);
    x = pmt_frame_close (pass->ctx, frame, pmt_conv_run (pass->ctx, pass->unet->pool, &level->sampler, x));
    push_skip (pass, x, frame);
  }
  return x;
}

static PmtTensor
run_mid (Pass *pass, PmtTensor x)
{
  PmtContext *ctx = pass->ctx;
  const PmtUnet *unet = pass->unet;
  PmtFrame frame = pmt_frame_open (ctx);
  x = pmt_frame_close (ctx, frame, pmt_resnet_run (ctx, unet->pool, &unet->mid1, x, pass->time_silu));
  x = pmt_frame_close (ctx, frame, pmt_transformer_run (ctx, unet->pool, &unet->mid_transformer, x, pass->context, pass->taps));
  x = pmt_resnet_run (ctx, unet->pool, &unet->mid2, x, pass->time_silu);
  return pmt_frame_close (ctx, frame, tap_resid (pass, x, PMT_RESID_MID, 0, 0));
}

static PmtTensor
run_up (Pass *pass, int i, PmtTensor x)
{
  PmtContext *ctx = pass->ctx;
  const Level *level = &pass->unet->up[i];
  for (int j = 0; j < level->n_layers; j++) {
    Skip skip = pass->skips[--pass->n_skips];
    skip.x = tap_resid (pass, skip.x, PMT_RESID_SKIP, i, pass->n_skips);
    x = run_layer (pass, &level->layers[j], pmt_concat (ctx, x, skip.x));
    if (j + 1 == level->n_layers) {
      if (level->has_sampler) {
        /* The grid of the next skip; with sides that divide evenly that is twice the present one (formats.md 5.4). */
        const PmtShape *next = &pass->skips[pass->n_skips - 1].x.shape;
        x = pmt_resize_nearest (ctx, x, next->dim[1], next->dim[2]);
        x = pmt_conv_run (ctx, pass->unet->pool, &level->sampler, x);
      }
      x = tap_resid (pass, x, PMT_RESID_UP, i, 0);
    }
    x = pmt_frame_close (ctx, skip.frame, x);
  }
  return x;
}

static bool
check_input (PmtContext *ctx, const PmtUnetConfig *config, const PmtUnetInput *input)
{
  const PmtShape *x = &input->sample.shape, *c = &input->context.shape;
  char have[PMT_SHAPE_TEXT], text[PMT_SHAPE_TEXT];
  if (pmt_context_failed (ctx))
    return false;
  if (input->sample.data && x->rank == 4 && x->dim[3] == config->in_channels && input->context.data && c->rank == 3
      && c->dim[0] == x->dim[0] && c->dim[2] == config->cross_attention_dim && pmt_shape_size (x) > 0 && pmt_shape_size (c) > 0
      && input->timesteps)
    return true;
  pmt_context_fail (ctx, PMT_ERROR_INPUT,
                    "The UNet takes a latent of N x height x width x %d with a text of N x tokens x %d and was given %s with %s; use the "
                    "text encoder and latents that belong to the model.",
                    config->in_channels, config->cross_attention_dim, pmt_shape_text (x, have, sizeof have),
                    pmt_shape_text (c, text, sizeof text));
  return false;
}

static PmtTensor
embed_time (PmtContext *ctx, const PmtUnet *unet, const float *timesteps, int64_t rows)
{
  const PmtUnetConfig *config = &unet->config;
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor t = pmt_time_embedding (ctx, timesteps, rows, config->block_out_channels[0], config->flip_sin_to_cos, config->freq_shift);
  t = pmt_silu (ctx, pmt_dense_run (ctx, unet->pool, &unet->time1, t));
  t = pmt_silu (ctx, pmt_dense_run (ctx, unet->pool, &unet->time2, t));
  return pmt_frame_close (ctx, frame, t);
}

PmtTensor
pmt_unet_forward (PmtContext *ctx, PmtUnet *unet, const PmtUnetInput *input, const PmtTaps *taps)
{
  const PmtUnetConfig *config = &unet->config;
  Pass pass = { .ctx = ctx, .unet = unet, .taps = taps, .context = input->context };
  if (!check_input (ctx, config, input))
    return PMT_NO_TENSOR;

  PmtFrame whole = pmt_frame_open (ctx);
  pass.time_silu = embed_time (ctx, unet, input->timesteps, input->sample.shape.dim[0]);

  PmtFrame first = pmt_frame_open (ctx);
  PmtTensor x = pmt_frame_close (ctx, first, pmt_conv_run (ctx, unet->pool, &unet->conv_in, input->sample));
  push_skip (&pass, x, first);
  for (int i = 0; i < config->n_levels; i++)
    x = run_down (&pass, i, x);
  x = run_mid (&pass, x);
  for (int i = 0; i < config->n_levels; i++)
    x = run_up (&pass, i, x);
  g_assert (pass.n_skips == 0);

  PmtGroupNormParams norm = { .groups = config->norm_groups, .eps = config->norm_eps, .silu = true };
  x = pmt_norm_run_group (ctx, unet->pool, &unet->norm_out, x, norm);
  x = pmt_conv_run (ctx, unet->pool, &unet->conv_out, x);
  return pmt_frame_close (ctx, whole, x);
}
