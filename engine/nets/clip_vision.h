/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CLIP image encoder: a vision transformer with a class token (Dosovitskiy et al. 2021, Radford et al. 2021; formats.md 7.8). */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/nets/clip_text.h" /* PmtActivation */
#include "engine/nets/weight_pool.h"
#include "engine/weights/source.h"

typedef struct PmtClipVisionConfig {
  int image_size, patch; /* pixels; the picture is square */
  int hidden, intermediate, layers, heads;
  PmtActivation activation;
  float layer_norm_eps;
  int projection;        /* width of the picture's embedding; 0 = the file has no visual_projection */
} PmtClipVisionConfig;

/* config.json of CLIPVisionModel or CLIPVisionModelWithProjection, or the "vision_config" within one of a whole CLIP. */
gboolean pmt_clip_vision_config_parse (JsonObject *object, const char *file, PmtClipVisionConfig *config, GError **error);
/* From the shapes of a file without config.json. What shapes don't say (heads, activation) is known for the widths of ViT-B, L, H and
 * bigG; other widths are PMT_ERROR_UNSUPPORTED. */
gboolean pmt_clip_vision_config_derive (PmtWeights *weights, PmtClipVisionConfig *config, GError **error);

typedef struct PmtClipVision PmtClipVision;

/* Opens a folder with config.json and weights, a model's folder that has image_encoder/, or a single file; reads headers only, so that
 * the encoder serves dry contexts at once. Names with and without "vision_model." in front are understood. PMT_ERROR_UNSUPPORTED for
 * anything that is no image encoder of transformers' form. */
PmtClipVision *pmt_clip_vision_open (const char *path, GError **error);
/* The same from an open set of weights, which it takes over, on failure too. */
PmtClipVision *pmt_clip_vision_new (const PmtClipVisionConfig *config, PmtWeights *weights, GError **error);
/* Reads all weights; once. */
gboolean pmt_clip_vision_load (PmtClipVision *vision, const PmtCancel *cancel, GError **error);
void pmt_clip_vision_free (PmtClipVision *vision); /* NULL is fine */
const PmtClipVisionConfig *pmt_clip_vision_config (const PmtClipVision *vision);
size_t pmt_clip_vision_weight_bytes (const PmtClipVision *vision);
PmtWeightPool *pmt_clip_vision_weights (const PmtClipVision *vision);

typedef struct PmtClipVisionOutput {
  PmtTensor hidden; /* [N, 1 + (image_size / patch)^2, hidden], class token first, no final norm */
  PmtTensor embeds; /* [N, projection] */
} PmtClipVisionOutput;

/* pixels [N, image_size, image_size, 3] as pmt_clip_pixels makes them. hidden is transformers' hidden_states[-1 - skip], skip 0..layers.
 * embeds is PMT_NO_TENSOR unless it is asked for; asking a net without projection for it is an error. */
PmtClipVisionOutput pmt_clip_vision_forward (PmtContext *ctx, PmtClipVision *vision, PmtTensor pixels, int skip, bool embeds);

/* picture [N, H, W, 3] around [-1, 1], as decoders make it -> pixels: resized and its middle cut out as by pmt_clip_pixels, but with operations,
 * so that a tape follows, and therefore without rounding and clamping. PMT_ERROR_INPUT for a picture more than 64 times as long as it is wide. */
PmtTensor pmt_clip_vision_picture (PmtContext *ctx, const PmtClipVision *vision, PmtTensor picture);
