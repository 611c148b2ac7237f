/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Encoder and decoder of the autoencoder, private to vae.c. */
#pragma once

#include "engine/nets/resnet_block.h"
#include "engine/nets/vae.h"

#define PMT_VAE_NORM_EPS 1e-6f

/* Resnet, one-headed attention over all positions (where the configuration has it), resnet. */
typedef struct PmtVaeMid {
  PmtResnetBlock resnet1, resnet2;
  bool has_attention;
  PmtNorm norm;
  PmtAttentionLayer attention;
  int groups;
} PmtVaeMid;

typedef struct PmtVaeLevel {
  int n_resnets;
  PmtResnetBlock *resnets;
  bool has_sampler;
  PmtConv sampler;
} PmtVaeLevel;

/* One half; the encoder runs levels then mid, the decoder mid then levels. */
typedef struct PmtVaeHalf {
  PmtConv conv_in, conv_out;
  PmtVaeMid mid;
  int n_levels;
  PmtVaeLevel levels[PMT_VAE_MAX_LEVELS];
  PmtNorm norm_out;
  int groups;
} PmtVaeHalf;

PmtVaeHalf pmt_vae_encoder_declare (PmtWeightPool *pool, const PmtVaeConfig *config);
PmtVaeHalf pmt_vae_decoder_declare (PmtWeightPool *pool, const PmtVaeConfig *config);
void pmt_vae_half_clear (PmtVaeHalf *half);

/* x [N, H, W, in_channels] -> [N, H/f, W/f, 2 * latent_channels], before quant_conv. */
PmtTensor pmt_vae_encoder_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtVaeHalf *encoder, PmtTensor x);
/* x [N, h, w, latent_channels], after post_quant_conv -> [N, h*f, w*f, out_channels]. */
PmtTensor pmt_vae_decoder_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtVaeHalf *decoder, PmtTensor x);
