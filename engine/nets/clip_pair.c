/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/clip_pair.h"

#include <math.h>
#include <string.h>

#include "engine/text/clip_bpe.h"
#include "engine/weights/config.h"

struct PmtClipPair {
  char *folder;
  PmtClipVision *vision;
  PmtTokenizer *tokenizer;
  PmtClipTextConfig text;
  size_t text_bytes; /* of its weights */
};

static gboolean
read_text_config (PmtClipPair *pair, GError **error)
{
  g_autofree char *path = g_build_filename (pair->folder, "config.json", NULL);
  g_autoptr (JsonObject) object = pmt_config_load (path, error);
  if (!object)
    return FALSE;
  JsonNode *node = json_object_get_member (object, "text_config"), *width = json_object_get_member (object, "projection_dim");
  if (!node || !JSON_NODE_HOLDS_OBJECT (node) || !width || !JSON_NODE_HOLDS_VALUE (width)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("'%s' is not the configuration of a whole CLIP (text_config and projection_dim are missing); give a folder like that of openai/clip-vit-large-patch14."), path);
    return FALSE;
  }
  if (!pmt_clip_text_config_parse (json_node_get_object (node), path, &pair->text, error))
    return FALSE;
  pair->text.projection = (int) json_node_get_int (width);
  if (pair->text.projection == pmt_clip_vision_config (pair->vision)->projection && pair->text.projection > 0) {
    PmtClipText *dry = pmt_clip_text_new (&pair->text, NULL, NULL, NULL);
    pair->text_bytes = pmt_clip_text_weight_bytes (dry);
    pmt_clip_text_free (dry);
    return TRUE;
  }
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("The encoders in '%s' are of two CLIPs; give a folder with those of one."), pair->folder);
  return FALSE;
}

PmtClipPair *
pmt_clip_pair_open (const char *folder, GError **error)
{
  PmtClipPair *pair = g_new0 (PmtClipPair, 1);
  pair->folder = g_strdup (folder);
  pair->vision = pmt_clip_vision_open (folder, error);
  if (pair->vision && (pair->tokenizer = pmt_tokenizer_new (folder, error)) && read_text_config (pair, error))
    return pair;
  pmt_clip_pair_free (pair);
  return NULL;
}

gboolean
pmt_clip_pair_load (PmtClipPair *pair, const PmtCancel *cancel, GError **error)
{
  return pmt_clip_vision_load (pair->vision, cancel, error);
}

void
pmt_clip_pair_free (PmtClipPair *pair)
{
  if (!pair)
    return;
  pmt_clip_vision_free (pair->vision);
  pmt_tokenizer_free (pair->tokenizer);
  g_free (pair->folder);
  g_free (pair);
}

PmtClipVision *
pmt_clip_pair_vision (PmtClipPair *pair)
{
  return pair->vision;
}

int
pmt_clip_pair_width (const PmtClipPair *pair)
{
  return pair->text.projection;
}

size_t
pmt_clip_pair_bytes (const PmtClipPair *pair)
{
  return pmt_clip_vision_weight_bytes (pair->vision) + pair->text_bytes;
}

gboolean
pmt_clip_pair_text (PmtClipPair *pair, PmtContext *ctx, const char *prompt, float *to, GError **error)
{
  const size_t bytes = (size_t) pair->text.projection * sizeof (float);
  PmtWeights *weights = ctx->dry ? NULL : pmt_weights_new_folder (pair->folder, "model", NULL, PMT_NAMES_PLAIN, error);
  if (!ctx->dry && !weights)
    return FALSE;
  PmtClipText *text = pmt_clip_text_new (&pair->text, weights, ctx->cancel, error);
  pmt_weights_free (weights);
  if (!text)
    return FALSE;
  g_autofree int32_t *ids = g_new0 (int32_t, pair->text.max_positions);
  pmt_tokenizer_encode_padded (pair->tokenizer, prompt, pair->text.max_positions, ids, NULL);
  PmtArenaMark mark = pmt_arena_mark (ctx->step);
  const PmtClipTextOutput out = pmt_clip_text_forward (ctx, text, ids, 1, pair->text.max_positions, 0, true);
  const gboolean ok = !pmt_context_take_error (ctx, error);
  memset (to, 0, bytes);
  if (ok && !ctx->dry) {
    double sum = 0;
    for (int i = 0; i < pair->text.projection; i++)
      sum += (double) out.pooled.data[i] * (double) out.pooled.data[i];
    for (int i = 0; i < pair->text.projection && sum > 0; i++)
      to[i] = (float) ((double) out.pooled.data[i] / sqrt (sum));
  }
  pmt_arena_release (ctx->step, mark);
  pmt_clip_text_free (text);
  return ok;
}

double
pmt_clip_pair_cosine (const float *x, const float *text, int n, double factor, float *gradient)
{
  double dot = 0, sum = 0;
  for (int i = 0; i < n; i++) {
    dot += (double) x[i] * (double) text[i];
    sum += (double) x[i] * (double) x[i];
  }
  if (sum == 0)
    return 0;
  const double length = sqrt (sum);
  for (int i = 0; i < n && gradient; i++)
    gradient[i] += (float) (factor * ((double) text[i] - dot / sum * (double) x[i]) / length);
  return dot / length;
}
