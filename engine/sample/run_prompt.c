/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The prompts of a run as tokens: syntax, learned words, and how many chunks all of them have. */
#include <string.h>

#include "engine/nets/learned_word.h"
#include "engine/sample/runner.h"

/* Two words that a prompt could not tell apart are refused. */
static gboolean
check_words (const PmtRunnerPrompts *p, const PmtRequest *q, GError **error)
{
  for (int i = 0; i < p->n_triggers; i++) {
    g_autofree char *a = g_utf8_casefold (p->triggers[i].word, -1);
    for (int k = 0; k < i; k++) {
      g_autofree char *b = g_utf8_casefold (p->triggers[k].word, -1);
      if (strcmp (a, b) != 0)
        continue;
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The word \"%s\" stands for both '%s' and '%s'; give one of them another word."),
                   p->triggers[i].word, q->words[k].path, q->words[i].path);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
read_rows (PmtRunner *runner, const PmtLearned *learned, GError **error)
{
  PmtRun *run = &runner->run;
  PmtRunnerPrompts *p = &runner->prompts;
  int total = 0;

  for (int i = 0; i < p->n_triggers; i++)
    total += learned[i].vectors;
  for (int k = 0; k < run->n_texts; k++) {
    const int width = pmt_clip_text_config (run->texts[k])->hidden;
    p->rows[k] = pmt_run_new_tensor (run, PMT_SHAPE2 (total, width), error);
    float *at = p->rows[k].data;
    if (!at)
      return FALSE;
    for (int i = 0; i < p->n_triggers && !run->ctx.dry; i++) {
      if (!pmt_learned_read (&learned[i], k, at, error))
        return FALSE;
      at += (size_t) learned[i].vectors * (size_t) width;
    }
  }
  return TRUE;
}

static gboolean
open_words (PmtRunner *runner, GError **error)
{
  PmtRun *run = &runner->run;
  PmtRunnerPrompts *p = &runner->prompts;
  const PmtRequest *q = run->request;
  const PmtClipTextConfig *config[PMT_MODEL_MAX_TEXTS];
  g_autofree PmtLearned *learned = g_new0 (PmtLearned, q->n_words + 1);
  gboolean good = TRUE;

  for (int k = 0; k < run->n_texts; k++)
    config[k] = pmt_clip_text_config (run->texts[k]);
  p->triggers = g_new0 (PmtTrigger, q->n_words + 1);
  for (int i = 0; good && i < q->n_words; i++) {
    good = pmt_learned_open (&learned[i], q->words[i].path, q->words[i].word, pmt_model_path (run->model), config, run->n_texts, error);
    if (good)
      p->triggers[p->n_triggers++] = (PmtTrigger) { g_strdup (learned[i].word), learned[i].vectors };
  }
  good = good && check_words (p, q, error) && (p->n_triggers == 0 || read_rows (runner, learned, error));
  for (int i = 0; i < q->n_words; i++)
    pmt_learned_clear (&learned[i]);
  return good;
}

static PmtPromptVocabulary
vocabulary (const PmtRun *run, int k)
{
  const PmtRunnerPrompts *p = &((const PmtRunner *) run)->prompts;
  return (PmtPromptVocabulary) { run->tokenizers[k], pmt_run_text_length (run), p->triggers, p->n_triggers,
                                 pmt_clip_text_config (run->texts[k])->vocab_size };
}

gboolean
pmt_run_tokens (PmtRun *run, int k, const char *text, PmtPromptTokens *tokens, GError **error)
{
  const PmtRequest *q = run->request;
  const PmtPromptVocabulary v = vocabulary (run, k);
  PmtPrompt prompt;

  if (!pmt_prompt_parse (text ? text : "", q->prompt_syntax, &prompt, error))
    return FALSE;
  gboolean good = pmt_prompt_tokens_init (tokens, &prompt, &v, q->long_prompts, error);
  pmt_prompt_clear (&prompt);
  if (good)
    pmt_prompt_tokens_extend (tokens, &v, pmt_run_text_chunks (run));
  return good;
}

int
pmt_run_text_chunks (const PmtRun *run)
{
  return MAX (((const PmtRunner *) run)->prompts.chunks, 1);
}

void
pmt_run_expect_text (PmtRun *run, const char *text)
{
  PmtRunnerPrompts *p = &((PmtRunner *) run)->prompts;

  if (!p->expected)
    p->expected = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (p->expected, g_strdup (text));
}

/* Networks that were distilled with guidance take no second prompt (methods/guidance.c). */
static bool
has_negative (const PmtRun *run)
{
  const PmtRequest *q = run->request;
  return q->negative && q->guidance != 1.0 && pmt_unet_config (run->unet)->time_cond_proj_dim == 0;
}

static gboolean
count_chunks (PmtRun *run, const char *text, GError **error)
{
  PmtRunnerPrompts *p = &((PmtRunner *) run)->prompts;

  for (int k = 0; k < run->n_texts; k++) {
    PmtPromptTokens tokens;
    if (!pmt_run_tokens (run, k, text, &tokens, error))
      return FALSE;
    p->chunks = MAX (p->chunks, tokens.n_chunks);
    pmt_prompt_tokens_clear (&tokens);
  }
  return TRUE;
}

gboolean
pmt_runner_open_prompts (PmtRunner *runner, GError **error)
{
  PmtRun *run = &runner->run;
  const PmtRunnerPrompts *p = &runner->prompts;

  if (!open_words (runner, error) || !count_chunks (run, run->prompt, error) ||
      (has_negative (run) && !count_chunks (run, run->request->negative, error)))
    return FALSE;
  for (guint i = 0; p->expected && i < p->expected->len; i++)
    if (!count_chunks (run, p->expected->pdata[i], error))
      return FALSE;
  return TRUE;
}

void
pmt_runner_close_prompts (PmtRunner *runner)
{
  PmtRunnerPrompts *p = &runner->prompts;

  for (int i = 0; i < p->n_triggers; i++)
    g_free ((char *) p->triggers[i].word);
  g_clear_pointer (&p->triggers, g_free);
  g_clear_pointer (&p->expected, g_ptr_array_unref);
  p->n_triggers = 0;
}

GArray *
pmt_run_phrase_spans (PmtRun *run, const char *text, const char *phrase, int occurrence, GError **error)
{
  const PmtPromptVocabulary v = vocabulary (run, 0);
  PmtPromptTokens tokens, words;
  PmtPrompt parsed;

  if (!pmt_run_tokens (run, 0, text, &tokens, error))
    return NULL;
  /* the phrase is not a prompt: nothing in it is syntax */
  if (!pmt_prompt_parse (phrase, PMT_SYNTAX_PLAIN, &parsed, error))
    g_assert_not_reached ();
  GArray *spans = NULL;
  if (pmt_prompt_tokens_init (&words, &parsed, &v, PMT_LONG_CHUNKS, error)) {
    spans = pmt_prompt_spans (&tokens, &words, occurrence);
    pmt_prompt_tokens_clear (&words);
  }
  pmt_prompt_clear (&parsed);
  pmt_prompt_tokens_clear (&tokens);
  return spans;
}
