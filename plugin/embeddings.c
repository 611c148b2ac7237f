/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/embeddings.h"

#include <glib/gi18n.h>
#include <string.h>

/* As many as a job takes. */
#define MOST_WORDS 64

void
pmt_embeddings_add_argument (GimpProcedure *procedure)
{
  gimp_procedure_add_string_argument (procedure, "embeddings", _("Learned words"),
                                      _("Files of learned words (textual inversion), one a line; a file's name without its ending is the word in "
                                        "the prompt"),
                                      "", G_PARAM_READWRITE);
}

static JsonObject *
word_new (const char *path)
{
  g_autofree char *word = g_path_get_basename (path);
  char *dot = strrchr (word, '.');
  JsonObject *object = json_object_new ();

  if (dot && dot != word)
    *dot = '\0';
  json_object_set_string_member (object, "path", path);
  json_object_set_string_member (object, "word", word);
  return object;
}

JsonArray *
pmt_embeddings_to_json (const char *paths)
{
  g_auto (GStrv) lines = g_strsplit (paths ? paths : "", "\n", -1);
  JsonArray *array = json_array_new ();

  for (char **line = lines; *line; line++)
    if (g_strstrip (*line)[0])
      json_array_add_object_element (array, word_new (*line));
  if (json_array_get_length (array) == 0)
    g_clear_pointer (&array, json_array_unref);
  return array;
}

/* ---- words that are said ---- */

gboolean
pmt_embeddings_say (const char *text, const char *word)
{
  g_autofree char *escaped = NULL, *pattern = NULL;
  g_autoptr (GRegex) regex = NULL;

  if (!strstr (text, word)) /* of thousands of words most are not there at all */
    return FALSE;
  escaped = g_regex_escape_string (word, -1);
  pattern = g_strconcat ("(?<!\\w)", escaped, "(?!\\w)", NULL);
  regex = g_regex_new (pattern, 0, 0, NULL);
  return regex && g_regex_match (regex, text, 0, NULL);
}

static const char *
text_of (JsonNode *node, const char *member)
{
  JsonNode *text = node && JSON_NODE_HOLDS_OBJECT (node) ? json_object_get_member (json_node_get_object (node), member) : NULL;

  return text && json_node_get_value_type (text) == G_TYPE_STRING ? json_node_get_string (text) : NULL;
}

static JsonArray *
array_of (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  return node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}

/* The texts of that member in each entry of a list, which may be NULL. */
static void
add_texts (GString *all, JsonArray *list, const char *member)
{
  for (guint i = 0; list && i < json_array_get_length (list); i++) {
    const char *text = text_of (json_array_get_element (list, i), member);
    if (text)
      g_string_append_printf (all, "%s\n", text);
  }
}

/* All that a model reads, each in lines of its own. Newly allocated. */
static char *
prompts_of (JsonObject *recipe)
{
  JsonNode *layout = json_object_get_member (recipe, "layout");
  GString *all = g_string_new (NULL);

  g_string_append_printf (all, "%s\n", json_object_get_string_member_with_default (recipe, "prompt", ""));
  g_string_append_printf (all, "%s\n", json_object_get_string_member_with_default (recipe, "negative-prompt", ""));
  add_texts (all, array_of (recipe, "region-prompts"), "prompt");
  if (layout && JSON_NODE_HOLDS_OBJECT (layout))
    add_texts (all, array_of (json_node_get_object (layout), "boxes"), "phrase");
  add_texts (all, array_of (recipe, "methods"), "source");
  add_texts (all, array_of (recipe, "methods"), "target");
  return g_string_free (all, FALSE);
}

static gboolean
has_word (JsonArray *words, const char *word)
{
  for (guint i = 0; i < json_array_get_length (words); i++)
    if (g_strcmp0 (text_of (json_array_get_element (words, i), "word"), word) == 0)
      return TRUE;
  return FALSE;
}

void
pmt_embeddings_complete (JsonObject *recipe, JsonArray *names)
{
  JsonArray *old = array_of (recipe, "embeddings");
  g_autoptr (JsonArray) words = old ? json_array_ref (old) : json_array_new ();
  g_autofree char *prompts = prompts_of (recipe);

  for (guint i = 0; i < json_array_get_length (names) && json_array_get_length (words) < MOST_WORDS; i++) {
    JsonNode *node = json_array_get_element (names, i);
    const char *word = text_of (node, "name"), *path = text_of (node, "path");
    if (word && path && word[0] && !has_word (words, word) && pmt_embeddings_say (prompts, word))
      json_array_add_object_element (words, word_new (path));
  }
  if (!old && json_array_get_length (words) > 0)
    json_object_set_array_member (recipe, "embeddings", json_array_ref (words));
}
