/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How well a picture goes with a text, as CLIP has it (Radford et al. 2021): the cosine between both embeddings. It takes a whole CLIP in transformers'
 * form, of which both encoders are read: openai/clip-vit-large-patch14 and its kin. */
#include <math.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/image/clip_pixels.h"
#include "engine/job/score.h"
#include "engine/kernels/kernels.h"
#include "engine/nets/clip_vision.h"
#include "engine/text/clip_bpe.h"
#include "engine/weights/config.h"

static const PmtParam params[] = {
  { .id = "encoder", .label = N_("_Encoder"), .help = N_("Folder of a whole CLIP: config.json, model.safetensors and the tokenizer's files"), .type = PMT_PARAM_STRING, .text = "" },
  { .id = "prompt", .label = N_("_Prompt"), .help = N_("What the picture should show"), .type = PMT_PARAM_STRING, .text = "" },
  { 0 }
};

typedef struct State {
  PmtClipVision *vision;
  PmtContext ctx;
  float *text; /* [projection], of length 1 */
} State;

static void
close_clip (void *user)
{
  State *state = user;
  pmt_clip_vision_free (state->vision);
  pmt_arena_free (state->ctx.step);
  g_clear_error (&state->ctx.error);
  g_free (state->text);
  g_free (state);
}

/* In place; zeros stay. */
static void
normalise (float *x, int n)
{
  double sum = 0;
  for (int i = 0; i < n; i++)
    sum += (double) x[i] * (double) x[i];
  for (int i = 0; i < n && sum > 0; i++)
    x[i] = (float) ((double) x[i] / sqrt (sum));
}

static PmtClipText *
open_text (const char *folder, const PmtCancel *cancel, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "config.json", NULL);
  g_autoptr (JsonObject) object = pmt_config_load (path, error);
  PmtClipTextConfig config;
  if (!object)
    return NULL;
  JsonNode *node = json_object_get_member (object, "text_config"), *width = json_object_get_member (object, "projection_dim");
  if (!node || !JSON_NODE_HOLDS_OBJECT (node) || !width || !JSON_NODE_HOLDS_VALUE (width)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("'%s' is not the configuration of a whole CLIP (text_config and projection_dim are missing); give a folder like that of openai/clip-vit-large-patch14."), path);
    return NULL;
  }
  if (!pmt_clip_text_config_parse (json_node_get_object (node), path, &config, error))
    return NULL;
  config.projection = (int) json_node_get_int (width);
  PmtWeights *weights = pmt_weights_new_folder (folder, "model", NULL, PMT_NAMES_PLAIN, error);
  PmtClipText *text = weights ? pmt_clip_text_new (&config, weights, cancel, error) : NULL;
  pmt_weights_free (weights);
  return text;
}

/* The prompt's embedding; both encoders are not in memory at once. */
static gboolean
read_prompt (State *state, const char *folder, const char *prompt, const PmtCancel *cancel, GError **error)
{
  PmtTokenizer *tokenizer = pmt_tokenizer_new (folder, error);
  PmtClipText *text = tokenizer ? open_text (folder, cancel, error) : NULL;
  gboolean ok = FALSE;
  if (text) {
    const PmtClipTextConfig *config = pmt_clip_text_config (text);
    g_autofree int32_t *ids = g_new0 (int32_t, config->max_positions);
    pmt_tokenizer_encode_padded (tokenizer, prompt, config->max_positions, ids, NULL);
    const PmtClipTextOutput out = pmt_clip_text_forward (&state->ctx, text, ids, 1, config->max_positions, 0, true);
    ok = !pmt_context_take_error (&state->ctx, error);
    if (ok) {
      state->text = g_memdup2 (out.pooled.data, (size_t) config->projection * sizeof (float));
      normalise (state->text, config->projection);
    }
    if (ok && config->projection != pmt_clip_vision_config (state->vision)->projection) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("The encoders in '%s' are of two CLIPs; give a folder with those of one."), folder);
      ok = FALSE;
    }
  }
  pmt_clip_text_free (text);
  pmt_tokenizer_free (tokenizer);
  return ok;
}

static void *
open_clip (const PmtParamValues *values, const PmtCancel *cancel, GError **error)
{
  const char *folder = pmt_param_text (values, "encoder"), *prompt = pmt_param_text (values, "prompt");
  PmtCpuLevel level;
  if (!*folder || !*prompt) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _("The scorer clip needs encoder, the folder of a whole CLIP, and prompt, what the picture should show."));
    return NULL;
  }
  if (!pmt_cpu_select (&level, error))
    return NULL;
  State *state = g_new0 (State, 1);
  state->ctx = (PmtContext) { .kernels = pmt_kernels_get (level), .cancel = cancel };
  state->ctx.step = pmt_arena_new ("the scorer's activations", pmt_memory_available (), error);
  state->vision = state->ctx.step ? pmt_clip_vision_open (folder, error) : NULL;
  if (state->vision && read_prompt (state, folder, prompt, cancel, error) && pmt_clip_vision_load (state->vision, cancel, error))
    return state;
  close_clip (state);
  return NULL;
}

static gboolean
score_clip (void *user, const PmtPicture *picture, double *score, GError **error)
{
  State *state = user;
  const PmtClipVisionConfig *config = pmt_clip_vision_config (state->vision);
  const size_t n = (size_t) picture->width * (size_t) picture->height;
  g_autofree float *rgb = g_try_new (float, n * 3);
  PmtArenaMark mark = pmt_arena_mark (state->ctx.step);
  PmtTensor pixels = pmt_tensor_new (&state->ctx, PMT_SHAPE4 (1, config->image_size, config->image_size, 3));
  gboolean ok = !pmt_context_take_error (&state->ctx, error);
  if (ok && !rgb) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is too little memory to score a picture of that size; close other programs."));
    ok = FALSE;
  }
  for (size_t i = 0; i < n * 3 && ok; i++) { /* what is transparent is white */
    const float alpha = picture->data[i / 3 * 4 + 3];
    rgb[i] = alpha * picture->data[i / 3 * 4 + i % 3] + 1 - alpha;
  }
  ok = ok && pmt_clip_pixels (rgb, picture->width, picture->height, config->image_size, pixels.data, error);
  if (ok) {
    PmtTensor embeds = pmt_clip_vision_forward (&state->ctx, state->vision, pixels, 0, true).embeds;
    ok = !pmt_context_take_error (&state->ctx, error);
    *score = 0;
    if (ok)
      normalise (embeds.data, config->projection);
    for (int i = 0; i < config->projection && ok; i++)
      *score += (double) embeds.data[i] * (double) state->text[i];
  }
  pmt_arena_release (state->ctx.step, mark);
  return ok;
}

const PmtScorer pmt_scorer_clip = {
  .id = "clip",
  .label = N_("Picture and prompt"),
  .summary = N_("How well the picture goes with a text, as CLIP has it; needs a CLIP's files."),
  .params = params,
  .open = open_clip,
  .score = score_clip,
  .close = close_clip,
};
