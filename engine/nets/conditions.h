/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a UNet (or a ControlNet made of its half) is told beside latent and text: the timestep, and where its configuration has them the
 * guidance scale (Luo et al. 2023) and the pooled text with the sizes of the picture (Podell et al. 2023; formats.md 5.1). All of it
 * becomes one vector per row, which every residual block gets. */
#pragma once

#include "engine/nets/layers.h"

typedef struct PmtConditionShape {
  int width;         /* of the timestep's embedding: block_out_channels[0]; the vector is four times as wide */
  bool flip_sin_to_cos;
  float freq_shift;
  int guidance_dim;  /* time_cond_proj_dim; 0 = the network is not told the guidance scale */
  int added_dim;     /* projection_class_embeddings_input_dim of addition_embed_type "text_time"; 0 = no added conditions */
  int time_id_dim;   /* addition_time_embed_dim: width of one time id's embedding */
} PmtConditionShape;

typedef struct PmtConditions {
  PmtConditionShape shape;
  PmtDense time1, time2; /* time_embedding */
  PmtDense guidance;     /* time_embedding.cond_proj */
  PmtDense added1, added2; /* add_embedding */
} PmtConditions;

typedef struct PmtConditionInput {
  const float *timesteps;   /* N values, may be fractional */
  PmtTensor timestep_cond;  /* [N, guidance_dim], pmt_guidance_embedding; PMT_NO_TENSOR leaves it out, as the reference does */
  PmtTensor text_embeds;    /* [N, P], P + n time_id_dim = added_dim; PMT_NO_TENSOR where added_dim is 0 */
  PmtTensor time_ids;       /* [N, n]: plain numbers */
} PmtConditionInput;

PmtConditions pmt_conditions_declare (PmtWeightPool *pool, const PmtConditionShape *shape);
/* True when `input` fits `rows` rows of a network of this shape; otherwise fails ctx with PMT_ERROR_INPUT, a sentence about "The
 * `what`". */
bool pmt_conditions_check (PmtContext *ctx, const char *what, const PmtConditionShape *shape, const PmtConditionInput *input, int64_t rows);
/* silu of the vector, [N, 4 width], of input that was checked. */
PmtTensor pmt_conditions_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtConditions *conditions, const PmtConditionInput *input,
                              int64_t rows);
