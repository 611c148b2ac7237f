/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/vae.h"

#include "engine/nets/vae_parts.h"
#include "engine/nets/vae_tiles.h"

struct PmtVae {
  PmtVaeConfig config;
  PmtWeightPool *pool;
  PmtVaeHalf encoder, decoder;
  PmtDense quant, post_quant; /* 1x1 convolutions */
  bool used;
};

PmtVae *
pmt_vae_new (const PmtVaeConfig *config, PmtWeights *weights, const PmtCancel *cancel, GError **error)
{
  PmtVae *vae = g_new0 (PmtVae, 1);
  int z = config->latent_channels;
  vae->config = *config;
  vae->pool = pmt_weight_pool_new ("autoencoder", config->precision);
  vae->encoder = pmt_vae_encoder_declare (vae->pool, config);
  vae->decoder = pmt_vae_decoder_declare (vae->pool, config);
  if (config->quant_conv)
    vae->quant = pmt_dense_declare (vae->pool, NULL, "quant_conv", 2 * z, 2 * z, true);
  if (config->post_quant_conv)
    vae->post_quant = pmt_dense_declare (vae->pool, NULL, "post_quant_conv", z, z, true);
  if (weights && !pmt_weight_pool_load (vae->pool, weights, cancel, error)) {
    pmt_vae_free (vae);
    return NULL;
  }
  return vae;
}

void
pmt_vae_free (PmtVae *vae)
{
  if (!vae)
    return;
  pmt_vae_half_clear (&vae->encoder);
  pmt_vae_half_clear (&vae->decoder);
  pmt_weight_pool_free (vae->pool);
  g_free (vae);
}

const PmtVaeConfig *
pmt_vae_config (const PmtVae *vae)
{
  return &vae->config;
}

PmtWeightPool *
pmt_vae_weights (const PmtVae *vae)
{
  return vae->pool;
}

bool
pmt_vae_used (const PmtVae *vae)
{
  return vae->used;
}

void
pmt_vae_forget_use (PmtVae *vae)
{
  vae->used = false;
}

size_t
pmt_vae_weight_bytes (const PmtVae *vae)
{
  return pmt_weight_pool_bytes (vae->pool);
}

static bool
check_channels (PmtContext *ctx, PmtTensor x, int channels, const char *what)
{
  char have[PMT_SHAPE_TEXT];
  if (pmt_context_failed (ctx))
    return false;
  if (x.data && x.shape.rank == 4 && x.shape.dim[3] == channels && pmt_shape_size (&x.shape) > 0)
    return true;
  pmt_context_fail (ctx, PMT_ERROR_INPUT,
                    "The autoencoder takes %s of N x height x width x %d and was given %s; use those that belong to the model.", what,
                    channels, pmt_shape_text (&x.shape, have, sizeof have));
  return false;
}

/* Tiles are blended by hand: saying that they have no gradient beats a wrong one. */
static bool
check_not_differentiated (PmtContext *ctx, PmtTensor x)
{
  if (!ctx->tape || x.node == 0)
    return true;
  pmt_context_fail (ctx, PMT_ERROR_UNSUPPORTED,
                    "An autoencoder that works in tiles cannot be differentiated; switch tiling off or make the picture smaller.");
  return false;
}

/* One tile or all: pictures -> moments, not clamped. */
static PmtTensor
encode_part (void *user, PmtContext *ctx, PmtTensor pictures)
{
  PmtVae *vae = user;
  vae->used = true;
  PmtTensor moments = pmt_vae_encoder_run (ctx, vae->pool, &vae->encoder, pictures);
  return vae->config.quant_conv ? pmt_dense_run (ctx, vae->pool, &vae->quant, moments) : moments;
}

/* One tile or all: latents as the autoencoder has them -> pictures. */
static PmtTensor
decode_part (void *user, PmtContext *ctx, PmtTensor latents)
{
  PmtVae *vae = user;
  vae->used = true;
  if (vae->config.post_quant_conv)
    latents = pmt_dense_run (ctx, vae->pool, &vae->post_quant, latents);
  return pmt_vae_decoder_run (ctx, vae->pool, &vae->decoder, latents);
}

/* A quarter of a tile is overlap, so tiles are of fours of latent cells. */
static int
tile_cells (const PmtVaeConfig *config)
{
  return MAX (config->sample_size / pmt_vae_factor (config) / 4 * 4, 4);
}

bool
pmt_vae_tiling_helps (const PmtVaeConfig *config, int64_t latent_height, int64_t latent_width)
{
  return MAX (latent_height, latent_width) > tile_cells (config);
}

static PmtTensor
encode (PmtContext *ctx, PmtVae *vae, PmtTensor pictures, bool tiled)
{
  const PmtVaeConfig *config = &vae->config;
  int factor = pmt_vae_factor (config), z = config->latent_channels;
  if (!check_channels (ctx, pictures, config->in_channels, "pictures"))
    return PMT_NO_TENSOR;
  if (pictures.shape.dim[1] % factor || pictures.shape.dim[2] % factor) {
    pmt_context_fail (ctx, PMT_ERROR_INPUT,
                      "The autoencoder takes pictures with sides that are multiples of %d and was given %d x %d; crop or enlarge them.",
                      factor, (int) pictures.shape.dim[2], (int) pictures.shape.dim[1]);
    return PMT_NO_TENSOR;
  }
  PmtFrame frame = pmt_frame_open (ctx);
  const int cells = tile_cells (config);
  const PmtTiling tiling = { .tile = cells * factor, .step = cells / 4 * 3 * factor, .blend = cells / 4, .channels = 2 * z, .up = 1,
                             .down = factor };
  tiled = tiled && pmt_vae_tiling_helps (config, pictures.shape.dim[1] / factor, pictures.shape.dim[2] / factor);
  if (tiled && !check_not_differentiated (ctx, pictures))
    return pmt_frame_close (ctx, frame, PMT_NO_TENSOR);
  PmtTensor moments = tiled ? pmt_tiles_run (ctx, pictures, &tiling, vae, encode_part) : encode_part (vae, ctx, pictures);
  return pmt_frame_close (ctx, frame, pmt_moments_clamp (ctx, moments));
}

PmtTensor
pmt_vae_encode (PmtContext *ctx, PmtVae *vae, PmtTensor pictures)
{
  return encode (ctx, vae, pictures, false);
}

PmtTensor
pmt_vae_encode_tiled (PmtContext *ctx, PmtVae *vae, PmtTensor pictures)
{
  return encode (ctx, vae, pictures, true);
}

/* x times factor, plus shift, by channel: a product with a diagonal matrix, as an operation that a tape sees. */
static PmtTensor
by_channel (PmtContext *ctx, PmtTensor x, const float *factor, const float *shift)
{
  const int64_t z = pmt_tensor_dim (x, -1);
  PmtTensor w = pmt_tensor_zeros (ctx, PMT_SHAPE2 (z, z)), b = pmt_tensor_new (ctx, PMT_SHAPE1 (z));
  for (int64_t c = 0; c < z && b.data && !ctx->dry; c++) {
    w.data[c * z + c] = factor[c];
    b.data[c] = shift[c];
  }
  return pmt_linear (ctx, x, w, b);
}

/* pmt_vae_scale_latents where a tape looks on. */
static PmtTensor
scale (PmtContext *ctx, const PmtVaeConfig *config, PmtTensor z)
{
  float factor[PMT_VAE_MAX_LATENTS], shift[PMT_VAE_MAX_LATENTS];
  for (int c = 0; c < config->latent_channels; c++) {
    factor[c] = config->scaling_factor / config->std[c];
    shift[c] = -(config->shift_factor + config->mean[c]) * factor[c];
  }
  return by_channel (ctx, z, factor, shift);
}

PmtTensor
pmt_vae_sample (PmtContext *ctx, PmtVae *vae, PmtTensor moments, PmtTensor noise, bool scaled)
{
  const PmtVaeConfig *config = &vae->config;
  int z = config->latent_channels;
  if (!check_channels (ctx, moments, 2 * z, "moments") || (noise.data && !check_channels (ctx, noise, z, "noise")))
    return PMT_NO_TENSOR;
  const int64_t *d = moments.shape.dim;
  PmtShape shape = PMT_SHAPE4 (d[0], d[1], d[2], z);
  if (noise.data && !pmt_shape_equal (&noise.shape, &shape)) {
    char have[PMT_SHAPE_TEXT], want[PMT_SHAPE_TEXT];
    pmt_context_fail (ctx, PMT_ERROR_INPUT, "The noise for a latent of %s has the size %s; make it of the latent's size.",
                      pmt_shape_text (&shape, want, sizeof want), pmt_shape_text (&noise.shape, have, sizeof have));
    return PMT_NO_TENSOR;
  }
  PmtTensor out = pmt_moments_sample (ctx, moments, noise);
  if (!out.data || !scaled)
    return out;
  if (ctx->tape && out.node != 0)
    return scale (ctx, config, out);
  if (!ctx->dry)
    pmt_vae_scale_latents (config, out.data, pmt_tensor_size (out) / z);
  return out;
}

void
pmt_vae_scale_latents (const PmtVaeConfig *config, float *latents, int64_t n)
{
  const int z = config->latent_channels;
  for (int64_t i = 0; i < n; i++)
    for (int c = 0; c < z; c++) {
      float *value = latents + i * z + c;
      *value = (*value - config->shift_factor - config->mean[c]) * config->scaling_factor / config->std[c];
    }
}

/* UNet latents into the autoencoder's. */
static PmtTensor
unscale (PmtContext *ctx, const PmtVaeConfig *config, PmtTensor latents)
{
  if (!config->has_mean_std && config->shift_factor == 0.0f)
    return pmt_scale (ctx, latents, 1.0f / config->scaling_factor);
  float factor[PMT_VAE_MAX_LATENTS], shift[PMT_VAE_MAX_LATENTS];
  for (int c = 0; c < config->latent_channels; c++) {
    factor[c] = config->std[c] / config->scaling_factor;
    shift[c] = config->mean[c] + config->shift_factor;
  }
  return by_channel (ctx, latents, factor, shift);
}

static PmtTensor
decode (PmtContext *ctx, PmtVae *vae, PmtTensor latents, bool tiled)
{
  const PmtVaeConfig *config = &vae->config;
  if (!check_channels (ctx, latents, config->latent_channels, "latents"))
    return PMT_NO_TENSOR;
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor x = unscale (ctx, config, latents);
  if (!x.data || !(tiled && pmt_vae_tiling_helps (config, x.shape.dim[1], x.shape.dim[2])))
    return pmt_frame_close (ctx, frame, decode_part (vae, ctx, x));
  if (!check_not_differentiated (ctx, x))
    return pmt_frame_close (ctx, frame, PMT_NO_TENSOR);
  const int cells = tile_cells (config), factor = pmt_vae_factor (config);
  const PmtTiling tiling = { .tile = cells, .step = cells / 4 * 3, .blend = cells * factor / 4, .channels = config->out_channels,
                             .up = factor, .down = 1 };
  return pmt_frame_close (ctx, frame, pmt_tiles_run (ctx, x, &tiling, vae, decode_part));
}

PmtTensor
pmt_vae_decode (PmtContext *ctx, PmtVae *vae, PmtTensor latents)
{
  return decode (ctx, vae, latents, false);
}

PmtTensor
pmt_vae_decode_tiled (PmtContext *ctx, PmtVae *vae, PmtTensor latents)
{
  return decode (ctx, vae, latents, true);
}
