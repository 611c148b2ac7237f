/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Captions: a picture's own, or a sentence with the concept in it. */
#include <string.h>

#include "engine/learn/private.h"

static const char *const *
sentences_of (const PmtLearnRequest *q)
{
  return q->sentences ? q->sentences : q->style ? q->kind->styles : q->kind->things;
}

/* What stands for {}: the word, which for a LoRA a thing follows. */
static char *
concept (const PmtLearnRequest *q)
{
  const bool thing = q->thing && *q->thing && !q->kind->learns_word;
  return thing ? g_strconcat (q->word, *q->word ? " " : "", q->thing, NULL) : g_strdup (q->word);
}

/* `text` with every {} replaced. */
static char *
filled (const char *text, const char *with)
{
  g_auto (GStrv) parts = g_strsplit (text, "{}", -1);
  return g_strjoinv (with, parts);
}

char *
pmt_learn_caption (const PmtLearnRequest *q, int picture, uint32_t choice)
{
  const char *const *sentences = sentences_of (q);
  g_autofree char *with = concept (q);
  if (picture >= 0 && q->captions && q->captions[picture])
    return filled (q->captions[picture], with);
  return filled (sentences[choice % g_strv_length ((char **) sentences)], with);
}

gboolean
pmt_learn_tokenize (const PmtLearner *l, int k, const char *text, PmtPromptTokens *tokens, GError **error)
{
  const PmtLearnRequest *q = l->request;
  const PmtClipTextConfig *config = pmt_model_text_config_at (q->model, k);
  const PmtTrigger word = { q->word, q->vectors };
  const PmtPromptVocabulary vocabulary = { l->nets.tokenizer[k], MIN (pmt_tokenizer_length (l->nets.tokenizer[k]), config->max_positions), &word,
                                           q->kind->learns_word ? 1 : 0, config->vocab_size };
  PmtPrompt parsed;
  if (!pmt_prompt_parse (text, PMT_SYNTAX_PLAIN, &parsed, error))
    return FALSE;
  const gboolean ok = pmt_prompt_tokens_init (tokens, &parsed, &vocabulary, PMT_LONG_TRUNCATE, error);
  pmt_prompt_clear (&parsed);
  return ok;
}

/* How often the learned word is read in `text`. */
static gboolean
count_word (const PmtLearner *l, const char *text, int *count, GError **error)
{
  PmtPromptTokens tokens;
  *count = 0;
  if (!pmt_learn_tokenize (l, 0, text, &tokens, error))
    return FALSE;
  for (int i = 0; i < tokens.n_tokens; i++)
    *count += tokens.token[i].chunk == 0 && tokens.word[tokens.token[i].word].trigger == 0;
  pmt_prompt_tokens_clear (&tokens);
  return TRUE;
}

/* The learned word stands in it, once {} is filled in, where it is read. */
static gboolean
check_caption (const PmtLearner *l, const char *text, GError **error)
{
  const PmtLearnRequest *q = l->request;
  g_autofree char *with = concept (q), *whole = filled (text, with), *without = filled (text, " ");
  int there, alone;
  if (!count_word (l, whole, &there, error) || !count_word (l, without, &alone, error))
    return FALSE;
  if (strstr (text, "{}") && alone > 0)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("The word \"%s\" stands in \"%s\" as any other; choose a word that no sentence has."), q->word, text);
  return there > 0 || pmt_refuse (error, PMT_ERROR_INPUT,
                                  _("The caption \"%s\" lacks the word \"%s\" that is to be learned, or has it glued to others or too far behind to be read; write {} "
                                    "where it stands."), text, q->word);
}

gboolean
pmt_learn_check_captions (const PmtLearner *l, GError **error)
{
  const PmtLearnRequest *q = l->request;
  const char *const *sentences = sentences_of (q);
  if (!*sentences)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("There is no sentence to learn with; give at least one."));
  if (!q->kind->learns_word)
    return TRUE;
  bool needed = !q->captions;
  for (int i = 0; i < q->n_pictures && q->captions; i++)
    if (!q->captions[i])
      needed = true;
    else if (!check_caption (l, q->captions[i], error))
      return FALSE;
  for (int i = 0; sentences[i] && needed; i++)
    if (!check_caption (l, sentences[i], error))
      return FALSE;
  return TRUE;
}
