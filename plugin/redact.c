/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/redact.h"

#include <string.h>

/* Shorter ones are part of too many words. */
#define SHORTEST_SECRET 3

/* Members of a recipe whose text is the program's, from a list that it offers. */
static const char *const harmless[] = { "task",        "sampler",    "type",       "precision", "mode",       "id",     "image",
                                        "prompt-syntax", "long-prompts", "prediction", "vae-tiling", "engine",     "cpu",    "model-hash",
                                        "image-hash",  "mask-hash",  "preprocess", NULL };

static gboolean
is_harmless (const char *member, const char *text)
{
  return !text[0] || (g_strv_contains (harmless, member) && !strpbrk (text, "/\\"));
}

static char *
replacement (const char *text)
{
  const char *dot = strrchr (text, '.');

  if (dot && !strpbrk (dot, "/\\ ") && dot[1] && strlen (dot) < 14)
    return g_strdup_printf ("(file, %s)", dot);
  if (strpbrk (text, "/\\"))
    return g_strdup ("(path)");
  return g_strdup_printf ("(%ld characters)", g_utf8_strlen (text, -1));
}

static JsonNode *redacted (const char *member, JsonNode *node, GPtrArray *secrets);

typedef struct Walk {
  JsonObject *object;
  GPtrArray *secrets;
} Walk;

static void
redact_member (JsonObject *from, const char *name, JsonNode *node, gpointer user)
{
  Walk *walk = user;

  json_object_set_member (walk->object, name, redacted (name, node, walk->secrets));
}

static JsonNode *
redacted_array (const char *member, JsonArray *from, GPtrArray *secrets)
{
  JsonNode *node = json_node_new (JSON_NODE_ARRAY);
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < json_array_get_length (from); i++)
    json_array_add_element (array, redacted (member, json_array_get_element (from, i), secrets));
  json_node_take_array (node, array);
  return node;
}

static JsonNode *
redacted (const char *member, JsonNode *node, GPtrArray *secrets)
{
  JsonNode *text;

  if (JSON_NODE_HOLDS_OBJECT (node)) {
    Walk walk = { json_object_new (), secrets };
    JsonNode *object = json_node_new (JSON_NODE_OBJECT);
    json_object_foreach_member (json_node_get_object (node), redact_member, &walk);
    json_node_take_object (object, walk.object);
    return object;
  }
  if (JSON_NODE_HOLDS_ARRAY (node))
    return redacted_array (member, json_node_get_array (node), secrets);
  if (json_node_get_value_type (node) != G_TYPE_STRING || is_harmless (member, json_node_get_string (node)))
    return json_node_copy (node);
  text = json_node_new (JSON_NODE_VALUE);
  g_ptr_array_add (secrets, g_strdup (json_node_get_string (node)));
  {
    g_autofree char *instead = replacement (json_node_get_string (node));
    json_node_set_string (text, instead);
  }
  return text;
}

char *
pmt_redact_recipe (JsonObject *recipe, GPtrArray *secrets)
{
  g_autoptr (JsonNode) from = json_node_new (JSON_NODE_OBJECT);
  g_autoptr (JsonNode) to = NULL;

  json_node_set_object (from, recipe);
  to = redacted ("", from, secrets);
  return json_to_string (to, TRUE);
}

/* Takes text. */
static char *
replace_all (char *text, const char *pattern, const char *instead)
{
  g_autoptr (GRegex) regex = g_regex_new (pattern, G_REGEX_MULTILINE | G_REGEX_OPTIMIZE, 0, NULL);
  char *replaced = g_regex_replace_literal (regex, text, -1, 0, instead, 0, NULL);

  g_free (text);
  return replaced;
}

char *
pmt_redact_text (const char *text, GPtrArray *secrets)
{
  char *result = g_utf8_make_valid (text, -1);

  for (guint i = 0; i < secrets->len; i++)
    if (g_utf8_strlen (g_ptr_array_index (secrets, i), -1) >= SHORTEST_SECRET) {
      g_autofree char *pattern = g_regex_escape_string (g_ptr_array_index (secrets, i), -1);
      result = replace_all (result, pattern, "(text)");
    }
  /* an apostrophe within a word is none */
  result = replace_all (result, "“[^”\\n]*”|„[^“”\\n]*[“”]|«[^»\\n]*»|\"[^\"\\n]*\"|(?<!\\w)'[^'\\n]*(?:'\\w[^'\\n]*)*'", "(quoted)");
  result = replace_all (result, "\\S*[/\\\\]\\S*(?:.*[/\\\\]\\S*)?", "(path)");
  return replace_all (result, "\\S+\\.(?:safetensors|gguf|ckpt|bin|json|png|jpe?g|tiff?|xcf|webp|txt)\\b", "(file)");
}
