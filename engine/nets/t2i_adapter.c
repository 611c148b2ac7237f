/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/t2i_adapter.h"

#include <string.h>

#include "engine/nets/layers.h"

#define MAX_RESNETS 16

typedef struct Resnet {
  PmtConv block1;
  PmtConv block2; /* light: 3x3 */
  PmtDense mix;   /* full: 1x1 */
} Resnet;

typedef struct Block {
  PmtDense in;  /* where the width changes */
  Resnet resnet[MAX_RESNETS];
  PmtDense out; /* light */
} Block;

struct PmtT2iAdapter {
  PmtT2iConfig config;
  PmtWeightPool *pool;
  PmtConv conv_in; /* full */
  Block block[PMT_T2I_MAX_BLOCKS];
};

bool
pmt_t2i_halves (const PmtT2iConfig *config, int block)
{
  return config->type == PMT_T2I_FULL_XL ? block == 2 : block > 0;
}

int
pmt_t2i_cell (const PmtT2iConfig *config, int block)
{
  int cell = config->downscale;
  for (int k = 1; k <= block; k++)
    cell *= pmt_t2i_halves (config, k) ? 2 : 1;
  return cell;
}

/* Structure */

/* Where a block's resnet j lies: "adapter.body.1.resnets.0", "body.2" or, light, "body.1.body.0". */
static char *
resnet_place (const PmtT2iConfig *config, int i, int j)
{
  if (!config->original)
    return g_strdup_printf ("adapter.body.%d.resnets.%d", i, j);
  return config->type == PMT_T2I_LIGHT ? g_strdup_printf ("body.%d.body.%d", i, j)
                                       : g_strdup_printf ("body.%d", i * config->n_resnets + j);
}

/* The same for its in_conv and out_conv; the authors' full adapter keeps the former in the block's first resnet. */
static char *
block_place (const PmtT2iConfig *config, int i)
{
  if (!config->original)
    return g_strdup_printf ("adapter.body.%d", i);
  return g_strdup_printf ("body.%d", config->type == PMT_T2I_LIGHT ? i : i * config->n_resnets);
}

static void
declare_block (PmtT2iAdapter *net, int i)
{
  const PmtT2iConfig *config = &net->config;
  const bool light = config->type == PMT_T2I_LIGHT;
  Block *block = &net->block[i];
  const int out = config->channels[i], inner = light ? out / 4 : out;
  const int first = light ? config->in_channels * config->downscale * config->downscale : config->channels[0];
  const int in = i > 0 ? config->channels[i - 1] : first;
  char *place = block_place (config, i);
  if (light || in != out)
    block->in = pmt_dense_declare (net->pool, place, "in_conv", in, inner, true);
  for (int j = 0; j < config->n_resnets; j++) {
    char *prefix = resnet_place (config, i, j);
    block->resnet[j].block1 = pmt_conv_declare (net->pool, prefix, "block1", inner, inner, 3, PMT_CONV_3X3);
    if (light)
      block->resnet[j].block2 = pmt_conv_declare (net->pool, prefix, "block2", inner, inner, 3, PMT_CONV_3X3);
    else
      block->resnet[j].mix = pmt_dense_declare (net->pool, prefix, "block2", inner, inner, true);
    g_free (prefix);
  }
  if (light)
    block->out = pmt_dense_declare (net->pool, place, "out_conv", inner, out, true);
  g_free (place);
}

PmtT2iAdapter *
pmt_t2i_new (const PmtT2iConfig *config, PmtWeights *weights, const PmtCancel *cancel, GError **error)
{
  PmtT2iAdapter *net = g_new0 (PmtT2iAdapter, 1);
  net->config = *config;
  net->pool = pmt_weight_pool_new ("T2I-Adapter", PMT_PRECISION_F32);
  if (config->type != PMT_T2I_LIGHT)
    net->conv_in = pmt_conv_declare (net->pool, config->original ? NULL : "adapter", "conv_in",
                                     config->in_channels * config->downscale * config->downscale, config->channels[0], 3, PMT_CONV_3X3);
  for (int i = 0; i < config->n_blocks; i++)
    declare_block (net, i);
  if (weights && !pmt_t2i_load (net, weights, cancel, error)) {
    pmt_t2i_free (net);
    return NULL;
  }
  return net;
}

gboolean
pmt_t2i_load (PmtT2iAdapter *net, PmtWeights *weights, const PmtCancel *cancel, GError **error)
{
  return pmt_weight_pool_load (net->pool, weights, cancel, error);
}

void
pmt_t2i_free (PmtT2iAdapter *net)
{
  if (!net)
    return;
  pmt_weight_pool_free (net->pool);
  g_free (net);
}

const PmtT2iConfig *
pmt_t2i_config (const PmtT2iAdapter *net)
{
  return &net->config;
}

PmtWeightPool *
pmt_t2i_weights (const PmtT2iAdapter *net)
{
  return net->pool;
}

/* One evaluation */

static PmtTensor
run_block (PmtContext *ctx, const PmtT2iAdapter *net, int i, PmtTensor x)
{
  const Block *block = &net->block[i];
  PmtFrame frame = pmt_frame_open (ctx);
  if (pmt_t2i_halves (&net->config, i))
    x = pmt_frame_close (ctx, frame, pmt_avg_pool (ctx, x, 2, 2));
  if (block->in.w != PMT_NO_WEIGHT)
    x = pmt_frame_close (ctx, frame, pmt_dense_run (ctx, net->pool, &block->in, x));
  for (int j = 0; j < net->config.n_resnets; j++) {
    const Resnet *resnet = &block->resnet[j];
    PmtTensor h = pmt_relu (ctx, pmt_conv_run (ctx, net->pool, &resnet->block1, x));
    h = resnet->mix.w != PMT_NO_WEIGHT ? pmt_dense_run (ctx, net->pool, &resnet->mix, h)
                                       : pmt_conv_run (ctx, net->pool, &resnet->block2, h);
    x = pmt_frame_close (ctx, frame, pmt_add (ctx, h, x));
  }
  if (block->out.w != PMT_NO_WEIGHT)
    x = pmt_frame_close (ctx, frame, pmt_dense_run (ctx, net->pool, &block->out, x));
  return x;
}

static bool
check_picture (PmtContext *ctx, const PmtT2iConfig *config, PmtTensor picture)
{
  const int64_t *d = picture.shape.dim;
  char text[PMT_SHAPE_TEXT];
  if (pmt_context_failed (ctx))
    return false;
  if (picture.data && picture.shape.rank == 4 && d[0] > 0 && d[1] > 0 && d[2] > 0 && d[1] % config->downscale == 0 &&
      d[2] % config->downscale == 0 && d[3] == config->in_channels)
    return true;
  pmt_context_fail (ctx, PMT_ERROR_INPUT,
                    "The T2I-Adapter takes a picture of N x height x width x %d whose sides are multiples of %d and was given %s; choose "
                    "another size.",
                    config->in_channels, config->downscale, pmt_shape_text (&picture.shape, text, sizeof text));
  return false;
}

bool
pmt_t2i_forward (PmtContext *ctx, const PmtT2iAdapter *net, PmtTensor picture, PmtTensor *feature)
{
  const PmtT2iConfig *config = &net->config;
  memset (feature, 0, (size_t) config->n_blocks * sizeof *feature);
  if (!check_picture (ctx, config, picture))
    return false;
  PmtFrame whole = pmt_frame_open (ctx);
  PmtTensor x = pmt_pixel_unshuffle (ctx, picture, config->downscale);
  if (config->type != PMT_T2I_LIGHT)
    x = pmt_frame_close (ctx, whole, pmt_conv_run (ctx, net->pool, &net->conv_in, x));
  for (int i = 0; i < config->n_blocks; i++)
    feature[i] = x = run_block (ctx, net, i, x);
  return pmt_frame_close_several (ctx, whole, feature, config->n_blocks);
}
