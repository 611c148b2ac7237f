/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How well a picture goes with a text, as CLIP has it (Radford et al. 2021): the cosine between both embeddings. It takes a whole CLIP in transformers'
 * form, of which both encoders are read: openai/clip-vit-large-patch14 and its kin. */
#include "engine/base/memory.h"
#include "engine/image/clip_pixels.h"
#include "engine/job/score.h"
#include "engine/kernels/kernels.h"
#include "engine/nets/clip_pair.h"

static const PmtParam params[] = {
  { .id = "encoder", .label = N_("_Encoder"), .help = N_("Folder of a whole CLIP: config.json, model.safetensors and the tokenizer's files"), .type = PMT_PARAM_STRING, .text = "" },
  { .id = "prompt", .label = N_("_Prompt"), .help = N_("What the picture should show"), .type = PMT_PARAM_STRING, .text = "" },
  { 0 }
};

typedef struct State {
  PmtClipPair *pair;
  PmtContext ctx;
  float *text; /* [projection], of length 1 */
} State;

static void
close_clip (void *user)
{
  State *state = user;
  pmt_clip_pair_free (state->pair);
  pmt_arena_free (state->ctx.step);
  g_clear_error (&state->ctx.error);
  g_free (state->text);
  g_free (state);
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
  state->pair = state->ctx.step ? pmt_clip_pair_open (folder, error) : NULL;
  state->text = state->pair ? g_new (float, pmt_clip_pair_width (state->pair)) : NULL;
  /* the image encoder second: both are not in memory at once */
  if (state->pair && pmt_clip_pair_text (state->pair, &state->ctx, prompt, state->text, error) && pmt_clip_pair_load (state->pair, cancel, error))
    return state;
  close_clip (state);
  return NULL;
}

static gboolean
score_clip (void *user, const PmtPicture *picture, double *score, GError **error)
{
  State *state = user;
  PmtClipVision *vision = pmt_clip_pair_vision (state->pair);
  const PmtClipVisionConfig *config = pmt_clip_vision_config (vision);
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
    PmtTensor embeds = pmt_clip_vision_forward (&state->ctx, vision, pixels, 0, true).embeds;
    ok = !pmt_context_take_error (&state->ctx, error);
    if (ok)
      *score = pmt_clip_pair_cosine (embeds.data, state->text, config->projection, 0, NULL);
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
