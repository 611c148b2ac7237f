/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tokenizer folders: tokenizer.json, or vocab.json and merges.txt, with the small files about special tokens. */
#include <string.h>

#include <json-glib/json-glib.h>

#include "engine/text/vocab.h"

typedef struct Loader {
  const char *folder;
  PmtVocab *vocab;
  GHashTable *normalized; /* content -> flag of tokens whose files say it */
} Loader;

static gboolean
damaged (const char *path, GError **error, const char *format, ...) G_GNUC_PRINTF (3, 4);

static gboolean
damaged (const char *path, GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *why = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("The tokenizer file '%s' cannot be used: %s; get a fresh copy of it."), path, why);
  return FALSE;
}

static gboolean
exists (const Loader *l, const char *name)
{
  g_autofree char *path = g_build_filename (l->folder, name, NULL);
  return g_file_test (path, G_FILE_TEST_IS_REGULAR);
}

static gboolean
missing (const Loader *l, const char *name, GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, _("The file '%s' is missing in folder '%s'; download it too."), name, l->folder);
  return FALSE;
}

/* Newly referenced object of a file, which exists. */
static JsonObject *
load_object (const Loader *l, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (l->folder, name, NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) local = NULL;

  if (!json_parser_load_from_file (parser, path, &local)) {
    damaged (path, error, _("it is not valid JSON"));
    return NULL;
  }
  JsonNode *root = json_parser_get_root (parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT (root)) {
    damaged (path, error, _("it holds no JSON object"));
    return NULL;
  }
  return json_object_ref (json_node_get_object (root));
}

static const char *
node_string (JsonNode *node)
{
  return node && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING ? json_node_get_string (node) : NULL;
}

static gboolean
node_id (JsonNode *node, int *id)
{
  if (!node || !JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_INT64)
    return FALSE;
  gint64 value = json_node_get_int (node);
  *id = (int) value;
  return value >= 0 && value <= G_MAXINT;
}

static gboolean
object_bool (JsonObject *object, const char *key, gboolean fallback)
{
  JsonNode *node = json_object_get_member (object, key);
  if (!node || !JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_BOOLEAN)
    return fallback;
  return json_node_get_boolean (node);
}

static gboolean
read_vocab (Loader *l, JsonObject *object, const char *name, GError **error)
{
  JsonObjectIter iter;
  const char *symbol;
  JsonNode *node;
  int id;
  g_autofree char *path = g_build_filename (l->folder, name, NULL);

  json_object_iter_init (&iter, object);
  while (json_object_iter_next (&iter, &symbol, &node))
    if (!node_id (node, &id) || !pmt_vocab_add (l->vocab, symbol, id))
      return damaged (path, error, _("the id of '%s' is no number of its own"), symbol);
  if (l->vocab->symbols->len == 0)
    return damaged (path, error, _("its vocabulary is empty"));
  return TRUE;
}

/* "left right"; modifies the line. */
static gboolean
add_merge_line (Loader *l, char *line, int rank)
{
  char *right = strchr (line, ' ');
  if (!right)
    return FALSE;
  *right++ = 0;
  return *line && *right && !strchr (right, ' ') && pmt_vocab_add_merge (l->vocab, line, right, rank);
}

static gboolean
read_merges_txt (Loader *l, GError **error)
{
  g_autofree char *path = g_build_filename (l->folder, "merges.txt", NULL);
  g_autofree char *text = NULL;
  int rank = 0, number = 0;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return missing (l, "merges.txt", error);
  if (!g_utf8_validate (text, -1, NULL))
    return damaged (path, error, _("it is not UTF-8 text"));
  for (char *line = text, *next; line && *line; line = next) {
    next = strchr (line, '\n');
    if (next)
      *next++ = 0;
    g_strchomp (line);
    number++;
    if (!*line || (number == 1 && g_str_has_prefix (line, "#version")))
      continue;
    if (!add_merge_line (l, line, rank++))
      return damaged (path, error, _("line %d is no merge of symbols in vocab.json"), number);
  }
  return TRUE;
}

static gboolean
read_merges_json (Loader *l, JsonArray *merges, GError **error)
{
  g_autofree char *path = g_build_filename (l->folder, "tokenizer.json", NULL);

  for (guint i = 0; i < json_array_get_length (merges); i++) {
    JsonNode *node = json_array_get_element (merges, i);
    const char *text = node_string (node);
    gboolean ok = FALSE;
    if (text) {
      g_autofree char *line = g_strdup (text);
      ok = add_merge_line (l, line, (int) i);
    } else if (JSON_NODE_HOLDS_ARRAY (node) && json_array_get_length (json_node_get_array (node)) == 2) {
      const char *left = node_string (json_array_get_element (json_node_get_array (node), 0));
      const char *right = node_string (json_array_get_element (json_node_get_array (node), 1));
      ok = left && right && pmt_vocab_add_merge (l->vocab, left, right, (int) i);
    }
    if (!ok)
      return damaged (path, error, _("merge %u is no pair of symbols of its vocabulary"), i);
  }
  return TRUE;
}

/* tokenizer.json states id and matching of every added token. */
static gboolean
read_added_tokens (Loader *l, JsonArray *tokens, GError **error)
{
  g_autofree char *path = g_build_filename (l->folder, "tokenizer.json", NULL);
  int id;

  for (guint i = 0; i < json_array_get_length (tokens); i++) {
    JsonNode *node = json_array_get_element (tokens, i);
    JsonObject *token = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
    const char *content = token ? node_string (json_object_get_member (token, "content")) : NULL;
    if (!content || !*content || !node_id (json_object_get_member (token, "id"), &id) ||
        !pmt_vocab_add_token (l->vocab, content, id, object_bool (token, "normalized", FALSE)))
      return damaged (path, error, _("added token %u has no content or id"), i);
  }
  return TRUE;
}

static gboolean
read_tokenizer_json (Loader *l, GError **error)
{
  g_autofree char *path = g_build_filename (l->folder, "tokenizer.json", NULL);
  g_autoptr (JsonObject) root = load_object (l, "tokenizer.json", error);
  if (!root)
    return FALSE;
  JsonNode *node = json_object_get_member (root, "model");
  JsonObject *model = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  JsonNode *vocab = model ? json_object_get_member (model, "vocab") : NULL;
  JsonNode *merges = model ? json_object_get_member (model, "merges") : NULL;
  JsonNode *added = json_object_get_member (root, "added_tokens");
  const char *suffix = model ? node_string (json_object_get_member (model, "end_of_word_suffix")) : NULL;

  if (!vocab || !JSON_NODE_HOLDS_OBJECT (vocab) || !merges || !JSON_NODE_HOLDS_ARRAY (merges) || g_strcmp0 (suffix, "</w>") != 0)
    return damaged (path, error, _("it is no byte-pair tokenizer of CLIP's kind"));
  const char *unknown = node_string (json_object_get_member (model, "unk_token"));
  if (!read_vocab (l, json_node_get_object (vocab), "tokenizer.json", error)
      || !read_merges_json (l, json_node_get_array (merges), error))
    return FALSE;
  if (added && JSON_NODE_HOLDS_ARRAY (added) && !read_added_tokens (l, json_node_get_array (added), error))
    return FALSE;
  if (unknown)
    l->vocab->unknown = pmt_vocab_id (l->vocab, unknown);
  return TRUE;
}

/* The text of a special token: "x" or {"content": "x", "normalized": …}, whose flag is remembered. NULL when absent. */
static char *
special_content (Loader *l, JsonObject *object, const char *key)
{
  JsonNode *node = object ? json_object_get_member (object, key) : NULL;
  const char *content = node_string (node);

  if (content) {
    g_hash_table_replace (l->normalized, g_strdup (content), GINT_TO_POINTER (FALSE));
    return g_strdup (content);
  }
  if (!node || !JSON_NODE_HOLDS_OBJECT (node))
    return NULL;
  JsonObject *token = json_node_get_object (node);
  content = node_string (json_object_get_member (token, "content"));
  if (content)
    g_hash_table_replace (l->normalized, g_strdup (content), GINT_TO_POINTER (object_bool (token, "normalized", FALSE)));
  return g_strdup (content);
}

/* Later transformers list all added tokens by id in tokenizer_config.json. */
static void
read_decoder_list (Loader *l, JsonObject *config)
{
  JsonNode *node = json_object_get_member (config, "added_tokens_decoder");
  JsonObjectIter iter;
  const char *key;
  JsonNode *value;

  if (!node || !JSON_NODE_HOLDS_OBJECT (node))
    return;
  json_object_iter_init (&iter, json_node_get_object (node));
  while (json_object_iter_next (&iter, &key, &value)) {
    JsonObject *token = JSON_NODE_HOLDS_OBJECT (value) ? json_node_get_object (value) : NULL;
    const char *content = token ? node_string (json_object_get_member (token, "content")) : NULL;
    gint64 id;
    if (content && *content && g_ascii_string_to_signed (key, 10, 0, G_MAXINT, &id, NULL))
      pmt_vocab_add_token (l->vocab, content, (int) id, object_bool (token, "normalized", FALSE));
  }
}

/* Earlier ones wrote what a slow tokenizer had learned into a file of its own, {content: id}, which a list in tokenizer_config.json makes void.
 * As there, the four special tokens among them are matched as they are written, and all others in cleaned text. */
static gboolean
read_added_file (Loader *l, const char *const *specials, guint n_specials, GError **error)
{
  g_autofree char *path = g_build_filename (l->folder, "added_tokens.json", NULL);
  JsonObjectIter iter;
  const char *content;
  JsonNode *node;
  int id;

  if (!exists (l, "added_tokens.json"))
    return TRUE;
  g_autoptr (JsonObject) object = load_object (l, "added_tokens.json", error);
  if (!object)
    return FALSE;
  json_object_iter_init (&iter, object);
  while (json_object_iter_next (&iter, &content, &node)) {
    gboolean special = FALSE;
    for (guint i = 0; i < n_specials; i++)
      special = special || strcmp (specials[i], content) == 0;
    if (!*content || !node_id (node, &id) || !pmt_vocab_add_token (l->vocab, content, id, !special))
      return damaged (path, error, _("the id of '%s' is no number of its own"), content);
  }
  return TRUE;
}

static gboolean
has_added (const PmtVocab *vocab, const char *content)
{
  for (guint i = 0; i < vocab->added->len; i++)
    if (strcmp (g_array_index (vocab->added, PmtAddedToken, i).content, content) == 0)
      return TRUE;
  return FALSE;
}

/* special_tokens_map.json goes before tokenizer_config.json, as in transformers: SD 2's two files disagree about the pad token. */
static gboolean
read_specials (Loader *l, gboolean stated, GError **error)
{
  static const struct {
    const char *key, *fallback;
    size_t place;
  } specials[] = {
    { "unk_token", "<|endoftext|>", G_STRUCT_OFFSET (PmtVocab, unknown) },
    { "bos_token", "<|startoftext|>", G_STRUCT_OFFSET (PmtVocab, bos) },
    { "eos_token", "<|endoftext|>", G_STRUCT_OFFSET (PmtVocab, eos) },
    { "pad_token", "<|endoftext|>", G_STRUCT_OFFSET (PmtVocab, pad) },
  };
  g_autoptr (JsonObject) config = NULL;
  g_autoptr (JsonObject) map = NULL;
  char *contents[G_N_ELEMENTS (specials)];
  gboolean ok;

  if (exists (l, "tokenizer_config.json") && !(config = load_object (l, "tokenizer_config.json", error)))
    return FALSE;
  if (exists (l, "special_tokens_map.json") && !(map = load_object (l, "special_tokens_map.json", error)))
    return FALSE;
  if (config && !stated)
    read_decoder_list (l, config);
  for (guint i = 0; i < G_N_ELEMENTS (specials); i++) {
    contents[i] = special_content (l, map, specials[i].key);
    if (!contents[i])
      contents[i] = special_content (l, config, specials[i].key);
    if (!contents[i])
      contents[i] = g_strdup (specials[i].fallback);
  }
  ok = stated || (config && json_object_has_member (config, "added_tokens_decoder")) ||
       read_added_file (l, (const char *const *) contents, G_N_ELEMENTS (contents), error);
  for (guint i = 0; i < G_N_ELEMENTS (specials); i++) {
    int id = pmt_vocab_id (l->vocab, contents[i]);
    if (id < 0 && i > 0 && ok) {
      g_autofree char *path = g_build_filename (l->folder, exists (l, "vocab.json") ? "vocab.json" : "tokenizer.json", NULL);
      ok = damaged (path, error, _("the %s '%s' is not in its vocabulary"), specials[i].key, contents[i]);
    }
    if (ok && id >= 0) {
      *(int *) G_STRUCT_MEMBER_P (l->vocab, specials[i].place) = id;
      if (!stated && !has_added (l->vocab, contents[i]))
        pmt_vocab_add_token (l->vocab, contents[i], id, GPOINTER_TO_INT (g_hash_table_lookup (l->normalized, contents[i])));
    }
  }
  for (guint i = 0; i < G_N_ELEMENTS (specials); i++)
    g_free (contents[i]);
  if (ok && config && json_object_has_member (config, "model_max_length")) {
    JsonNode *node = json_object_get_member (config, "model_max_length");
    /* transformers writes 1e30 for "no limit" */
    if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_double (node) >= 3 && json_node_get_double (node) <= 4096)
      l->vocab->length = (int) json_node_get_double (node);
  }
  return ok;
}

PmtVocab *
pmt_vocab_new_folder (const char *folder, GError **error)
{
  Loader l = { .folder = folder, .vocab = pmt_vocab_new () };
  gboolean stated, ok;

  l.normalized = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  stated = exists (&l, "tokenizer.json");
  if (stated) {
    ok = read_tokenizer_json (&l, error);
  } else if (!exists (&l, "vocab.json")) {
    ok = missing (&l, "vocab.json", error);
  } else {
    g_autoptr (JsonObject) vocab = load_object (&l, "vocab.json", error);
    ok = vocab && read_vocab (&l, vocab, "vocab.json", error) && read_merges_txt (&l, error);
  }
  ok = ok && read_specials (&l, stated, error);
  g_hash_table_unref (l.normalized);
  if (!ok) {
    pmt_vocab_free (l.vocab);
    return NULL;
  }
  pmt_vocab_finish (l.vocab);
  return l.vocab;
}
