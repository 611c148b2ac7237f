/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AutoencoderKL: pictures <-> latents (Rombach et al. 2022; formats.md 4.1). */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/nets/weight_pool.h"
#include "engine/tensor/context.h"
#include "engine/weights/source.h"

#define PMT_VAE_MAX_LEVELS 8
#define PMT_VAE_MAX_LATENTS 64

typedef struct PmtVaeConfig {
  PmtPrecision precision; /* of products; no key of config.json: the model's owner sets it, f32 otherwise */
  int in_channels, out_channels, latent_channels;
  int n_levels;
  int block_out_channels[PMT_VAE_MAX_LEVELS];
  int layers_per_block;
  int norm_groups;
  bool mid_attention;
  bool quant_conv, post_quant_conv;
  float scaling_factor, shift_factor; /* UNet latent = (z - shift) * scaling */
  bool has_mean_std; /* latents_mean and latents_std: UNet latent = (z - shift - mean) * scaling / std, by channel */
  float mean[PMT_VAE_MAX_LATENTS], std[PMT_VAE_MAX_LATENTS]; /* 0 and 1 where the file has none */
  int sample_size;
} PmtVaeConfig;

gboolean pmt_vae_config_parse (JsonObject *object, const char *file, PmtVaeConfig *config, GError **error);
/* Pixels per latent pixel: 2^(levels-1). */
int pmt_vae_factor (const PmtVaeConfig *config);

typedef struct PmtVae PmtVae;

PmtVae *pmt_vae_new (const PmtVaeConfig *config, PmtWeights *weights, const PmtCancel *cancel, GError **error); /* as pmt_unet_new */
void pmt_vae_free (PmtVae *vae);
const PmtVaeConfig *pmt_vae_config (const PmtVae *vae);
size_t pmt_vae_weight_bytes (const PmtVae *vae);
PmtWeightPool *pmt_vae_weights (const PmtVae *vae); /* owned by the network */
/* Whether anything was encoded or decoded since the network was made or the mark was last taken away: a dry run tells whether the weights are
 * needed at all. */
bool pmt_vae_used (const PmtVae *vae);
void pmt_vae_forget_use (PmtVae *vae);

/* pictures [N, H, W, 3] in [-1, 1], sides multiples of pmt_vae_factor -> moments [N, H/f, W/f, 2 * latent_channels] = [mean | logvar],
 * logvar clamped to [-30, 20]; not scaled. */
PmtTensor pmt_vae_encode (PmtContext *ctx, PmtVae *vae, PmtTensor pictures);
/* UNet latents from moments: (mean + exp(logvar / 2) * noise - shift) * scaling; noise [N, h, w, latent_channels] or PMT_NO_TENSOR
 * for the mode. `scaled` false leaves out shift and scaling (InstructPix2Pix). */
PmtTensor pmt_vae_sample (PmtContext *ctx, PmtVae *vae, PmtTensor moments, PmtTensor noise, bool scaled);
/* Autoencoder's latents z into UNet latents, in place: n positions of latent_channels values. */
void pmt_vae_scale_latents (const PmtVaeConfig *config, float *z, int64_t n);
/* latents as the UNet has them (scaled) [N, h, w, latent_channels] -> pictures [N, h*f, w*f, 3], not clamped. */
PmtTensor pmt_vae_decode (PmtContext *ctx, PmtVae *vae, PmtTensor latents);

/* The same in overlapping tiles of the config's sample_size, blended into each other (formats.md 4.2): less memory for big pictures, and
 * by design not quite the same picture, as norms and attention see a tile only. Pictures of one tile are done whole. */
PmtTensor pmt_vae_encode_tiled (PmtContext *ctx, PmtVae *vae, PmtTensor pictures);
PmtTensor pmt_vae_decode_tiled (PmtContext *ctx, PmtVae *vae, PmtTensor latents);
/* Whether a picture of such latents takes more than one tile. */
bool pmt_vae_tiling_helps (const PmtVaeConfig *config, int64_t latent_height, int64_t latent_width);
