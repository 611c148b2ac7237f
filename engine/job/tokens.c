/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/job/tokens.h"

#include <string.h>

#include "engine/nets/learned_word.h"

static JsonArray *
int_array (const int *values, int n)
{
  JsonArray *array = json_array_new ();

  for (int i = 0; i < n; i++)
    json_array_add_int_element (array, values[i]);
  return array;
}

/* The words are owned by the array's elements; free with free_triggers. */
static gboolean
open_triggers (const PmtJob *job, PmtModel *model, PmtTrigger *triggers, GError **error)
{
  const PmtClipTextConfig *config[PMT_MODEL_MAX_TEXTS];
  const int n = pmt_model_n_texts (model);

  for (int k = 0; k < n; k++)
    config[k] = pmt_model_text_config_at (model, k);
  for (int i = 0; i < job->extras.n_words; i++) {
    PmtLearned learned;
    const PmtJobWord *word = &job->extras.words[i];
    if (!pmt_learned_open (&learned, word->path, word->word, pmt_model_path (model), config, n, error))
      return FALSE;
    triggers[i] = (PmtTrigger) { g_strdup (learned.word), learned.vectors };
    pmt_learned_clear (&learned);
  }
  return TRUE;
}

static JsonObject *
totals (const PmtPromptTokens *tokens)
{
  JsonObject *object = json_object_new ();

  json_object_set_int_member (object, "count", tokens->n_tokens);
  json_object_set_int_member (object, "limit", tokens->length - 2);
  json_object_set_int_member (object, "cut", tokens->cut);
  json_object_set_int_member (object, "chunks", tokens->n_chunks);
  return object;
}

/* Tokens in each chunk, and where in the prompt the second and later ones begin. */
static void
add_chunks (JsonObject *object, const PmtPromptTokens *tokens, int end)
{
  g_autofree int *count = g_new0 (int, tokens->n_chunks), *begin = g_new (int, tokens->n_chunks);

  for (int k = 0; k < tokens->n_chunks; k++)
    begin[k] = -1;
  for (int i = 0; i < tokens->n_tokens; i++) {
    const int chunk = tokens->token[i].chunk;
    if (chunk < 0)
      continue;
    if (count[chunk]++ == 0)
      begin[chunk] = tokens->word[tokens->token[i].word].begin;
  }
  /* one between two BREAKs is empty and begins where the next does */
  for (int k = tokens->n_chunks - 1; k >= 0; k--)
    if (begin[k] < 0)
      begin[k] = k + 1 < tokens->n_chunks ? begin[k + 1] : end;
  json_object_set_array_member (object, "counts", int_array (count, tokens->n_chunks));
  json_object_set_array_member (object, "ends", int_array (begin + 1, tokens->n_chunks - 1));
}

static void
add_words (JsonObject *object, const PmtPromptTokens *tokens, const PmtTrigger *triggers)
{
  JsonArray *array = json_array_new ();

  for (int i = 0; i < tokens->n_words; i++)
    if (tokens->word[i].trigger >= 0)
      json_array_add_string_element (array, triggers[tokens->word[i].trigger].word);
  json_object_set_array_member (object, "words", array);
}

static void
add_tokens (JsonObject *object, const PmtPrompt *prompt, const PmtPromptTokens *tokens, const PmtPromptVocabulary *v)
{
  JsonArray *list = json_array_new ();

  for (int i = 0; i < tokens->n_tokens; i++) {
    const PmtPromptToken *token = &tokens->token[i];
    const PmtPromptWord *word = &tokens->word[token->word];
    const char *symbol = word->trigger >= 0 ? v->triggers[word->trigger].word : pmt_tokenizer_symbol (v->tokenizer, token->id);
    JsonObject *entry = json_object_new ();

    json_object_set_int_member (entry, "id", token->id);
    json_object_set_string_member (entry, "symbol", symbol ? symbol : "");
    json_object_set_double_member (entry, "weight", token->weight);
    json_object_set_int_member (entry, "word", token->word);
    json_object_set_int_member (entry, "begin", word->begin);
    json_object_set_int_member (entry, "end", word->end);
    json_object_set_int_member (entry, "chunk", token->chunk);
    json_object_set_int_member (entry, "position", token->chunk < 0 ? -1 : token->at);
    json_array_add_object_element (list, entry);
  }
  json_object_set_string_member (object, "text", prompt->text);
  json_object_set_array_member (object, "ids", int_array (tokens->ids, tokens->n_chunks * tokens->length));
  json_object_set_array_member (object, "tokens", list);
}

/* One encoder; the first one's answer is the whole one. */
static gboolean
count (const PmtJob *job, PmtModel *model, int k, const PmtPrompt *prompt, const PmtTrigger *triggers, gboolean all, JsonObject **answer,
       GError **error)
{
  const PmtClipTextConfig *config = pmt_model_text_config_at (model, k);
  PmtTokenizer *tokenizer = pmt_model_tokenizer_at (model, k, error);
  PmtPromptTokens tokens;

  if (!tokenizer)
    return FALSE;
  PmtPromptVocabulary v = { tokenizer, MIN (pmt_tokenizer_length (tokenizer), config->max_positions), triggers, job->extras.n_words,
                            config->vocab_size };
  if (!pmt_prompt_tokens_init (&tokens, prompt, &v, job->long_prompts, error))
    return FALSE;
  if (k == 0) {
    *answer = totals (&tokens);
    add_chunks (*answer, &tokens, prompt->source[strlen (prompt->text)]);
    add_words (*answer, &tokens, triggers);
    if (all)
      add_tokens (*answer, prompt, &tokens, &v);
    json_object_set_array_member (*answer, "text-encoders", json_array_new ());
  }
  json_array_add_object_element (json_object_get_array_member (*answer, "text-encoders"), totals (&tokens));
  pmt_prompt_tokens_clear (&tokens);
  return TRUE;
}

JsonObject *
pmt_job_tokens (const PmtJob *job, PmtModel *model, gboolean all, GError **error)
{
  g_autofree PmtTrigger *triggers = g_new0 (PmtTrigger, job->extras.n_words + 1);
  JsonObject *answer = NULL;
  PmtPrompt prompt;
  gboolean good = open_triggers (job, model, triggers, error);

  if (good && (good = pmt_prompt_parse (job->prompt, job->syntax, &prompt, error))) {
    for (int k = 0; good && k < pmt_model_n_texts (model); k++)
      good = count (job, model, k, &prompt, triggers, all, &answer, error);
    pmt_prompt_clear (&prompt);
  }
  for (int i = 0; i < job->extras.n_words; i++)
    g_free ((char *) triggers[i].word);
  if (!good)
    g_clear_pointer (&answer, json_object_unref);
  return answer;
}
