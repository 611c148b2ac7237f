/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/clip_text.h"

#include <string.h>

#include "engine/nets/config_check.h"
#include "engine/nets/layers.h"
#include "engine/weights/config.h"

typedef struct Layer {
  PmtNorm norm1, norm2;
  PmtAttentionLayer attention;
  PmtDense fc1, fc2;
} Layer;

struct PmtClipText {
  PmtClipTextConfig config;
  PmtWeightPool *pool;
  PmtWeightRef tokens, positions;
  Layer *layers;
  PmtNorm final_norm;
  PmtDense projection;
};

/* Configuration */

static const PmtConfigDemand demands[] = {
  { "use_attention_mask", "false", NULL },
};

/* CLIPTextModelWithProjection is the only architecture whose file has a projection; projection_dim is written for all. */
static gboolean
read_projection (JsonObject *object, PmtClipTextConfig *config, GError **error)
{
  g_auto (GStrv) architectures = NULL;
  if (!pmt_config_strings (object, "architectures", NULL, &architectures, error))
    return FALSE;
  config->projection = 0;
  if (architectures && g_strv_contains ((const char *const *) architectures, "CLIPTextModelWithProjection"))
    return pmt_config_int (object, "projection_dim", 512, &config->projection, error);
  return TRUE;
}

static gboolean
read_activation (JsonObject *object, const char *file, PmtClipTextConfig *config, GError **error)
{
  const char *act;
  if (!pmt_config_string (object, "hidden_act", "quick_gelu", &act, error))
    return FALSE;
  if (g_str_equal (act, "quick_gelu")) {
    config->activation = PMT_ACT_QUICK_GELU;
  } else if (g_str_equal (act, "gelu")) {
    config->activation = PMT_ACT_GELU;
  } else {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("%s: \"hidden_act\" is \"%s\", which this version cannot run; choose a model with a CLIP text encoder."), file, act);
    return FALSE;
  }
  return TRUE;
}

gboolean
pmt_clip_text_config_parse (JsonObject *object, const char *file, PmtClipTextConfig *config, GError **error)
{
  double eps;
  memset (config, 0, sizeof *config);
  if (!pmt_config_demand (object, file, demands, G_N_ELEMENTS (demands), error)
      || !pmt_config_int (object, "vocab_size", 49408, &config->vocab_size, error)
      || !pmt_config_int (object, "max_position_embeddings", 77, &config->max_positions, error)
      || !pmt_config_int (object, "hidden_size", 512, &config->hidden, error)
      || !pmt_config_int (object, "intermediate_size", 2048, &config->intermediate, error)
      || !pmt_config_int (object, "num_hidden_layers", 12, &config->layers, error)
      || !pmt_config_int (object, "num_attention_heads", 8, &config->heads, error)
      || !pmt_config_int (object, "eos_token_id", 49407, &config->eos_token_id, error)
      || !pmt_config_double (object, "layer_norm_eps", 1e-5, &eps, error) || !read_activation (object, file, config, error)
      || !read_projection (object, config, error)
      || !pmt_config_range (file, "vocab_size", config->vocab_size, 1, 1 << 24, error)
      || !pmt_config_range (file, "max_position_embeddings", config->max_positions, 3, 1 << 16, error) /* begin, a word, end */
      || !pmt_config_range (file, "hidden_size", config->hidden, 1, 1 << 16, error)
      || !pmt_config_range (file, "intermediate_size", config->intermediate, 1, 1 << 18, error)
      || !pmt_config_range (file, "num_hidden_layers", config->layers, 1, 256, error)
      || !pmt_config_range (file, "num_attention_heads", config->heads, 1, config->hidden, error)
      || !pmt_config_range (file, "projection_dim", config->projection, 0, 1 << 16, error))
    return FALSE;
  if (config->hidden % config->heads) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                 _("%s: a width of %d cannot be shared by %d attention heads; take the file from the model's source again."), file,
                 config->hidden, config->heads);
    return FALSE;
  }
  config->layer_norm_eps = (float) eps;
  return TRUE;
}

/* Structure */

static Layer
declare_layer (PmtWeightPool *pool, const PmtClipTextConfig *config, int index)
{
  Layer layer;
  int width = config->hidden;
  char *prefix = g_strdup_printf ("text_model.encoder.layers.%d", index);
  char *attention = g_strconcat (prefix, ".self_attn", NULL);
  layer.norm1 = pmt_norm_declare (pool, prefix, "layer_norm1", width);
  layer.attention = pmt_attention_declare (pool, attention, &pmt_attention_names_clip, width, width, config->heads, true);
  layer.norm2 = pmt_norm_declare (pool, prefix, "layer_norm2", width);
  layer.fc1 = pmt_dense_declare (pool, prefix, "mlp.fc1", width, config->intermediate, true);
  layer.fc2 = pmt_dense_declare (pool, prefix, "mlp.fc2", config->intermediate, width, true);
  g_free (attention);
  g_free (prefix);
  return layer;
}

PmtClipText *
pmt_clip_text_new (const PmtClipTextConfig *config, PmtWeights *weights, const PmtCancel *cancel, GError **error)
{
  PmtClipText *text = g_new0 (PmtClipText, 1);
  text->config = *config;
  text->pool = pmt_weight_pool_new ("text encoder", config->precision);
  text->tokens = pmt_weight_pool_declare (text->pool, "text_model.embeddings", "token_embedding.weight", PMT_LAYOUT_PLAIN,
                                          PMT_SHAPE2 (config->vocab_size, config->hidden));
  text->positions = pmt_weight_pool_declare (text->pool, "text_model.embeddings", "position_embedding.weight", PMT_LAYOUT_PLAIN,
                                             PMT_SHAPE2 (config->max_positions, config->hidden));
  text->layers = g_new0 (Layer, config->layers);
  for (int i = 0; i < config->layers; i++)
    text->layers[i] = declare_layer (text->pool, config, i);
  text->final_norm = pmt_norm_declare (text->pool, "text_model", "final_layer_norm", config->hidden);
  if (config->projection > 0)
    text->projection = pmt_dense_declare (text->pool, NULL, "text_projection", config->hidden, config->projection, false);
  if (weights && !pmt_weight_pool_load (text->pool, weights, cancel, error)) {
    pmt_clip_text_free (text);
    return NULL;
  }
  return text;
}

void
pmt_clip_text_free (PmtClipText *text)
{
  if (!text)
    return;
  g_free (text->layers);
  pmt_weight_pool_free (text->pool);
  g_free (text);
}

const PmtClipTextConfig *
pmt_clip_text_config (const PmtClipText *text)
{
  return &text->config;
}

PmtWeightPool *
pmt_clip_text_weights (const PmtClipText *text)
{
  return text->pool;
}

size_t
pmt_clip_text_weight_bytes (const PmtClipText *text)
{
  return pmt_weight_pool_bytes (text->pool);
}

/* One pass */

static bool
check_input (PmtContext *ctx, const PmtClipTextConfig *config, PmtTensor learned, const int32_t *ids, int64_t rows, int64_t tokens,
             int skip)
{
  const int64_t known = config->vocab_size + (learned.data ? learned.shape.dim[0] : 0);
  if (pmt_context_failed (ctx))
    return false;
  if (rows < 1 || tokens < 1 || tokens > config->max_positions) {
    pmt_context_fail (ctx, PMT_ERROR_INPUT, "The text encoder takes 1 to %d tokens and was given %d; shorten the prompt.",
                      config->max_positions, (int) tokens);
    return false;
  }
  if (skip < 0 || skip >= config->layers) {
    pmt_context_fail (ctx, PMT_ERROR_INPUT, "The text encoder has %d layers, so %d of them cannot be skipped; choose a smaller number.",
                      config->layers, skip);
    return false;
  }
  for (int64_t i = 0; i < rows * tokens; i++) {
    if (ids[i] < 0 || ids[i] >= known) {
      pmt_context_fail (ctx, PMT_ERROR_INPUT,
                        "Token %d is not among the %d that the text encoder knows; use the tokenizer that belongs to the model.",
                        (int) ids[i], (int) known);
      return false;
    }
  }
  return true;
}

/* Token and position embeddings, [N, T, hidden]. The table of positions is looked up once per row: an operation that adds one
 * sequence to all rows would be needed by nothing else. */
static PmtTensor
embed (PmtContext *ctx, const PmtClipText *text, PmtTensor learned, const int32_t *ids, int64_t rows, int64_t tokens)
{
  PmtFrame frame = pmt_frame_open (ctx);
  int32_t *places = g_new (int32_t, rows * tokens);
  for (int64_t i = 0; i < rows * tokens; i++)
    places[i] = (int32_t) (i % tokens);
  PmtTensor a = pmt_embedding_more (ctx, pmt_weight (ctx, text->pool, text->tokens), learned, ids, rows, tokens);
  PmtTensor b = pmt_embedding (ctx, pmt_weight (ctx, text->pool, text->positions), places, rows, tokens);
  g_free (places);
  return pmt_frame_close (ctx, frame, pmt_add (ctx, a, b));
}

/* x lies at the frame's start; so does the result. */
static PmtTensor
run_layer (PmtContext *ctx, const PmtClipText *text, const Layer *layer, PmtTensor x, PmtFrame frame)
{
  float eps = text->config.layer_norm_eps;
  PmtTensor h = pmt_norm_run_layer (ctx, text->pool, &layer->norm1, x, eps);
  x = pmt_frame_close (ctx, frame, pmt_add (ctx, x, pmt_attention_run (ctx, text->pool, &layer->attention, h, true)));
  h = pmt_norm_run_layer (ctx, text->pool, &layer->norm2, x, eps);
  h = pmt_dense_run (ctx, text->pool, &layer->fc1, h);
  h = text->config.activation == PMT_ACT_QUICK_GELU ? pmt_quick_gelu (ctx, h) : pmt_gelu (ctx, h);
  h = pmt_dense_run (ctx, text->pool, &layer->fc2, h);
  return pmt_frame_close (ctx, frame, pmt_add (ctx, x, h));
}

/* Position of the end-of-text token as the reference finds it: with the legacy id 2 the largest id's first place, otherwise the id's
 * first place, or 0 where it does not occur. Ids of learned words, which lie above the vocabulary, are no ends. */
static int64_t
end_position (const PmtClipTextConfig *config, const int32_t *ids, int64_t tokens)
{
  int64_t best = 0;
  for (int64_t i = 0; i < tokens; i++) {
    if (config->eos_token_id == 2 && ids[i] < config->vocab_size && ids[i] > ids[best])
      best = i;
    if (config->eos_token_id != 2 && ids[i] == config->eos_token_id)
      return i;
  }
  return best;
}

static PmtTensor
pool_rows (PmtContext *ctx, const PmtClipText *text, PmtTensor x, const int32_t *ids, int64_t rows, int64_t tokens)
{
  int width = text->config.hidden;
  PmtFrame frame = pmt_frame_open (ctx);
  int32_t *at = g_new (int32_t, rows);
  for (int64_t n = 0; n < rows; n++)
    at[n] = (int32_t) (n * tokens + end_position (&text->config, ids + n * tokens, tokens));
  PmtTensor picked = pmt_embedding (ctx, pmt_tensor_view (x, PMT_SHAPE2 (rows * tokens, width)), at, rows, 1);
  g_free (at);
  picked = pmt_tensor_view (picked, PMT_SHAPE2 (rows, width));
  picked = pmt_norm_run_layer (ctx, text->pool, &text->final_norm, picked, text->config.layer_norm_eps);
  if (text->config.projection > 0)
    picked = pmt_dense_run (ctx, text->pool, &text->projection, picked);
  return pmt_frame_close (ctx, frame, picked);
}

PmtClipTextOutput
pmt_clip_text_forward_learned (PmtContext *ctx, PmtClipText *text, PmtTensor learned, const int32_t *ids, int64_t rows, int64_t tokens,
                               int skip, bool final_norm)
{
  const PmtClipTextConfig *config = &text->config;
  PmtClipTextOutput out = { PMT_NO_TENSOR, PMT_NO_TENSOR };
  if (!check_input (ctx, config, learned, ids, rows, tokens, skip))
    return out;

  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor x = embed (ctx, text, learned, ids, rows, tokens);
  int i = 0;
  for (; i < config->layers - skip; i++)
    x = run_layer (ctx, text, &text->layers[i], x, frame);
  out.hidden = final_norm ? pmt_norm_run_layer (ctx, text->pool, &text->final_norm, x, config->layer_norm_eps) : x;
  /* The pooled output needs the rest of the layers, which run above what is kept. */
  PmtFrame rest = pmt_frame_open (ctx);
  for (; i < config->layers; i++)
    x = run_layer (ctx, text, &text->layers[i], x, rest);
  out.pooled = pool_rows (ctx, text, x, ids, rows, tokens);
  if (pmt_context_failed (ctx))
    return (PmtClipTextOutput) { PMT_NO_TENSOR, PMT_NO_TENSOR };
  return out;
}

PmtClipTextOutput
pmt_clip_text_forward (PmtContext *ctx, PmtClipText *text, const int32_t *ids, int64_t rows, int64_t tokens, int skip, bool final_norm)
{
  return pmt_clip_text_forward_learned (ctx, text, PMT_NO_TENSOR, ids, rows, tokens, skip, final_norm);
}
