/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prompts through one text encoder or two (formats.md 3), and what SDXL is told about the picture beside them. */
#include <string.h>

#include "engine/ops/ops.h"
#include "engine/sample/runner.h"

gboolean
pmt_runner_check (PmtRun *run, GError **error)
{
  return !pmt_context_take_error (&run->ctx, error);
}

int
pmt_run_text_length (const PmtRun *run)
{
  int length = G_MAXINT;
  for (int k = 0; k < run->n_texts; k++) {
    const int positions = pmt_clip_text_config (run->texts[k])->max_positions;
    length = MIN (length, MIN (pmt_tokenizer_length (run->tokenizers[k]), positions));
  }
  return length;
}

gboolean
pmt_run_encode_ids (PmtRun *run, int k, const int32_t *ids, int length, PmtTensor *hidden, PmtTensor *pooled, GError **error)
{
  const PmtTextUse use = pmt_model_text_use (run->model);
  const int skip = use.skip + run->request->clip_skip;
  PmtRunner *runner = (PmtRunner *) run;
  const PmtTensor learned = runner->prompts.rows[k];
  runner->late_text = runner->late_text || runner->sampling;
  PmtClipTextOutput out = pmt_clip_text_forward_learned (&run->ctx, run->texts[k], learned, ids, 1, length, skip, use.final_norm);
  *hidden = out.hidden;
  if (pooled)
    *pooled = use.pooled && k + 1 == run->n_texts ? out.pooled : PMT_NO_TENSOR;
  return pmt_runner_check (run, error);
}

/* A chunk times its weights. `restore`: the chunk's mean stays what it was, as AUTOMATIC1111's "Original" emphasis has it. */
static PmtTensor
weigh (PmtContext *ctx, PmtTensor hidden, const float *weights, bool restore)
{
  const int64_t length = pmt_tensor_dim (hidden, 1), width = pmt_tensor_dim (hidden, 2);
  PmtTensor factors = pmt_tensor_new (ctx, PMT_SHAPE2 (1, length));
  if (!factors.data || ctx->dry)
    return pmt_scale_rows (ctx, hidden, factors);
  double before = 0, after = 0;
  for (int64_t t = 0; t < length; t++) {
    double sum = 0;
    for (int64_t i = 0; i < width; i++)
      sum += hidden.data[t * width + i];
    before += sum;
    after += sum * weights[t];
  }
  const double ratio = restore && after != 0 ? before / after : 1;
  for (int64_t t = 0; t < length; t++)
    factors.data[t] = (float) (weights[t] * ratio);
  return pmt_scale_rows (ctx, hidden, factors);
}

/* One chunk through all encoders, side by side: [1, length, C], and the pooled text; in the step arena. */
static gboolean
encode_chunk (PmtRun *run, const PmtPromptTokens *tokens, int chunk, PmtTensor *context, PmtTensor *pooled, GError **error)
{
  const int length = tokens[0].length;
  g_autofree int32_t *ids = g_new (int32_t, length);
  *context = *pooled = PMT_NO_TENSOR;
  for (int k = 0; k < run->n_texts; k++) {
    const float *weights = tokens[k].weights + (size_t) chunk * (size_t) length;
    bool weighted = false;
    for (int i = 0; i < length; i++) {
      ids[i] = tokens[k].ids[chunk * length + i];
      weighted = weighted || weights[i] != 1;
    }
    PmtTensor hidden;
    if (!pmt_run_encode_ids (run, k, ids, length, &hidden, pooled, error))
      return FALSE;
    if (weighted)
      hidden = weigh (&run->ctx, hidden, weights, !pmt_model_text_use (run->model).pooled);
    *context = k > 0 ? pmt_concat (&run->ctx, *context, hidden) : hidden;
  }
  return pmt_runner_check (run, error);
}

static gboolean
encode_chunks (PmtRun *run, const PmtPromptTokens *tokens, PmtConditioning *made, GError **error)
{
  const int chunks = pmt_run_text_chunks (run), length = tokens[0].length;
  int64_t width = 0;
  for (int k = 0; k < run->n_texts; k++)
    width += pmt_clip_text_config (run->texts[k])->hidden;
  *made = (PmtConditioning) { pmt_run_new_tensor (run, PMT_SHAPE3 (1, (int64_t) chunks * length, width), error), PMT_NO_TENSOR };
  gboolean ok = made->context.data != NULL;
  for (int c = 0; ok && c < chunks; c++) {
    PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
    PmtTensor context, pooled;
    ok = encode_chunk (run, tokens, c, &context, &pooled, error);
    if (ok && !run->ctx.dry)
      memcpy (made->context.data + (size_t) c * (size_t) (length * width), context.data, (size_t) (length * width) * sizeof (float));
    if (ok && c == 0 && pooled.data) {
      made->pooled = pmt_run_keep (run, pooled, error);
      ok = made->pooled.data != NULL;
    }
    pmt_arena_release (run->ctx.step, mark);
  }
  return ok;
}

/* Tokens without a place, or in chunks that this run does not have. */
static int
count_cut (const PmtPromptTokens *tokens, int chunks)
{
  int cut = 0;
  for (int i = 0; i < tokens->n_tokens; i++)
    cut += tokens->token[i].chunk < 0 || tokens->token[i].chunk >= chunks;
  return cut;
}

gboolean
pmt_run_encode_text (PmtRun *run, const char *text, PmtConditioning *conditioning, int *tokens_cut, GError **error)
{
  PmtPromptTokens tokens[PMT_MODEL_MAX_TEXTS] = { 0 };
  gboolean ok = TRUE;
  if (tokens_cut)
    *tokens_cut = 0;
  for (int k = 0; ok && k < run->n_texts; k++) {
    ok = pmt_run_tokens (run, k, text, &tokens[k], error);
    if (ok && tokens_cut)
      *tokens_cut = MAX (*tokens_cut, count_cut (&tokens[k], pmt_run_text_chunks (run)));
  }
  ok = ok && encode_chunks (run, tokens, conditioning, error);
  for (int k = 0; k < run->n_texts; k++)
    pmt_prompt_tokens_clear (&tokens[k]);
  return ok;
}

static gboolean
zeros_like (PmtRun *run, PmtTensor like, PmtTensor *zeros, GError **error)
{
  *zeros = PMT_NO_TENSOR;
  if (!like.data)
    return TRUE;
  *zeros = pmt_run_new_tensor (run, like.shape, error);
  if (zeros->data && !run->ctx.dry)
    memset (zeros->data, 0, (size_t) pmt_tensor_size (*zeros) * sizeof (float));
  return zeros->data != NULL;
}

gboolean
pmt_run_encode_negative (PmtRun *run, GError **error)
{
  const char *text = run->request->negative;
  if ((!text || !*text) && pmt_model_text_use (run->model).zeros_for_no_negative)
    return zeros_like (run, run->context, &run->negative_context, error) && zeros_like (run, run->pooled, &run->negative_pooled, error);
  PmtConditioning made;
  if (!pmt_run_encode_text (run, text, &made, &run->negative_tokens_cut, error))
    return FALSE;
  run->negative_context = made.context;
  run->negative_pooled = made.pooled;
  return TRUE;
}

/* The numbers that SDXL is told, height before width (formats.md 5.1). */
static gboolean
make_time_ids (PmtRun *run, double score, double usual, PmtTensor *ids, GError **error)
{
  const PmtRequest *q = run->request;
  const int n = pmt_model_n_time_ids (run->model);
  *ids = PMT_NO_TENSOR;
  if (n == 0)
    return TRUE;
  *ids = pmt_run_new_tensor (run, PMT_SHAPE2 (1, n), error);
  if (!ids->data)
    return FALSE;
  float *at = ids->data;
  *at++ = (float) (q->original_height ? q->original_height : q->height);
  *at++ = (float) (q->original_width ? q->original_width : q->width);
  *at++ = (float) q->crop_y;
  *at++ = (float) q->crop_x;
  if (n == 5) {
    *at = (float) (score != 0 ? score : usual);
  } else {
    *at++ = (float) (q->target_height ? q->target_height : q->height);
    *at = (float) (q->target_width ? q->target_width : q->width);
  }
  return TRUE;
}

gboolean
pmt_runner_text (PmtRunner *runner, GError **error)
{
  PmtRun *run = &runner->run;
  const PmtRequest *q = run->request;
  PmtConditioning prompt;
  pmt_runner_report (runner, PMT_STAGE_TEXT, 0, 0, PMT_NO_TENSOR);
  if (!pmt_runner_open_prompts (runner, error) || !pmt_run_encode_text (run, run->prompt, &prompt, &runner->prompt_tokens_cut, error) ||
      !make_time_ids (run, q->aesthetic_score, 6.0, &run->time_ids, error) ||
      !make_time_ids (run, q->negative_aesthetic_score, 2.5, &run->negative_time_ids, error))
    return FALSE;
  run->context = prompt.context;
  run->pooled = prompt.pooled;
  for (int i = 0; i < run->n_methods; i++)
    if (run->methods[i]->text && !(run->methods[i]->text (run->states[i], run, error) && pmt_runner_check (run, error)))
      return FALSE;
  return TRUE;
}
