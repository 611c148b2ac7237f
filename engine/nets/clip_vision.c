/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/clip_vision.h"

#include <string.h>

#include "engine/image/clip_pixels.h"
#include "engine/nets/layers.h"
#include "engine/weights/config.h"
#include "engine/weights/kinds.h"
#include "engine/weights/pickle.h"

typedef struct Layer {
  PmtNorm norm1, norm2;
  PmtAttentionLayer attention;
  PmtDense fc1, fc2;
} Layer;

struct PmtClipVision {
  PmtClipVisionConfig config;
  PmtWeights *weights; /* gone once they are loaded */
  PmtWeightPool *pool;
  PmtWeightRef class, positions, patch;
  PmtNorm pre_norm, post_norm;
  Layer *layers;
  PmtDense projection;
};

/* Structure */

static Layer
declare_layer (PmtWeightPool *pool, const PmtClipVisionConfig *config, const char *top, int index)
{
  Layer layer;
  const int width = config->hidden;
  g_autofree char *prefix = g_strdup_printf ("%sencoder.layers.%d", top, index);
  g_autofree char *attention = g_strconcat (prefix, ".self_attn", NULL);
  layer.norm1 = pmt_norm_declare (pool, prefix, "layer_norm1", width);
  layer.attention = pmt_attention_declare (pool, attention, &pmt_attention_names_clip, width, width, config->heads, true);
  layer.norm2 = pmt_norm_declare (pool, prefix, "layer_norm2", width);
  layer.fc1 = pmt_dense_declare (pool, prefix, "mlp.fc1", width, config->intermediate, true);
  layer.fc2 = pmt_dense_declare (pool, prefix, "mlp.fc2", config->intermediate, width, true);
  return layer;
}

static void
declare (PmtClipVision *vision, const char *top)
{
  const PmtClipVisionConfig *c = &vision->config;
  const int grid = c->image_size / c->patch;
  g_autofree char *embeddings = g_strconcat (top, "embeddings", NULL);
  g_autofree char *pre = g_strconcat (top, "pre_layrnorm", NULL); /* spelled so in every file */
  g_autofree char *post = g_strconcat (top, "post_layernorm", NULL);
  vision->pool = pmt_weight_pool_new ("image encoder", PMT_PRECISION_F32);
  vision->class = pmt_weight_pool_declare (vision->pool, embeddings, "class_embedding", PMT_LAYOUT_PLAIN, PMT_SHAPE1 (c->hidden));
  vision->patch = pmt_weight_pool_declare_product (vision->pool, embeddings, "patch_embedding.weight", PMT_LAYOUT_OHWI,
                                           PMT_SHAPE4 (c->hidden, 3, c->patch, c->patch));
  vision->positions = pmt_weight_pool_declare (vision->pool, embeddings, "position_embedding.weight", PMT_LAYOUT_PLAIN,
                                               PMT_SHAPE2 (grid * grid + 1, c->hidden));
  vision->pre_norm = pmt_norm_declare (vision->pool, NULL, pre, c->hidden);
  vision->layers = g_new0 (Layer, c->layers);
  for (int i = 0; i < c->layers; i++)
    vision->layers[i] = declare_layer (vision->pool, c, top, i);
  vision->post_norm = pmt_norm_declare (vision->pool, NULL, post, c->hidden);
  if (c->projection > 0)
    vision->projection = pmt_dense_declare (vision->pool, NULL, "visual_projection", c->hidden, c->projection, false);
}

PmtClipVision *
pmt_clip_vision_new (const PmtClipVisionConfig *config, PmtWeights *weights, GError **error)
{
  const bool nested = pmt_weights_has (weights, "vision_model.embeddings.class_embedding");
  if (!nested && !pmt_weights_has (weights, "embeddings.class_embedding")) {
    PmtClipVisionConfig unused;
    pmt_clip_vision_config_derive (weights, &unused, error); /* for its sentence */
    pmt_weights_free (weights);
    return NULL;
  }
  PmtClipVision *vision = g_new0 (PmtClipVision, 1);
  vision->config = *config;
  /* The configuration gives projection_dim for encoders without projection too. */
  if (!pmt_weights_has (weights, "visual_projection.weight"))
    vision->config.projection = 0;
  vision->weights = weights;
  declare (vision, nested ? "vision_model." : "");
  return vision;
}

static PmtClipVision *
open_folder (const char *folder, GError **error)
{
  g_autofree char *config_path = g_build_filename (folder, "config.json", NULL);
  g_autofree char *inner = g_build_filename (folder, "image_encoder", NULL);
  PmtClipVisionConfig config;

  if (!g_file_test (config_path, G_FILE_TEST_EXISTS) && g_file_test (inner, G_FILE_TEST_IS_DIR))
    return open_folder (inner, error);
  if (!g_file_test (config_path, G_FILE_TEST_EXISTS)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND,
                 _("There is no image encoder in the folder '%s' (config.json is missing); give the folder image_encoder of the adapter's "
                   "source."),
                 folder);
    return NULL;
  }
  g_autoptr (JsonObject) object = pmt_config_load (config_path, error);
  if (!object || !pmt_clip_vision_config_parse (object, config_path, &config, error))
    return NULL;
  PmtWeights *weights = pmt_weights_new_folder (folder, "model", NULL, PMT_NAMES_PLAIN, error);
  return weights ? pmt_clip_vision_new (&config, weights, error) : NULL;
}

/* A config.json beside a single file counts when it is one of an image encoder: a folder may hold files of many kinds. */
static gboolean
config_beside (const char *path, PmtClipVisionConfig *config)
{
  g_autofree char *folder = g_path_get_dirname (path), *beside = g_build_filename (folder, "config.json", NULL);
  g_autoptr (JsonObject) object = g_file_test (beside, G_FILE_TEST_EXISTS) ? pmt_config_load (beside, NULL) : NULL;
  return object && pmt_clip_vision_config_parse (object, beside, config, NULL);
}

/* TRUE and an error for a file that is known to be something else. The names of an encoder decide first: without "vision_model." they are
 * such that other kinds have them too. */
static gboolean
refuse_other (const char *path, PmtWeights *weights, GError **error)
{
  PmtKindInfo kind;
  if (pmt_weights_has (weights, "vision_model.embeddings.class_embedding") || pmt_weights_has (weights, "embeddings.class_embedding"))
    return FALSE;
  if (!pmt_kind_of_file (path, &kind, error))
    return TRUE;
  if (kind.kind == PMT_KIND_UNKNOWN || kind.kind == PMT_KIND_CLIP_VISION)
    return FALSE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("'%s' is %s, not an image encoder; give the folder image_encoder of the adapter's source, or the file model.safetensors in "
                 "it."),
               path, kind.label);
  return TRUE;
}

PmtClipVision *
pmt_clip_vision_open (const char *path, GError **error)
{
  PmtClipVisionConfig config;
  if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, _("There is no image encoder at '%s'; give its folder or its .safetensors file."),
                 path);
    return NULL;
  }
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    return open_folder (path, error);
  if (pmt_content_of (path) == PMT_CONTENT_PICKLE) {
    pmt_pickle_refuse (path, error);
    return NULL;
  }
  PmtWeights *weights = pmt_weights_new_file (path, PMT_NAMES_PLAIN, error);
  if (!weights)
    return NULL;
  if (refuse_other (path, weights, error)) {
    pmt_weights_free (weights);
    return NULL;
  }
  if (!config_beside (path, &config) && !pmt_clip_vision_config_derive (weights, &config, error)) {
    pmt_weights_free (weights);
    return NULL;
  }
  return pmt_clip_vision_new (&config, weights, error);
}

gboolean
pmt_clip_vision_load (PmtClipVision *vision, const PmtCancel *cancel, GError **error)
{
  if (!pmt_weight_pool_load (vision->pool, vision->weights, cancel, error))
    return FALSE;
  g_clear_pointer (&vision->weights, pmt_weights_free);
  return TRUE;
}

void
pmt_clip_vision_free (PmtClipVision *vision)
{
  if (!vision)
    return;
  g_free (vision->layers);
  pmt_weight_pool_free (vision->pool);
  pmt_weights_free (vision->weights);
  g_free (vision);
}

const PmtClipVisionConfig *
pmt_clip_vision_config (const PmtClipVision *vision)
{
  return &vision->config;
}

size_t
pmt_clip_vision_weight_bytes (const PmtClipVision *vision)
{
  return pmt_weight_pool_bytes (vision->pool);
}

PmtWeightPool *
pmt_clip_vision_weights (const PmtClipVision *vision)
{
  return vision->pool;
}

/* One pass */

static bool
check_input (PmtContext *ctx, const PmtClipVisionConfig *config, PmtTensor pixels, int skip, bool embeds)
{
  char have[PMT_SHAPE_TEXT];
  const PmtShape *s = &pixels.shape;
  if (pmt_context_failed (ctx))
    return false;
  if (!pixels.data || s->rank != 4 || s->dim[0] < 1 || s->dim[1] != config->image_size || s->dim[2] != config->image_size
      || s->dim[3] != 3)
    pmt_context_fail (ctx, PMT_ERROR_INPUT, "The image encoder takes pictures of %d x %d x 3 and was given %s; resize and crop them.",
                      config->image_size, config->image_size, pmt_shape_text (s, have, sizeof have));
  else if (skip < 0 || skip > config->layers)
    pmt_context_fail (ctx, PMT_ERROR_INPUT, "The image encoder has %d layers, so %d of them cannot be skipped; choose a smaller number.",
                      config->layers, skip);
  else if (embeds && config->projection == 0)
    pmt_context_fail (ctx, PMT_ERROR_INPUT,
                      "The image encoder has no projection (visual_projection); use a CLIPVisionModelWithProjection.");
  return !pmt_context_failed (ctx);
}

/* [class | patches] + positions, normed: [N, 1 + P, hidden]. Joining on the token axis is joining rows of all tokens' channels. */
static PmtTensor
embed (PmtContext *ctx, const PmtClipVision *vision, PmtTensor pixels)
{
  const PmtClipVisionConfig *c = &vision->config;
  const int64_t rows = pixels.shape.dim[0], grid = c->image_size / c->patch, patches = grid * grid, tokens = patches + 1;
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor p = pmt_conv2d (ctx, pixels, pmt_weight (ctx, vision->pool, vision->patch), PMT_NO_TENSOR,
                            (PmtConv2dParams) { .stride = c->patch });
  g_autofree int32_t *zeros = g_new0 (int32_t, rows), *places = g_new (int32_t, rows * tokens);
  for (int64_t i = 0; i < rows * tokens; i++)
    places[i] = (int32_t) (i % tokens);
  PmtTensor table = pmt_weight (ctx, vision->pool, vision->class);
  if (table.data)
    table = pmt_tensor_view (table, PMT_SHAPE2 (1, c->hidden));
  PmtTensor first = pmt_embedding (ctx, table, zeros, rows, 1);
  PmtTensor places_of = pmt_embedding (ctx, pmt_weight (ctx, vision->pool, vision->positions), places, rows, tokens);
  if (pmt_context_failed (ctx))
    return PMT_NO_TENSOR;
  PmtTensor x = pmt_concat (ctx, pmt_tensor_view (first, PMT_SHAPE2 (rows, c->hidden)),
                            pmt_tensor_view (p, PMT_SHAPE2 (rows, patches * c->hidden)));
  if (pmt_context_failed (ctx))
    return PMT_NO_TENSOR;
  x = pmt_add (ctx, pmt_tensor_view (x, PMT_SHAPE3 (rows, tokens, c->hidden)), places_of);
  return pmt_frame_close (ctx, frame, pmt_norm_run_layer (ctx, vision->pool, &vision->pre_norm, x, c->layer_norm_eps));
}

/* x lies at the frame's start; so does the result. */
static PmtTensor
run_layer (PmtContext *ctx, const PmtClipVision *vision, const Layer *layer, PmtTensor x, PmtFrame frame)
{
  const float eps = vision->config.layer_norm_eps;
  PmtTensor h = pmt_norm_run_layer (ctx, vision->pool, &layer->norm1, x, eps);
  x = pmt_frame_close (ctx, frame, pmt_add (ctx, x, pmt_attention_run (ctx, vision->pool, &layer->attention, h, false)));
  h = pmt_norm_run_layer (ctx, vision->pool, &layer->norm2, x, eps);
  h = pmt_dense_run (ctx, vision->pool, &layer->fc1, h);
  h = vision->config.activation == PMT_ACT_QUICK_GELU ? pmt_quick_gelu (ctx, h) : pmt_gelu (ctx, h);
  return pmt_frame_close (ctx, frame, pmt_add (ctx, x, pmt_dense_run (ctx, vision->pool, &layer->fc2, h)));
}

/* The class token's last state, normed and projected: [N, projection]. */
static PmtTensor
project (PmtContext *ctx, const PmtClipVision *vision, PmtTensor x)
{
  const int64_t rows = x.shape.dim[0], tokens = x.shape.dim[1], width = x.shape.dim[2];
  PmtFrame frame = pmt_frame_open (ctx);
  g_autofree int32_t *at = g_new (int32_t, MAX (rows, 1));
  for (int64_t n = 0; n < rows; n++)
    at[n] = (int32_t) (n * tokens);
  if (pmt_context_failed (ctx))
    return PMT_NO_TENSOR;
  PmtTensor h = pmt_embedding (ctx, pmt_tensor_view (x, PMT_SHAPE2 (rows * tokens, width)), at, rows, 1);
  if (pmt_context_failed (ctx))
    return PMT_NO_TENSOR;
  h = pmt_norm_run_layer (ctx, vision->pool, &vision->post_norm, pmt_tensor_view (h, PMT_SHAPE2 (rows, width)),
                          vision->config.layer_norm_eps);
  return pmt_frame_close (ctx, frame, pmt_dense_run (ctx, vision->pool, &vision->projection, h));
}

PmtClipVisionOutput
pmt_clip_vision_forward (PmtContext *ctx, PmtClipVision *vision, PmtTensor pixels, int skip, bool embeds)
{
  const PmtClipVisionConfig *config = &vision->config;
  PmtClipVisionOutput out = { PMT_NO_TENSOR, PMT_NO_TENSOR };
  if (!check_input (ctx, config, pixels, skip, embeds))
    return out;
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor x = embed (ctx, vision, pixels);
  int i = 0;
  for (; i < config->layers - skip; i++)
    x = run_layer (ctx, vision, &vision->layers[i], x, frame);
  out.hidden = x;
  if (embeds) { /* the rest of the layers runs above what is kept */
    PmtFrame rest = pmt_frame_open (ctx);
    for (; i < config->layers; i++)
      x = run_layer (ctx, vision, &vision->layers[i], x, rest);
    out.embeds = pmt_frame_close (ctx, rest, project (ctx, vision, x));
  }
  if (pmt_context_failed (ctx))
    return (PmtClipVisionOutput) { PMT_NO_TENSOR, PMT_NO_TENSOR };
  return out;
}

/* From [-1, 1] to 0..1, then mean and deviation of each colour: one small product. */
static PmtTensor
as_trained (PmtContext *ctx, PmtTensor picture)
{
  PmtTensor w = pmt_tensor_zeros (ctx, PMT_SHAPE2 (3, 3)), b = pmt_tensor_zeros (ctx, PMT_SHAPE1 (3));
  for (int c = 0; c < 3 && !pmt_context_failed (ctx); c++) {
    w.data[4 * c] = 0.5f / pmt_clip_deviation[c];
    b.data[c] = (0.5f - pmt_clip_mean[c]) / pmt_clip_deviation[c];
  }
  return pmt_linear (ctx, picture, w, b);
}

PmtTensor
pmt_clip_vision_picture (PmtContext *ctx, const PmtClipVision *vision, PmtTensor picture)
{
  const int64_t size = vision->config.image_size;
  if (pmt_context_failed (ctx))
    return PMT_NO_TENSOR;
  if (picture.shape.rank != 4 || picture.shape.dim[3] != 3) {
    char have[PMT_SHAPE_TEXT];
    pmt_context_fail (ctx, PMT_ERROR_INPUT, "The image encoder takes pictures of three colours and was given %s.", pmt_shape_text (&picture.shape, have, sizeof have));
    return PMT_NO_TENSOR;
  }
  const int64_t h = picture.shape.dim[1], w = picture.shape.dim[2], shorter = MIN (h, w), longer = MAX (h, w);
  if (shorter < 1 || longer / shorter > PMT_CLIP_MOST_ELONGATED) {
    pmt_context_fail (ctx, PMT_ERROR_INPUT, "The image encoder takes no picture of which a side is more than %d times the other.", PMT_CLIP_MOST_ELONGATED);
    return PMT_NO_TENSOR;
  }
  const int64_t along = size * longer / shorter, to_width = w <= h ? size : along, to_height = w <= h ? along : size;
  const PmtResizeCubicParams p = { .height = (int) to_height, .width = (int) to_width, .top = (int) ((to_height - size) / 2),
                                   .left = (int) ((to_width - size) / 2), .rows = (int) size, .columns = (int) size };
  PmtFrame frame = pmt_frame_open (ctx);
  return pmt_frame_close (ctx, frame, as_trained (ctx, pmt_resize_cubic (ctx, picture, p)));
}
