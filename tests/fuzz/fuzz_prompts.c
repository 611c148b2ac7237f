/* SPDX-License-Identifier: GPL-3.0-or-later */
/* 20,000 prompts of random bytes and pieces of syntax. Whatever comes in, parts and tokens keep their promises. PMT_FUZZ_SEED and
 * PMT_FUZZ_RUNS choose others. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "engine/text/prompt_tokens.h"

static guint64 state;

static guint
pick (guint n)
{
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (guint) ((state * 0x2545f4914f6cdd1du) >> 33) % n;
}

static const char *const pieces[] = {
  "(", "(", ")", ")", "[", "]", ":", ":1.2)", ":-.5)", ": 2 )", ":1.2.3)", ":.)", ":1", "\\", "\\(", "\\]", "\\\\", "BREAK", " BREAK ", " ", "\n", ", ",
  "<lora:", "<lora:x:1>", "<lora:y:te=0:unet=2>", "<hypernet:z:0.5>", "<lora:x:bad>", ">", "<", "word", "sks", "SKS ", "<my-thing>", "sks2", "caf\xc3\xa9",
  "e\xcc\x81", "\xe6\x9d\xb1\xe4\xba\xac", "\xc4\xb0", "\xf0\x9f\x98\x80", "\xff", "\xc3", "\xe6\x9d", "<|endoftext|>", "AND", "10,000", "'s",
  "\xe3\x80\x80", "a photo of a cat, ", "na na na na na na na na na na na na na na na na na na na na ",
};

static char *
make_prompt (void)
{
  GString *text = g_string_new (NULL);

  for (guint n = pick (60); n > 0; n--) {
    if (pick (6) == 0)
      g_string_append_c (text, (char) (1 + pick (255)));
    else
      g_string_append (text, pieces[pick (G_N_ELEMENTS (pieces))]);
  }
  return g_string_free (text, FALSE);
}

static void
check_parts (const PmtPrompt *prompt, int given)
{
  const int length = (int) strlen (prompt->text);
  int at = 0;

  g_assert_true (g_utf8_validate (prompt->text, -1, NULL));
  g_assert_cmpint (prompt->n_parts, >=, 1);
  for (int i = 0; i < prompt->n_parts; i++) {
    const PmtPromptPart *part = &prompt->part[i];
    g_assert_cmpint (part->begin, ==, at);
    g_assert_cmpint (part->end, >=, part->begin);
    g_assert_true (isfinite (part->weight) && fabs (part->weight) <= 1e6);
    g_assert_true (!part->is_break || (part->begin == part->end && part->weight == 1));
    at = part->end;
  }
  g_assert_cmpint (at, ==, length);
  for (int i = 0; i < length; i++)
    g_assert_cmpint (prompt->source[i], <, prompt->source[i + 1]);
  g_assert_cmpint (prompt->source[length], ==, given);
  for (int i = 0; i < prompt->n_tags; i++)
    g_assert_true (prompt->tag[i].name[0] && fabs (prompt->tag[i].strength) <= 100 && fabs (prompt->tag[i].text_strength) <= 100);
}

static void
check_tokens (const PmtPromptTokens *tokens, int given)
{
  int chunk = 0, at = 0, cut = 0;

  for (int i = 0; i < tokens->n_tokens; i++) {
    const PmtPromptToken *t = &tokens->token[i];
    const PmtPromptWord *word = &tokens->word[t->word];
    g_assert_true (i >= word->first && i < word->first + word->n);
    g_assert_true (word->begin >= 0 && word->end >= word->begin && word->end <= given);
    if (t->chunk < 0) {
      cut++;
      continue;
    }
    g_assert_cmpint (cut, ==, 0); /* nothing stands behind what was cut */
    g_assert_true (t->chunk > chunk || (t->chunk == chunk && t->at == at + 1));
    g_assert_true (t->at >= 1 && t->at <= tokens->length - 2 && t->chunk < tokens->n_chunks);
    g_assert_cmpint (tokens->ids[t->chunk * tokens->length + t->at], ==, t->id);
    chunk = t->chunk;
    at = t->at;
  }
  g_assert_cmpint (tokens->cut, ==, cut);
  for (int k = 0; k < tokens->n_chunks; k++)
    g_assert_cmpint (tokens->ids[k * tokens->length], ==, 49406);
}

static void
test_prompts (gconstpointer user)
{
  const char *seed = g_getenv ("PMT_FUZZ_SEED"), *count = g_getenv ("PMT_FUZZ_RUNS");
  const guint runs = count ? (guint) g_ascii_strtoull (count, NULL, 10) : 20000;
  const PmtTrigger triggers[] = { { "sks", 3 }, { "<my-thing>", 8 }, { "sks2", 1 }, { "\xe6\x9d\xb1", 2 } };
  guint refused = 0, weighted = 0, several = 0;

  state = seed ? g_ascii_strtoull (seed, NULL, 10) | 1 : 20260711;
  for (guint i = 0; i < runs; i++) {
    g_autofree char *text = make_prompt (), *valid = g_utf8_make_valid (text, -1);
    g_autoptr (GError) error = NULL;
    PmtPrompt prompt;
    alarm (20); /* a hang ends the test */
    if (!pmt_prompt_parse (text, pick (8) ? PMT_SYNTAX_A1111 : PMT_SYNTAX_PLAIN, &prompt, &error)) {
      g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
      g_assert_null (strpbrk (error->message, "\n\r"));
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      refused++;
      continue;
    }
    PmtPromptVocabulary v = { user, 11 + (int) pick (67), triggers, (int) pick (5), 49408 };
    PmtPromptTokens tokens;
    check_parts (&prompt, (int) strlen (valid));
    g_assert_true (pmt_prompt_tokens_init (&tokens, &prompt, &v, pick (2) ? PMT_LONG_CHUNKS : PMT_LONG_TRUNCATE, &error));
    check_tokens (&tokens, (int) strlen (valid));
    weighted += tokens.weighted;
    several += tokens.n_chunks > 1;
    pmt_prompt_tokens_clear (&tokens);
    pmt_prompt_clear (&prompt);
  }
  alarm (0);
  g_test_message ("%u refused, %u weighted, %u of several chunks", refused, weighted, several);
  g_assert_cmpuint (refused, <, runs / 2);
  g_assert_cmpuint (weighted, >, runs / 10);
  g_assert_cmpuint (several, >, runs / 10);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  g_test_init (&argc, &argv, NULL);
  PmtTokenizer *tokenizer = pmt_tokenizer_new (NULL, &error);
  g_assert_no_error (error);
  g_test_add_data_func ("/fuzz/prompts", tokenizer, test_prompts);
  int status = g_test_run ();
  pmt_tokenizer_free (tokenizer);
  return status;
}
