/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Token ids against transformers' CLIPTokenizer, string by string (tests/reference/make_tokens.py). */
#include <string.h>

#include <json-glib/json-glib.h>

#include "engine/text/clip_bpe.h"

typedef struct Group {
  char *name;
  const PmtTokenizer *tokenizer;
  JsonArray *cases; /* [string, [ids]] */
} Group;

static char *
data_file (const char *name)
{
  return g_build_filename (g_getenv ("PMT_TEST_DATA"), "tokens", name, NULL);
}

static JsonNode *
load (const char *name)
{
  g_autofree char *path = data_file (name);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;
  gboolean ok = json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  g_assert_true (ok);
  return json_parser_steal_root (parser);
}

static char *
ids_text (const int *ids, int n)
{
  GString *text = g_string_new (NULL);
  for (int i = 0; i < n; i++)
    g_string_append_printf (text, "%d ", ids[i]);
  return g_string_free (text, FALSE);
}

static char *
wanted_text (JsonArray *ids)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < json_array_get_length (ids); i++)
    g_string_append_printf (text, "%d ", (int) json_array_get_int_element (ids, i));
  return g_string_free (text, FALSE);
}

static void
test_group (gconstpointer user)
{
  const Group *group = user;
  guint n = json_array_get_length (group->cases);

  g_assert_cmpuint (n, >=, 1);
  for (guint i = 0; i < n; i++) {
    JsonArray *item = json_array_get_array_element (group->cases, i);
    const char *text = json_array_get_string_element (item, 0);
    g_autofree char *escaped = g_strescape (text, NULL);
    g_autofree char *wanted = wanted_text (json_array_get_array_element (item, 1));
    PmtTokens tokens;
    pmt_tokenizer_encode (group->tokenizer, text, &tokens);
    g_autofree int *ids = g_new (int, tokens.n_tokens + 1);
    for (int k = 0; k < tokens.n_tokens; k++)
      ids[k] = tokens.token[k].id;
    g_autofree char *got = ids_text (ids, tokens.n_tokens);
    if (strcmp (got, wanted) != 0)
      g_error ("\"%s\" gives %s, not %s", escaped, got, wanted);
    pmt_tokens_clear (&tokens);
  }
}

static void
test_padded (gconstpointer user)
{
  const Group *group = user;

  g_assert_cmpuint (json_array_get_length (group->cases), >=, 3);
  for (guint i = 0; i < json_array_get_length (group->cases); i++) {
    JsonArray *item = json_array_get_array_element (group->cases, i);
    JsonArray *wanted_ids = json_array_get_array_element (item, 1);
    int length = (int) json_array_get_length (wanted_ids);
    g_autofree char *wanted = wanted_text (wanted_ids);
    g_autofree int *ids = g_new (int, length);
    PmtTokens tokens;
    int cut = pmt_tokenizer_encode_padded (group->tokenizer, json_array_get_string_element (item, 0), length, ids, &tokens);
    g_autofree char *got = ids_text (ids, length);
    g_assert_cmpstr (got, ==, wanted);
    g_assert_cmpint (cut, ==, MAX (tokens.n_tokens - (length - 2), 0));
    pmt_tokens_clear (&tokens);
  }
}

/* Every token's bytes and its symbol say the same, tokens follow each other, and words are runs of tokens that end in "</w>". */
static void
test_spans (gconstpointer user)
{
  static const char text[] = "A  photo of an Astronaut's horse, unbelievably (masterpiece:1.2)! <|startoftext|> 42";
  PmtTokens tokens;

  pmt_tokenizer_encode (user, text, &tokens);
  g_assert_cmpstr (tokens.text, ==, "a photo of an astronaut's horse, unbelievably (masterpiece:1.2)! <|startoftext|> 42");
  g_assert_cmpint (tokens.n_tokens, >, 15);
  for (int i = 0; i < tokens.n_tokens; i++) {
    const PmtToken *t = &tokens.token[i];
    g_autofree char *bytes = g_strndup (tokens.text + t->begin, (gsize) (t->end - t->begin));
    const char *symbol = pmt_tokenizer_symbol (user, t->id);
    gboolean last = i + 1 == tokens.n_tokens || tokens.token[i + 1].word != t->word;
    g_autofree char *expected = g_strconcat (bytes, last && t->id < 49406 ? "</w>" : "", NULL);
    g_assert_cmpstr (symbol, ==, expected);
    g_assert_cmpint (t->word, ==, i == 0 ? 0 : tokens.token[i - 1].word + (t->word != tokens.token[i - 1].word));
    if (i > 0 && t->word == tokens.token[i - 1].word)
      g_assert_cmpint (t->begin, ==, tokens.token[i - 1].end);
  }
  g_assert_cmpint (tokens.token[tokens.n_tokens - 1].word, ==, tokens.n_words - 1);
  pmt_tokens_clear (&tokens);
}

static void
test_invalid_utf8 (gconstpointer user)
{
  PmtTokens a, b;

  pmt_tokenizer_encode (user, "caf\xe9 x", &a);
  pmt_tokenizer_encode (user, "caf\xef\xbf\xbd x", &b);
  g_assert_cmpstr (a.text, ==, b.text);
  g_assert_cmpint (a.n_tokens, ==, b.n_tokens);
  for (int i = 0; i < a.n_tokens; i++)
    g_assert_cmpint (a.token[i].id, ==, b.token[i].id);
  pmt_tokens_clear (&a);
  pmt_tokens_clear (&b);
}

/* A word of 200,000 letters: merging must not cost its length squared. */
static void
test_long_word (gconstpointer user)
{
  g_autofree char *text = g_strnfill (200000, 'a');
  gint64 start = g_get_monotonic_time ();
  PmtTokens tokens;

  pmt_tokenizer_encode (user, text, &tokens);
  g_assert_cmpint (tokens.n_words, ==, 1);
  g_assert_cmpint (tokens.n_tokens, <, 100000);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 5 * G_USEC_PER_SEC);
  pmt_tokens_clear (&tokens);
}

static void
add_groups (const char *prefix, const PmtTokenizer *tokenizer, JsonNode *root)
{
  JsonObject *object = json_node_get_object (root), *groups = json_object_get_object_member (object, "groups");
  g_autoptr (GList) names = json_object_get_members (groups);

  for (GList *l = names; l; l = l->next) {
    Group *group = g_new (Group, 1);
    *group = (Group) { NULL, tokenizer, json_object_get_array_member (groups, l->data) };
    group->name = g_strdup_printf ("/tokens/%s/%s", prefix, (const char *) l->data);
    g_test_add_data_func (group->name, group, test_group);
  }
  Group *group = g_new (Group, 1);
  *group = (Group) { g_strdup_printf ("/tokens/%s/padded", prefix), tokenizer, json_object_get_array_member (object, "padded") };
  g_test_add_data_func (group->name, group, test_padded);
}

static PmtTokenizer *
open_folder (const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = name ? data_file (name) : NULL;
  PmtTokenizer *tokenizer = pmt_tokenizer_new (folder, &error);
  g_assert_no_error (error);
  return tokenizer;
}

int
main (int argc, char **argv)
{
  static const char *const folders[] = { "small", "small-json", "small-strings" };

  g_test_init (&argc, &argv, NULL);
  PmtTokenizer *clip = open_folder (NULL);
  add_groups ("clip", clip, load ("clip.json"));
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    add_groups (folders[i], open_folder (folders[i]), load ("small.json"));
  g_test_add_data_func ("/tokens/spans", clip, test_spans);
  g_test_add_data_func ("/tokens/invalid-utf8", clip, test_invalid_utf8);
  g_test_add_data_func ("/tokens/long-word", clip, test_long_word);
  return g_test_run ();
}
