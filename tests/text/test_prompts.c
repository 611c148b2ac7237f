/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prompt syntax against AUTOMATIC1111's documented results, chunks and weights against tests/reference/make_prompts.py, and where words
 * went. */
#include <math.h>
#include <string.h>
#include <time.h>

#include <json-glib/json-glib.h>

#include "engine/text/prompt_tokens.h"
#include "tests/base/patience.h"

static PmtTokenizer *clip;

static PmtPrompt
parse (const char *text, PmtSyntax syntax)
{
  GError *error = NULL;
  PmtPrompt prompt;
  pmt_prompt_parse (text, syntax, &prompt, &error);
  g_assert_no_error (error);
  return prompt;
}

static PmtPromptVocabulary
vocabulary (const PmtTrigger *triggers, int n)
{
  return (PmtPromptVocabulary) { clip, 77, triggers, n, pmt_tokenizer_size (clip) };
}

static PmtPromptTokens
read_tokens (const char *text, const PmtPromptVocabulary *v, PmtLongPrompt mode)
{
  GError *error = NULL;
  PmtPrompt prompt = parse (text, PMT_SYNTAX_A1111);
  PmtPromptTokens tokens;
  pmt_prompt_tokens_init (&tokens, &prompt, v, mode, &error);
  g_assert_no_error (error);
  pmt_prompt_clear (&prompt);
  return tokens;
}

/* ---- syntax ----------------------------------------------------------------------------------------------------------- */

/* Weights are exact: the products are taken in the order of the closing brackets. A BREAK is written as weight 99. */
static const struct {
  const char *prompt;
  struct {
    const char *text;
    double weight;
  } part[10];
} syntax[] = {
  /* the examples of the web UI's own parser */
  { "normal text", { { "normal text", 1 } } },
  { "an (important) word", { { "an ", 1 }, { "important", 1.1 }, { " word", 1 } } },
  { "(unbalanced", { { "unbalanced", 1.1 } } },
  { "\\(literal\\]", { { "(literal]", 1 } } },
  { "(unnecessary)(parens)", { { "unnecessaryparens", 1.1 } } },
  { "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
    { { "a ", 1 }, { "house", 1.5730000000000004 }, { " ", 1.1 }, { "on", 1 }, { " a ", 1.1 }, { "hill", 0.55 }, { ", sun, ", 1.1 },
      { "sky", 1.4641000000000006 }, { ".", 1.1 } } },
  /* by its rules */
  { "", { { "", 1 } } },
  { "()", { { "", 1 } } },
  { "(:1.5)", { { "", 1 } } },
  { "[less]", { { "less", 1 / 1.1 } } },
  { "[[less]]", { { "less", 1 / 1.1 * (1 / 1.1) } } },
  { "(a:1.5", { { "a:1.5", 1.1 } } },
  { "a:1.5)", { { "a:1.5)", 1 } } },
  { "[a:1.5]", { { "a:1.5", 1 / 1.1 } } },
  { "(a: 1.5 )", { { "a", 1.5 } } },
  { "(a:+2)(b:-.5)", { { "a", 2 }, { "b", -0.5 } } },
  { "(a:0)", { { "a", 0 } } },
  { "(a:1.2.3)", { { "a:1.2.3", 1.1 } } },
  { "(a:.)", { { "a:.", 1.1 } } },
  { "(a:b:2)", { { "a:b", 2 } } },
  { "a)b]c", { { "a)b]c", 1 } } },
  { "(a[b)c]", { { "a", 1.1 }, { "b", 1.1 * (1 / 1.1) }, { "c", 1 / 1.1 } } },
  { "\\\\(a\\)\\", { { "\\", 1 }, { "a)", 1.1 } } },
  { "\\a", { { "a", 1 } } },
  { "(a:1.1)(b)", { { "ab", 1.1 } } },
  { "(a:1)b", { { "ab", 1 } } },
  { "one BREAK two", { { "one", 1 }, { NULL, 99 }, { "two", 1 } } },
  { "BREAK", { { "", 1 }, { NULL, 99 }, { "", 1 } } },
  { "a BREAK BREAK b", { { "a", 1 }, { NULL, 99 }, { "", 1 }, { NULL, 99 }, { "b", 1 } } },
  { "BREAKFAST unBREAK BREAK_ break", { { "BREAKFAST unBREAK BREAK_ break", 1 } } },
  { "a,BREAK,b", { { "a,", 1 }, { NULL, 99 }, { ",b", 1 } } },
  { "(a BREAK b:1.2)", { { "a", 1.2 }, { NULL, 99 }, { "b", 1.2 } } },
  { "caf\xc3\xa9 BREAK\xe3\x80\x80(\xe6\x9d\xb1)", { { "caf\xc3\xa9", 1 }, { NULL, 99 }, { "", 1 }, { "\xe6\x9d\xb1", 1.1 } } },
  { "a AND b :1.2 AND c", { { "a AND b :1.2 AND c", 1 } } },
  { "<3 > < <foo:bar>", { { "<3 > < <foo:bar>", 1 } } },
  { "a <lora:x:1> b (<lora:y>c)", { { "a  b ", 1 }, { "c", 1.1 } } },
};

static void
test_syntax (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (syntax); i++) {
    PmtPrompt prompt = parse (syntax[i].prompt, PMT_SYNTAX_A1111);
    int n = 0;
    while (n < 10 && (syntax[i].part[n].text || syntax[i].part[n].weight != 0))
      n++;
    g_test_message ("%s", syntax[i].prompt);
    g_assert_cmpint (prompt.n_parts, ==, n);
    for (int k = 0; k < n; k++) {
      const PmtPromptPart *part = &prompt.part[k];
      g_autofree char *text = g_strndup (prompt.text + part->begin, (gsize) (part->end - part->begin));
      g_assert_cmpint (part->is_break, ==, syntax[i].part[k].text == NULL);
      g_assert_cmpfloat (part->weight, ==, part->is_break ? 1 : syntax[i].part[k].weight);
      g_assert_cmpstr (text, ==, part->is_break ? "" : syntax[i].part[k].text);
    }
    pmt_prompt_clear (&prompt);
  }
}

static void
test_plain_syntax (void)
{
  const char *text = "a (b:1.2) \\( BREAK <lora:x:1> [c";
  PmtPrompt prompt = parse (text, PMT_SYNTAX_PLAIN);
  g_assert_cmpint (prompt.n_parts, ==, 1);
  g_assert_cmpint (prompt.n_tags, ==, 0);
  g_assert_cmpstr (prompt.text, ==, text);
  g_assert_cmpfloat (prompt.part[0].weight, ==, 1);
  pmt_prompt_clear (&prompt);
}

static void
test_tags (void)
{
  static const struct {
    const char *tag, *name;
    bool hypernetwork;
    double strength, text_strength;
  } cases[] = {
    { "<lora:paper cut>", "paper cut", false, 1, 1 },
    { "<lora:x:0.8>", "x", false, 0.8, 0.8 },
    { "<lora:x:0.5:0.8>", "x", false, 0.8, 0.5 },
    { "<lora:x:unet=0.8>", "x", false, 0.8, 1 },
    { "<lora:x:0.4:unet=-2>", "x", false, -2, 0.4 },
    { "<lora:x:te=0:unet=.5>", "x", false, 0.5, 0 },
    { "<lyco:x_v1.2: 1 >", "x_v1.2", false, 1, 1 },
    { "<hypernet:x:0.3>", "x", true, 0.3, 0.3 },
  };
  GString *all = g_string_new ("a");
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_string_append (all, cases[i].tag);
  g_string_append (all, "b");
  PmtPrompt prompt = parse (all->str, PMT_SYNTAX_A1111);
  g_assert_cmpstr (prompt.text, ==, "ab");
  g_assert_cmpint (prompt.source[0], ==, 0);
  g_assert_cmpint (prompt.source[1], ==, (int) all->len - 1);
  g_assert_cmpint (prompt.source[2], ==, (int) all->len);
  g_assert_cmpint (prompt.n_tags, ==, (int) G_N_ELEMENTS (cases));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_assert_cmpstr (prompt.tag[i].name, ==, cases[i].name);
    g_assert_cmpint (prompt.tag[i].hypernetwork, ==, cases[i].hypernetwork);
    g_assert_cmpfloat (prompt.tag[i].strength, ==, cases[i].strength);
    g_assert_cmpfloat (prompt.tag[i].text_strength, ==, cases[i].text_strength);
  }
  pmt_prompt_clear (&prompt);
  g_string_free (all, TRUE);
}

static void
test_bad_tags (void)
{
  static const char *const bad[] = { "<lora:x:abc>", "<lora:x:1:2:3>", "<lora::1>", "<lora:x:nan>", "<lora:x:1e9>", "<lora:x:te=>",
                                     "<hypernet:x:0.5 a>" };
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GError) error = NULL;
    PmtPrompt prompt;
    g_assert_false (pmt_prompt_parse (bad[i], PMT_SYNTAX_A1111, &prompt, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
    g_assert_null (prompt.text);
  }
  g_autoptr (GError) error = NULL;
  PmtPrompt prompt;
  g_assert_false (pmt_prompt_parse ("a <lora:x:abc>", PMT_SYNTAX_A1111, &prompt, &error));
  g_assert_cmpstr (error->message, ==,
                   "The prompt's tag <lora:x:abc> cannot be read; write <lora:NAME:STRENGTH> with a strength from -100 to 100.");
}

/* ---- chunks ----------------------------------------------------------------------------------------------------------- */

static JsonNode *
load (const char *name)
{
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), "prompts", name, NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;
  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  return json_parser_steal_root (parser);
}

static void
check_chunk (const PmtPromptTokens *tokens, int chunk, JsonArray *wanted)
{
  JsonArray *ids = json_array_get_array_element (wanted, 0), *weights = json_array_get_array_element (wanted, 1);
  const int n = (int) json_array_get_length (ids), *got = tokens->ids + chunk * tokens->length;
  const float *weight = tokens->weights + chunk * tokens->length;

  g_assert_cmpint (got[0], ==, 49406);
  g_assert_cmpfloat (weight[0], ==, 1);
  for (int i = 0; i < n; i++) {
    g_assert_cmpint (got[1 + i], ==, json_array_get_int_element (ids, (guint) i));
    g_assert_cmpfloat_with_epsilon (weight[1 + i], json_array_get_double_element (weights, (guint) i), 1e-6);
  }
  for (int i = n + 1; i < tokens->length; i++) {
    g_assert_cmpint (got[i], ==, 49407);
    g_assert_cmpfloat (weight[i], ==, 1);
  }
}

/* Every token is where it says, every word has its tokens, in order. */
static void
check_places (const PmtPromptTokens *tokens)
{
  int at = 0;
  for (int w = 0; w < tokens->n_words; w++) {
    g_assert_cmpint (tokens->word[w].first, ==, at);
    g_assert_cmpint (tokens->word[w].n, >=, 1);
    for (int i = at; i < at + tokens->word[w].n; i++) {
      const PmtPromptToken *t = &tokens->token[i];
      g_assert_cmpint (t->word, ==, w);
      g_assert_cmpint (t->chunk, >=, 0);
      g_assert_cmpint (tokens->ids[t->chunk * tokens->length + t->at], ==, t->id);
      g_assert_true (tokens->weights[t->chunk * tokens->length + t->at] == t->weight);
      if (tokens->word[w].trigger >= 0)
        g_assert_cmpint (t->chunk, ==, tokens->token[at].chunk);
    }
    at += tokens->word[w].n;
  }
  g_assert_cmpint (at, ==, tokens->n_tokens);
}

static void
test_layouts (void)
{
  g_autoptr (JsonNode) root = load ("layouts.json");
  JsonArray *learned = json_object_get_array_member (json_node_get_object (root), "learned");
  JsonArray *cases = json_object_get_array_member (json_node_get_object (root), "cases");
  PmtTrigger triggers[8];
  const int n = (int) json_array_get_length (learned);

  for (int i = 0; i < n; i++) {
    JsonArray *pair = json_array_get_array_element (learned, (guint) i);
    triggers[i] = (PmtTrigger) { json_array_get_string_element (pair, 0), (int) json_array_get_int_element (pair, 1) };
  }
  const PmtPromptVocabulary v = vocabulary (triggers, n);
  g_assert_cmpuint (json_array_get_length (cases), >=, 50);
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    JsonArray *pair = json_array_get_array_element (cases, i), *chunks = json_array_get_array_element (pair, 1);
    g_test_message ("case %u", i);
    PmtPromptTokens tokens = read_tokens (json_array_get_string_element (pair, 0), &v, PMT_LONG_CHUNKS);
    g_assert_cmpint (tokens.n_chunks, ==, (int) json_array_get_length (chunks));
    g_assert_cmpint (tokens.cut, ==, 0);
    for (int k = 0; k < tokens.n_chunks; k++)
      check_chunk (&tokens, k, json_array_get_array_element (chunks, (guint) k));
    check_places (&tokens);
    pmt_prompt_tokens_clear (&tokens);
  }
}

/* A prompt that fits and has no syntax becomes what it always was. */
static void
test_plain_prompt (void)
{
  static const char *const prompts[] = { "", "a photo of an astronaut riding a horse on mars", "caf\xc3\xa9, 10,000 <|endoftext|> cats!",
                                         "na na na na" };
  const PmtPromptVocabulary v = vocabulary (NULL, 0);
  for (guint i = 0; i < G_N_ELEMENTS (prompts); i++) {
    int ids[77];
    for (int mode = PMT_LONG_CHUNKS; mode <= PMT_LONG_TRUNCATE; mode++) {
      PmtPromptTokens tokens = read_tokens (prompts[i], &v, mode);
      g_assert_cmpint (pmt_tokenizer_encode_padded (clip, prompts[i], 77, ids, NULL), ==, tokens.cut);
      g_assert_cmpint (tokens.n_chunks, ==, 1);
      g_assert_false (tokens.weighted);
      g_assert_cmpmem (tokens.ids, sizeof ids, ids, sizeof ids);
      pmt_prompt_tokens_clear (&tokens);
    }
  }
}

static void
test_truncate (void)
{
  const PmtTrigger triggers[] = { { "sks", 5 } };
  const PmtPromptVocabulary v = vocabulary (triggers, 1);
  GString *text = g_string_new ("a BREAK, ");
  for (int i = 0; i < 100; i++)
    g_string_append (text, "b, ");
  PmtPromptTokens tokens = read_tokens (text->str, &v, PMT_LONG_TRUNCATE);
  g_assert_cmpint (tokens.n_chunks, ==, 1);
  g_assert_cmpint (tokens.n_tokens, ==, 202);
  g_assert_cmpint (tokens.cut, ==, 202 - 75);
  pmt_prompt_tokens_clear (&tokens);

  g_string_assign (text, "");
  for (int i = 0; i < 72; i++)
    g_string_append (text, "b ");
  g_string_append (text, "sks c");
  tokens = read_tokens (text->str, &v, PMT_LONG_TRUNCATE); /* a learned word that does not fit goes as a whole, and what follows too */
  g_assert_cmpint (tokens.cut, ==, 6);
  g_assert_cmpint (tokens.ids[73], ==, 49407);
  pmt_prompt_tokens_clear (&tokens);
  g_string_free (text, TRUE);
}

static void
test_most_chunks (void)
{
  const PmtPromptVocabulary v = vocabulary (NULL, 0);
  GString *text = g_string_new (NULL);
  for (int i = 0; i < 75 * (PMT_PROMPT_MAX_CHUNKS + 1); i++)
    g_string_append (text, "b ");
  PmtPromptTokens tokens = read_tokens (text->str, &v, PMT_LONG_CHUNKS);
  g_assert_cmpint (tokens.n_chunks, ==, PMT_PROMPT_MAX_CHUNKS);
  g_assert_cmpint (tokens.cut, ==, 75);
  g_assert_cmpint (tokens.token[tokens.n_tokens - 1].chunk, ==, -1);
  GArray *spans = pmt_prompt_word_spans (&tokens, tokens.n_words - 1, 1);
  g_assert_cmpuint (spans->len, ==, 0);
  g_array_unref (spans);
  pmt_prompt_tokens_clear (&tokens);
  g_string_free (text, TRUE);
}

static void
test_extend (void)
{
  const PmtPromptVocabulary v = vocabulary (NULL, 0);
  PmtPromptTokens tokens = read_tokens ("(a:2)", &v, PMT_LONG_CHUNKS), empty = read_tokens ("", &v, PMT_LONG_CHUNKS);
  pmt_prompt_tokens_extend (&tokens, &v, 3);
  pmt_prompt_tokens_extend (&tokens, &v, 2);
  g_assert_cmpint (tokens.n_chunks, ==, 3);
  for (int k = 1; k < 3; k++) {
    g_assert_cmpmem (tokens.ids + k * 77, 77 * sizeof (int), empty.ids, 77 * sizeof (int));
    g_assert_cmpmem (tokens.weights + k * 77, 77 * sizeof (float), empty.weights, 77 * sizeof (float));
  }
  g_assert_cmpfloat (tokens.weights[1], ==, 2);
  pmt_prompt_tokens_clear (&tokens);
  pmt_prompt_tokens_clear (&empty);
}

static void
test_too_many_vectors (void)
{
  const PmtTrigger triggers[] = { { "big one", 76 } };
  const PmtPromptVocabulary v = vocabulary (triggers, 1);
  g_autoptr (GError) error = NULL;
  PmtPrompt prompt = parse ("a", PMT_SYNTAX_A1111);
  PmtPromptTokens tokens;
  g_assert_false (pmt_prompt_tokens_init (&tokens, &prompt, &v, PMT_LONG_CHUNKS, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_cmpstr (error->message, ==,
                   "The learned word \"big one\" has 76 vectors and a chunk of the prompt has room for 75; choose an embedding with fewer.");
  pmt_prompt_clear (&prompt);
}

/* ---- words ------------------------------------------------------------------------------------------------------------ */

static char *
spans_text (GArray *spans)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < spans->len; i++) {
    const PmtPromptSpan *s = &g_array_index (spans, PmtPromptSpan, i);
    g_string_append_printf (text, "%s%d:%d-%d", i ? " " : "", s->chunk, s->begin, s->end);
  }
  g_array_unref (spans);
  return g_string_free (text, FALSE);
}

static void
assert_spans (const PmtPromptTokens *tokens, const PmtPromptVocabulary *v, const char *phrase, int occurrence, const char *wanted)
{
  PmtPromptTokens words = read_tokens (phrase, v, PMT_LONG_CHUNKS);
  g_autofree char *got = spans_text (pmt_prompt_spans (tokens, &words, occurrence));
  g_test_message ("%s", phrase);
  g_assert_cmpstr (got, ==, wanted);
  pmt_prompt_tokens_clear (&words);
}

static void
test_spans (void)
{
  const PmtTrigger triggers[] = { { "SKS", 3 }, { "<red-thing>", 2 } };
  const PmtPromptVocabulary v = vocabulary (triggers, 2);
  const char *text = "A (Red:1.3) car, sks <lora:x:1>  dog BREAK\n[<RED-thing>] and a  caf\xc3\xa9 hypernetwork, red car; Cafe\xcc\x81 red";
  PmtPromptTokens t = read_tokens (text, &v, PMT_LONG_CHUNKS);
  /* chunk 0: a red car , S S S dog; chunk 1: R R and a café hyper network , red car ; café red */
  g_assert_cmpint (t.n_chunks, ==, 2);
  assert_spans (&t, &v, "red", -1, "0:2-3 1:9-10 1:13-14");
  assert_spans (&t, &v, "red car", -1, "0:2-4 1:9-11");
  assert_spans (&t, &v, "RED CAR", 1, "1:9-11");
  assert_spans (&t, &v, "red car", 2, "");
  assert_spans (&t, &v, "sks", 0, "0:5-8");
  assert_spans (&t, &v, "car, Sks dog <red-thing>", 0, "0:3-9 1:1-3");
  assert_spans (&t, &v, "caf\xc3\xa9", -1, "1:5-6 1:12-13");
  assert_spans (&t, &v, "hypernetwork", 0, "1:6-8");
  assert_spans (&t, &v, "blue", -1, "");
  assert_spans (&t, &v, "", -1, "");

  /* and back to what was typed */
  static const char *const typed[] = { "A", "Red", "car", ",", "sks", "dog", "<RED-thing>", "and", "a", "caf\xc3\xa9", "hypernetwork", ",",
                                       "red", "car", ";", "Cafe\xcc\x81", "red" };
  g_assert_cmpint (t.n_words, ==, (int) G_N_ELEMENTS (typed));
  for (int i = 0; i < t.n_words; i++) {
    g_autofree char *got = g_strndup (text + t.word[i].begin, (gsize) (t.word[i].end - t.word[i].begin));
    g_assert_cmpstr (got, ==, typed[i]);
  }
  pmt_prompt_tokens_clear (&t);
}

/* A word whose tokens fall into two chunks has two spans. */
static void
test_split_word (void)
{
  const PmtPromptVocabulary v = vocabulary (NULL, 0);
  GString *text = g_string_new (NULL);
  for (int i = 0; i < 74; i++)
    g_string_append (text, "b ");
  g_string_append (text, "qwxzkvjq");
  PmtPromptTokens t = read_tokens (text->str, &v, PMT_LONG_CHUNKS);
  g_assert_cmpint (t.n_chunks, ==, 2);
  const int n = t.word[74].n;
  g_autofree char *wanted = g_strdup_printf ("0:75-76 1:1-%d", n), *got = spans_text (pmt_prompt_word_spans (&t, 74, 1));
  g_assert_cmpint (n, >=, 2);
  g_assert_cmpstr (got, ==, wanted);
  pmt_prompt_tokens_clear (&t);
  g_string_free (text, TRUE);
}

/* ---- hostile prompts -------------------------------------------------------------------------------------------------- */

/* Whatever is in it, a megabyte is read in under a second. */
static void
test_megabyte (void)
{
  static const char *const seeds[] = { "(", "[", ")", "(a", "[a", "(a:1.5", "([", "(a[b)", ":", ": ", ":1", "\\", "BREAK ", "<lora:", "<lora:x", "((a))",
                                       "(:9)", "a:1)(", "<", ">", "BREAK(", "(a BREAK " };
  for (guint i = 0; i < G_N_ELEMENTS (seeds); i++) {
    GString *text = g_string_sized_new (1 << 20);
    while (text->len < 1 << 20)
      g_string_append (text, seeds[i]);
    const clock_t start = clock (); /* of this process: a busy machine is no failure */
    PmtPrompt prompt = parse (text->str, PMT_SYNTAX_A1111);
    const double seconds = (double) (clock () - start) / CLOCKS_PER_SEC;
    g_test_message ("%s: %.3f s, %d parts", seeds[i], seconds, prompt.n_parts);
    g_assert_cmpfloat (seconds, <, (double) pmt_test_patience ());
    pmt_prompt_clear (&prompt);
    g_string_free (text, TRUE);
  }
}

static void
test_deep_weights (void)
{
  GString *text = g_string_new (NULL);
  for (int i = 0; i < 400; i++)
    g_string_append (text, "(");
  g_string_append (text, "a");
  for (int i = 0; i < 400; i++)
    g_string_append (text, ":99999999999999999999)");
  PmtPrompt prompt = parse (text->str, PMT_SYNTAX_A1111);
  g_assert_cmpint (prompt.n_parts, ==, 1);
  g_assert_cmpstr (prompt.text, ==, "a");
  g_assert_cmpfloat (prompt.part[0].weight, ==, 1e6);
  pmt_prompt_clear (&prompt);
  g_string_free (text, TRUE);
}

int
main (int argc, char **argv)
{
  GError *error = NULL;

  g_test_init (&argc, &argv, NULL);
  clip = pmt_tokenizer_new (NULL, &error);
  g_assert_no_error (error);
  g_test_add_func ("/prompts/syntax", test_syntax);
  g_test_add_func ("/prompts/plain-syntax", test_plain_syntax);
  g_test_add_func ("/prompts/tags", test_tags);
  g_test_add_func ("/prompts/bad-tags", test_bad_tags);
  g_test_add_func ("/prompts/layouts", test_layouts);
  g_test_add_func ("/prompts/plain-prompt", test_plain_prompt);
  g_test_add_func ("/prompts/truncate", test_truncate);
  g_test_add_func ("/prompts/most-chunks", test_most_chunks);
  g_test_add_func ("/prompts/extend", test_extend);
  g_test_add_func ("/prompts/too-many-vectors", test_too_many_vectors);
  g_test_add_func ("/prompts/spans", test_spans);
  g_test_add_func ("/prompts/split-word", test_split_word);
  g_test_add_func ("/prompts/megabyte", test_megabyte);
  g_test_add_func ("/prompts/deep-weights", test_deep_weights);
  int status = g_test_run ();
  pmt_tokenizer_free (clip);
  return status;
}
