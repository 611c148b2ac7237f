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
  PmtClipTextOutput out = pmt_clip_text_forward (&run->ctx, run->texts[k], ids, 1, length, skip, use.final_norm);
  *hidden = out.hidden;
  if (pooled)
    *pooled = use.pooled && k + 1 == run->n_texts ? out.pooled : PMT_NO_TENSOR;
  return pmt_runner_check (run, error);
}

/* Token ids of `text` for encoder `k`; how many did not fit. */
static int
tokenise (const PmtRun *run, int k, const char *text, int length, int32_t *ids)
{
  g_autofree int *narrow = g_new (int, length);
  const int cut = pmt_tokenizer_encode_padded (run->tokenizers[k], text, length, narrow, NULL);
  for (int i = 0; i < length; i++)
    ids[i] = narrow[i];
  return cut;
}

static gboolean
encode (PmtRun *run, const char *text, PmtConditioning *conditioning, int *tokens_cut, GError **error)
{
  const int length = pmt_run_text_length (run);
  g_autofree int32_t *ids = g_new (int32_t, length);
  PmtTensor context = PMT_NO_TENSOR, pooled = PMT_NO_TENSOR;
  for (int k = 0; k < run->n_texts; k++) {
    const int cut = tokenise (run, k, text, length, ids);
    if (tokens_cut)
      *tokens_cut = k > 0 ? MAX (*tokens_cut, cut) : cut;
    PmtTensor hidden;
    if (!pmt_run_encode_ids (run, k, ids, length, &hidden, &pooled, error))
      return FALSE;
    context = context.data ? pmt_concat (&run->ctx, context, hidden) : hidden;
  }
  if (!pmt_runner_check (run, error))
    return FALSE;
  *conditioning = (PmtConditioning) { pmt_run_keep (run, context, error), PMT_NO_TENSOR };
  if (!conditioning->context.data || !pooled.data)
    return conditioning->context.data != NULL;
  conditioning->pooled = pmt_run_keep (run, pooled, error);
  return conditioning->pooled.data != NULL;
}

gboolean
pmt_run_encode_text (PmtRun *run, const char *text, PmtConditioning *conditioning, int *tokens_cut, GError **error)
{
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  gboolean ok = encode (run, text ? text : "", conditioning, tokens_cut, error);
  pmt_arena_release (run->ctx.step, mark);
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
  if (!pmt_run_encode_text (run, q->prompt, &prompt, &runner->prompt_tokens_cut, error) ||
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
