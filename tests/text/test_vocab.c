/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tokenizer folders: which files are read, and what is said about those that cannot be. */
#include <string.h>

#include <glib/gstdio.h>

#include "engine/text/clip_bpe.h"

#define VOCAB "{\"a\":0,\"b\":1,\"a</w>\":2,\"b</w>\":3,\"ab</w>\":4,\"<|startoftext|>\":5,\"<|endoftext|>\":6}"
#define MERGES "#version: 0.2\na b</w>\n"

typedef struct Case {
  const char *name;
  const char *files[4][2]; /* name, content */
  PmtError code;
  const char *says; /* part of the message; NULL = must load */
} Case;

static const Case cases[] = {
  { "good", { { "vocab.json", VOCAB }, { "merges.txt", MERGES } }, 0, NULL },
  { "no-version-line", { { "vocab.json", VOCAB }, { "merges.txt", "a b</w>\n" } }, 0, NULL },
  { "windows-line-ends", { { "vocab.json", VOCAB }, { "merges.txt", "#version: 0.2\r\na b</w>\r\n" } }, 0, NULL },
  { "empty-folder", { { "other", "" } }, PMT_ERROR_NOT_FOUND, "vocab.json" },
  { "no-merges", { { "vocab.json", VOCAB } }, PMT_ERROR_NOT_FOUND, "merges.txt" },
  { "vocab-no-json", { { "vocab.json", "{" }, { "merges.txt", MERGES } }, PMT_ERROR_FORMAT, "not valid JSON" },
  { "vocab-a-list", { { "vocab.json", "[]" }, { "merges.txt", MERGES } }, PMT_ERROR_FORMAT, "no JSON object" },
  { "vocab-empty", { { "vocab.json", "{}" }, { "merges.txt", MERGES } }, PMT_ERROR_FORMAT, "empty" },
  { "vocab-same-id", { { "vocab.json", "{\"a\":0,\"b\":0}" }, { "merges.txt", "" } }, PMT_ERROR_FORMAT, "number of its own" },
  { "vocab-negative-id", { { "vocab.json", "{\"a\":-1}" }, { "merges.txt", "" } }, PMT_ERROR_FORMAT, "'a'" },
  { "vocab-huge-id", { { "vocab.json", "{\"a\":4000000000}" }, { "merges.txt", "" } }, PMT_ERROR_FORMAT, "'a'" },
  { "vocab-no-end",
    { { "vocab.json", "{\"a\":0,\"<|startoftext|>\":1}" }, { "merges.txt", "" } },
    PMT_ERROR_FORMAT,
    "eos_token" },
  { "merge-of-unknown", { { "vocab.json", VOCAB }, { "merges.txt", "#version: 0.2\na c\n" } }, PMT_ERROR_FORMAT, "line 2" },
  { "merge-of-one", { { "vocab.json", VOCAB }, { "merges.txt", "a\n" } }, PMT_ERROR_FORMAT, "line 1" },
  { "config-damaged",
    { { "vocab.json", VOCAB }, { "merges.txt", MERGES }, { "tokenizer_config.json", "nothing" } },
    PMT_ERROR_FORMAT,
    "tokenizer_config.json" },
  { "json-other-kind", { { "tokenizer.json", "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{}}}" } }, PMT_ERROR_FORMAT, "byte-pair" },
  { "json-bad-merge",
    { { "tokenizer.json", "{\"model\":{\"vocab\":" VOCAB ",\"merges\":[[\"a\"]],\"end_of_word_suffix\":\"</w>\"}}" } },
    PMT_ERROR_FORMAT,
    "merge 0" },
  { "added-negative-id",
    { { "vocab.json", VOCAB }, { "merges.txt", MERGES }, { "added_tokens.json", "{\"<cat>\":-1}" } },
    PMT_ERROR_FORMAT,
    "'<cat>'" },
  { "added-huge-id",
    { { "vocab.json", VOCAB }, { "merges.txt", MERGES }, { "added_tokens.json", "{\"<cat>\":2000000000}" } },
    PMT_ERROR_FORMAT,
    "'<cat>'" },
  { "added-no-object",
    { { "vocab.json", VOCAB }, { "merges.txt", MERGES }, { "added_tokens.json", "[7]" } },
    PMT_ERROR_FORMAT,
    "added_tokens.json" },
  { "json-huge-added",
    { { "tokenizer.json", "{\"model\":{\"vocab\":" VOCAB ",\"merges\":[],\"end_of_word_suffix\":\"</w>\"},"
                          "\"added_tokens\":[{\"id\":2000000000,\"content\":\"<cat>\"}]}" } },
    PMT_ERROR_FORMAT,
    "added token 0" },
  { "json-bad-added",
    { { "tokenizer.json",
        "{\"model\":{\"vocab\":" VOCAB ",\"merges\":[],\"end_of_word_suffix\":\"</w>\"},\"added_tokens\":[{\"id\":5}]}" } },
    PMT_ERROR_FORMAT,
    "added token 0" },
};

static char *
make_folder (const Case *c)
{
  char *folder = g_dir_make_tmp ("pmt-vocab-XXXXXX", NULL);
  g_assert_nonnull (folder);
  for (guint i = 0; i < G_N_ELEMENTS (c->files) && c->files[i][0]; i++) {
    g_autofree char *path = g_build_filename (folder, c->files[i][0], NULL);
    g_assert_true (g_file_set_contents (path, c->files[i][1], -1, NULL));
  }
  return folder;
}

static void
remove_folder (const Case *c, const char *folder)
{
  for (guint i = 0; i < G_N_ELEMENTS (c->files) && c->files[i][0]; i++) {
    g_autofree char *path = g_build_filename (folder, c->files[i][0], NULL);
    g_unlink (path);
  }
  g_rmdir (folder);
}

static void
test_case (gconstpointer user)
{
  const Case *c = user;
  g_autofree char *folder = make_folder (c);
  g_autoptr (GError) error = NULL;
  PmtTokenizer *tokenizer = pmt_tokenizer_new (folder, &error);

  remove_folder (c, folder);
  if (c->says) {
    g_assert_null (tokenizer);
    g_assert_error (error, PMT_ERROR, (gint) c->code);
    g_assert_nonnull (strstr (error->message, folder));
    g_assert_nonnull (strstr (error->message, c->says));
    return;
  }
  g_assert_no_error (error);
  PmtTokens tokens;
  pmt_tokenizer_encode (tokenizer, "AB abab a", &tokens);
  g_assert_cmpint (tokens.n_tokens, ==, 5);
  const int ids[] = { 4, 0, 1, 4, 2 };
  for (int i = 0; i < 5; i++)
    g_assert_cmpint (tokens.token[i].id, ==, ids[i]);
  g_assert_cmpint (pmt_tokenizer_bos (tokenizer), ==, 5);
  g_assert_cmpint (pmt_tokenizer_eos (tokenizer), ==, 6);
  g_assert_cmpint (pmt_tokenizer_pad (tokenizer), ==, 6);
  g_assert_cmpint (pmt_tokenizer_length (tokenizer), ==, 77);
  pmt_tokens_clear (&tokens);
  pmt_tokenizer_free (tokenizer);
}

/* Words that the user's own vocabulary adds are one token, wherever they stand. */
static void
test_added_words (void)
{
  static const Case c = {
    "added",
    { { "vocab.json", VOCAB },
      { "merges.txt", MERGES },
      { "tokenizer_config.json",
        "{\"pad_token\":\"a\",\"model_max_length\":18,\"added_tokens_decoder\":{\"7\":{\"content\":\"<Cat>\",\"normalized\":true}}}" } }
  };
  g_autofree char *folder = make_folder (&c);
  g_autoptr (GError) error = NULL;
  PmtTokenizer *tokenizer = pmt_tokenizer_new (folder, &error);
  PmtTokens tokens;

  remove_folder (&c, folder);
  g_assert_no_error (error);
  g_assert_cmpint (pmt_tokenizer_size (tokenizer), ==, 8);
  g_assert_cmpint (pmt_tokenizer_pad (tokenizer), ==, 0);
  g_assert_cmpint (pmt_tokenizer_length (tokenizer), ==, 18);
  pmt_tokenizer_encode (tokenizer, "b<CAT>b", &tokens);
  g_assert_cmpint (tokens.n_tokens, ==, 3);
  g_assert_cmpint (tokens.token[1].id, ==, 7);
  g_assert_cmpint (tokens.n_words, ==, 3);
  pmt_tokens_clear (&tokens);
  pmt_tokenizer_free (tokenizer);
}

/* What a slow tokenizer wrote of them, read as transformers does: in any case of letters, and only where no later list is. */
static void
test_added_file (void)
{
  static const Case c = { "added-file",
                          { { "vocab.json", VOCAB }, { "merges.txt", MERGES }, { "added_tokens.json", "{\"<Cat-toy>\":7,\"<|endoftext|>\":6}" } } };
  static const Case void_one = { "void",
                                 { { "vocab.json", VOCAB },
                                   { "merges.txt", MERGES },
                                   { "added_tokens.json", "{\"<Cat-toy>\":7}" },
                                   { "tokenizer_config.json", "{\"added_tokens_decoder\":{}}" } } };
  static const int wanted[] = { 3, 7, 2, 7, 4 };
  g_autofree char *folder = make_folder (&c), *other = make_folder (&void_one);
  g_autoptr (GError) error = NULL;
  PmtTokenizer *tokenizer = pmt_tokenizer_new (folder, &error);
  PmtTokens tokens;

  g_assert_no_error (error);
  g_assert_cmpint (pmt_tokenizer_size (tokenizer), ==, 8);
  pmt_tokenizer_encode (tokenizer, "b <Cat-toy> a<cat-TOY>ab", &tokens);
  g_assert_cmpint (tokens.n_tokens, ==, G_N_ELEMENTS (wanted));
  for (guint i = 0; i < G_N_ELEMENTS (wanted); i++)
    g_assert_cmpint (tokens.token[i].id, ==, wanted[i]);
  pmt_tokens_clear (&tokens);
  pmt_tokenizer_free (tokenizer);
  tokenizer = pmt_tokenizer_new (other, &error);
  g_assert_no_error (error);
  g_assert_cmpint (pmt_tokenizer_size (tokenizer), ==, 7);
  pmt_tokenizer_free (tokenizer);
  remove_folder (&c, folder);
  remove_folder (&void_one, other);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = g_strconcat ("/vocab/", cases[i].name, NULL);
    g_test_add_data_func (path, &cases[i], test_case);
  }
  g_test_add_func ("/vocab/added-words", test_added_words);
  g_test_add_func ("/vocab/added-file", test_added_file);
  return g_test_run ();
}
