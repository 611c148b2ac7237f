/* SPDX-License-Identifier: GPL-3.0-or-later */
/* UNet2DConditionModel of the Stable Diffusion family (Rombach et al. 2022), any width and depth that its config.json can say. */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/nets/taps.h"
#include "engine/nets/weight_pool.h"
#include "engine/weights/source.h"

#define PMT_UNET_MAX_LEVELS 8

typedef struct PmtUnetConfig {
  PmtPrecision precision; /* of products; no key of config.json: the model's owner sets it, f32 otherwise */
  int in_channels, out_channels;
  int n_levels;
  int block_out_channels[PMT_UNET_MAX_LEVELS];
  bool down_has_attention[PMT_UNET_MAX_LEVELS]; /* CrossAttnDownBlock2D against DownBlock2D */
  bool up_has_attention[PMT_UNET_MAX_LEVELS];   /* in up_block_types order */
  int layers_per_block;
  int transformer_layers[PMT_UNET_MAX_LEVELS];
  int heads[PMT_UNET_MAX_LEVELS]; /* config key attention_head_dim, which is the number of heads (formats.md 5.3) */
  int cross_attention_dim;
  int norm_groups;
  float norm_eps;
  bool mid_plain; /* the middle is one resnet without attention (small ControlNets; no UNet file says so) */
  bool gated; /* the file also holds GLIGEN's weights (gligen.h), which this network leaves to whoever uses them */
  bool linear_projection;
  bool flip_sin_to_cos;
  float freq_shift;
  int time_cond_proj_dim; /* LCM: width of the guidance scale's embedding; 0 = none */
  int added_dim;          /* SDXL: projection_class_embeddings_input_dim; 0 = no added conditions */
  int time_id_dim;        /* SDXL: addition_time_embed_dim */
} PmtUnetConfig;

/* Reads config.json's object with the constructor defaults of formats.md 1.2; a key with a value that this code does not implement is
 * PMT_ERROR_UNSUPPORTED naming key, value and `file`. */
gboolean pmt_unet_config_parse (JsonObject *object, const char *file, PmtUnetConfig *config, GError **error);

typedef struct PmtUnet PmtUnet;

/* Loads and packs every weight the config asks for. A missing tensor or a wrong shape is an error naming tensor, shapes and file.
 * `weights` is only used during the call. With weights == NULL only the structure is made: usable in dry contexts. */
PmtUnet *pmt_unet_new (const PmtUnetConfig *config, PmtWeights *weights, const PmtCancel *cancel, GError **error);
void pmt_unet_free (PmtUnet *unet); /* NULL is fine */
const PmtUnetConfig *pmt_unet_config (const PmtUnet *unet);
size_t pmt_unet_weight_bytes (const PmtUnet *unet); /* resident, packed */
PmtWeightPool *pmt_unet_weights (const PmtUnet *unet); /* owned by the network */

typedef struct PmtUnetInput {
  PmtTensor sample;       /* [N, h, w, in_channels] */
  const float *timesteps; /* N values, may be fractional */
  PmtTensor context;      /* [N, S, cross_attention_dim] */
  PmtTensor timestep_cond; /* [N, time_cond_proj_dim], pmt_guidance_embedding; may be absent */
  PmtTensor text_embeds;  /* [N, P] pooled text and */
  PmtTensor time_ids;     /* [N, n] plain numbers, where the configuration has added conditions: P + n time_id_dim = added_dim */
  /* A short evaluation (Ma, Fang & Wang 2023, DeepCache): shallow > 0 makes the first `shallow` skips alone and begins the way up at the
   * layer that takes the last of them, with `stream` as what PMT_RESID_JOIN showed there in a whole evaluation. */
  int shallow;
  PmtTensor stream;
} PmtUnetInput;

/* Skips of a whole evaluation; PmtUnetInput.shallow is less. */
int pmt_unet_n_skips (const PmtUnetConfig *config);

/* The model's raw output [N, h, w, out_channels] (epsilon, v or x0: the schedule knows), or PMT_NO_TENSOR where taps->seen stopped it.
 * taps may be NULL. */
PmtTensor pmt_unet_forward (PmtContext *ctx, PmtUnet *unet, const PmtUnetInput *input, const PmtTaps *taps);
