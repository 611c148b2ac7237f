/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/runner.h"

gboolean
pmt_runner_check (PmtRun *run, GError **error)
{
  return !pmt_context_take_error (&run->ctx, error);
}

gboolean
pmt_run_encode_text (PmtRun *run, const char *text, PmtTensor *context, int *tokens_cut, GError **error)
{
  const int positions = pmt_clip_text_config (run->text)->max_positions;
  const int length = MIN (pmt_tokenizer_length (run->tokenizer), positions);
  g_autofree int *ids = g_new (int, length);
  int cut = pmt_tokenizer_encode_padded (run->tokenizer, text ? text : "", length, ids, NULL);
  if (tokens_cut)
    *tokens_cut = cut;
  g_autofree int32_t *wide = g_new (int32_t, length);
  for (int i = 0; i < length; i++)
    wide[i] = ids[i];
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  PmtClipTextOutput out = pmt_clip_text_forward (&run->ctx, run->text, wide, 1, length, 0, true);
  gboolean ok = pmt_runner_check (run, error);
  if (ok) {
    *context = pmt_run_keep (run, out.hidden, error);
    ok = context->data != NULL;
  }
  pmt_arena_release (run->ctx.step, mark);
  return ok;
}

gboolean
pmt_runner_text (PmtRunner *runner, GError **error)
{
  PmtRun *run = &runner->run;
  pmt_runner_report (runner, PMT_STAGE_TEXT, 0, 0, PMT_NO_TENSOR);
  if (!pmt_run_encode_text (run, run->request->prompt, &run->context, &runner->prompt_tokens_cut, error))
    return FALSE;
  for (int i = 0; i < run->n_methods; i++)
    if (run->methods[i]->text && !(run->methods[i]->text (run->states[i], run, error) && pmt_runner_check (run, error)))
      return FALSE;
  return TRUE;
}
