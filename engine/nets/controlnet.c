/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/controlnet.h"

#include <math.h>
#include <string.h>

#include "engine/nets/unet_encoder.h"

struct PmtControlNet {
  PmtControlNetConfig config;
  PmtWeightPool *pool;
  PmtUnetEncoder encoder;
  PmtConv hint_in, hint_out;
  PmtConv hint[2 * (PMT_CONTROLNET_MAX_HINTS - 1)];
  int n_out; /* skips and the middle */
  PmtDense out[PMT_UNET_MAX_SKIPS + 1];
};

/* Structure */

static void
declare_hint (PmtControlNet *net)
{
  const PmtControlNetConfig *config = &net->config;
  const int *widths = config->hint_widths, last = config->n_hint_widths - 1;
  const char *prefix = "controlnet_cond_embedding";
  net->hint_in = pmt_conv_declare (net->pool, prefix, "conv_in", config->hint_channels, widths[0], 3, PMT_CONV_3X3);
  for (int k = 0; k < 2 * last; k++) {
    char *name = g_strdup_printf ("blocks.%d", k);
    const PmtConv2dParams params = { k % 2 ? 2 : 1, 1, 1, 1, 1 };
    net->hint[k] = pmt_conv_declare (net->pool, prefix, name, widths[k / 2], widths[(k + 1) / 2], 3, params);
    g_free (name);
  }
  net->hint_out = pmt_conv_declare (net->pool, prefix, "conv_out", widths[last], config->unet.block_out_channels[0], 3, PMT_CONV_3X3);
}

static void
declare_out (PmtControlNet *net, int width)
{
  char *name = g_strdup_printf ("controlnet_down_blocks.%d", net->n_out);
  net->out[net->n_out++] = pmt_dense_declare (net->pool, NULL, name, width, width, true);
  g_free (name);
}

static void
declare_all (PmtControlNet *net)
{
  const PmtUnetConfig *unet = &net->config.unet;
  int counter = 0;
  pmt_unet_encoder_declare (&net->encoder, net->pool, unet, &counter);
  declare_hint (net);
  declare_out (net, unet->block_out_channels[0]);
  for (int i = 0; i < unet->n_levels; i++)
    for (int j = 0; j < unet->layers_per_block + (i + 1 < unet->n_levels); j++)
      declare_out (net, unet->block_out_channels[i]);
  const int width = unet->block_out_channels[unet->n_levels - 1];
  net->out[net->n_out++] = pmt_dense_declare (net->pool, NULL, "controlnet_mid_block", width, width, true);
}

PmtControlNet *
pmt_controlnet_new (const PmtControlNetConfig *config, PmtWeights *weights, const PmtCancel *cancel, GError **error)
{
  PmtControlNet *net = g_new0 (PmtControlNet, 1);
  net->config = *config;
  net->pool = pmt_weight_pool_new ("ControlNet", config->unet.precision);
  declare_all (net);
  if (weights && !pmt_controlnet_load (net, weights, cancel, error)) {
    pmt_controlnet_free (net);
    return NULL;
  }
  return net;
}

gboolean
pmt_controlnet_load (PmtControlNet *net, PmtWeights *weights, const PmtCancel *cancel, GError **error)
{
  return pmt_weight_pool_load (net->pool, weights, cancel, error);
}

void
pmt_controlnet_free (PmtControlNet *net)
{
  if (!net)
    return;
  pmt_unet_encoder_clear (&net->encoder);
  pmt_weight_pool_free (net->pool);
  g_free (net);
}

const PmtControlNetConfig *
pmt_controlnet_config (const PmtControlNet *net)
{
  return &net->config;
}

PmtWeightPool *
pmt_controlnet_weights (const PmtControlNet *net)
{
  return net->pool;
}

int
pmt_controlnet_n_residuals (const PmtControlNet *net)
{
  return net->n_out;
}

/* The picture */

static PmtTensor
reverse_channels (PmtContext *ctx, PmtTensor x)
{
  PmtTensor turned = pmt_tensor_new (ctx, x.shape);
  const int64_t c = pmt_tensor_dim (x, -1);
  for (int64_t i = 0; turned.data && !ctx->dry && i < pmt_tensor_size (x); i++)
    turned.data[i] = x.data[i - i % c + c - 1 - i % c];
  return turned;
}

PmtTensor
pmt_controlnet_hint (PmtContext *ctx, const PmtControlNet *net, PmtTensor picture)
{
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor x = net->config.bgr ? reverse_channels (ctx, picture) : picture;
  x = pmt_frame_close (ctx, frame, pmt_silu (ctx, pmt_conv_run (ctx, net->pool, &net->hint_in, x)));
  for (int k = 0; k < 2 * (net->config.n_hint_widths - 1); k++)
    x = pmt_frame_close (ctx, frame, pmt_silu (ctx, pmt_conv_run (ctx, net->pool, &net->hint[k], x)));
  return pmt_frame_close (ctx, frame, pmt_conv_run (ctx, net->pool, &net->hint_out, x));
}

/* One evaluation */

/* One row's hint for all rows. */
static PmtTensor
repeat (PmtContext *ctx, PmtTensor hint, int64_t rows)
{
  PmtShape shape = hint.shape;
  if (!hint.data || shape.dim[0] == rows)
    return hint;
  shape.dim[0] = rows;
  PmtTensor all = pmt_tensor_new (ctx, shape);
  for (int64_t n = 0; all.data && !ctx->dry && n < rows; n++)
    memcpy (all.data + n * pmt_tensor_size (hint), hint.data, (size_t) pmt_tensor_size (hint) * sizeof (float));
  return all;
}

static bool
check_hint (PmtContext *ctx, const PmtControlNet *net, const PmtUnetInput *input, PmtTensor hint)
{
  const int64_t *x = input->sample.shape.dim, *h = hint.shape.dim;
  char have[PMT_SHAPE_TEXT], want[PMT_SHAPE_TEXT];
  if (pmt_context_failed (ctx))
    return false;
  if (hint.data && hint.shape.rank == 4 && (h[0] == 1 || h[0] == x[0]) && h[1] == x[1] && h[2] == x[2] &&
      h[3] == net->config.unet.block_out_channels[0])
    return true;
  pmt_context_fail (ctx, PMT_ERROR_INPUT,
                    "The ControlNet was given a picture that became %s where the latent is %s; the picture's sides are to be %d times "
                    "the latent's.",
                    pmt_shape_text (&hint.shape, have, sizeof have), pmt_shape_text (&input->sample.shape, want, sizeof want),
                    1 << (net->config.n_hint_widths - 1));
  return false;
}

bool
pmt_controlnet_pools (const PmtControlNet *net, bool asked)
{
  return net->config.global_pool || (asked && !net->config.pool_stated);
}

bool
pmt_controlnet_forward (PmtContext *ctx, const PmtControlNet *net, const PmtUnetInput *input, PmtTensor hint, float scale, bool guess,
                        bool pool, PmtTensor *residual)
{
  const PmtUnetConfig *config = &net->config.unet;
  PmtUnetPass pass = { .ctx = ctx, .config = config, .pool = net->pool, .context = input->context };
  memset (residual, 0, (size_t) net->n_out * sizeof *residual);
  if (!pmt_unet_check_input (ctx, "ControlNet", config, input) || !check_hint (ctx, net, input, hint))
    return false;

  PmtFrame whole = pmt_frame_open (ctx);
  PmtTensor mid = pmt_unet_encode (&pass, &net->encoder, input, repeat (ctx, hint, input->sample.shape.dim[0]));
  for (int k = 0; k < net->n_out; k++) {
    PmtFrame frame = pmt_frame_open (ctx);
    PmtTensor x = pmt_dense_run (ctx, net->pool, &net->out[k], k < pass.n_skips ? pass.skips[k].x : mid);
    if (pool)
      x = pmt_avg_pool (ctx, x, pmt_tensor_dim (x, 1), pmt_tensor_dim (x, 2));
    const double weaker = guess && !pool ? pow (10.0, -1.0 + (double) k / (net->n_out - 1)) : 1.0;
    residual[k] = pmt_frame_close (ctx, frame, pmt_scale (ctx, x, (float) (weaker * scale)));
  }
  return pmt_frame_close_several (ctx, whole, residual, net->n_out);
}

PmtTensor
pmt_controlnet_add (PmtContext *ctx, PmtTensor x, PmtTensor residual)
{
  const int64_t *d = residual.shape.dim;
  const bool pooled = residual.data && residual.shape.rank == 4 && x.data && d[1] == 1 && d[2] == 1 &&
                      (x.shape.dim[1] != 1 || x.shape.dim[2] != 1);
  return pooled ? pmt_add_rows (ctx, x, pmt_tensor_view (residual, PMT_SHAPE2 (d[0], d[3]))) : pmt_add (ctx, x, residual);
}
