/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CLIP text encoder (Radford et al. 2021; formats.md 3). */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/nets/weight_pool.h"
#include "engine/tensor/context.h"
#include "engine/weights/source.h"

typedef enum { PMT_ACT_QUICK_GELU, PMT_ACT_GELU } PmtActivation;

typedef struct PmtClipTextConfig {
  PmtPrecision precision; /* of products; no key of config.json: the model's owner sets it, f32 otherwise */
  int vocab_size, max_positions;
  int hidden, intermediate, layers, heads;
  PmtActivation activation;
  float layer_norm_eps;
  int eos_token_id; /* 2 = legacy: the pooled position is the largest id's first place */
  int projection;   /* 0 = no text_projection */
} PmtClipTextConfig;

gboolean pmt_clip_text_config_parse (JsonObject *object, const char *file, PmtClipTextConfig *config, GError **error);

typedef struct PmtClipText PmtClipText;

/* Tensors are asked for with the prefix "text_model."; sources translate files that lack it. */
PmtClipText *pmt_clip_text_new (const PmtClipTextConfig *config, PmtWeights *weights, const PmtCancel *cancel, GError **error);
void pmt_clip_text_free (PmtClipText *text);
const PmtClipTextConfig *pmt_clip_text_config (const PmtClipText *text);
size_t pmt_clip_text_weight_bytes (const PmtClipText *text);
PmtWeightPool *pmt_clip_text_weights (const PmtClipText *text); /* owned by the encoder */

typedef struct PmtClipTextOutput {
  PmtTensor hidden; /* [N, T, hidden], final layer norm applied when asked */
  PmtTensor pooled; /* [N, hidden] final layer norm at the end-of-text position (projected when the config has a projection) */
} PmtClipTextOutput;

/* ids: N * T values, T <= max_positions, padded by the caller (no padding mask exists: pad ids matter).
 * skip: 0 = last layer, 1 = "clip skip 2" (the layer before the last), …; final_norm: apply final_layer_norm to it. */
PmtClipTextOutput pmt_clip_text_forward (PmtContext *ctx, PmtClipText *text, const int32_t *ids, int64_t rows, int64_t tokens,
                                         int skip, bool final_norm);
/* The same with learned words: `learned` [n, hidden] are the vectors of ids vocab_size .. vocab_size + n - 1, a leaf like others when
 * there is a tape; PMT_NO_TENSOR = none. */
PmtClipTextOutput pmt_clip_text_forward_learned (PmtContext *ctx, PmtClipText *text, PmtTensor learned, const int32_t *ids, int64_t rows,
                                                 int64_t tokens, int skip, bool final_norm);
