/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scales that stand beside the tensors. PEFT keeps lora_alpha in adapter_config.json, diffusers the same settings per component as JSON
 * text in the metadata ("lora_adapter_metadata": {"unet.lora_alpha": …}); some writers put "….lora_alpha" there directly. */
#include <json-glib/json-glib.h>
#include <string.h>

#include "engine/weights/lora_parts.h"

#define MOST_TEXT (4 << 20)
#define MOST_DEPTH 16

typedef struct Settings {
  bool has_alpha, root_rank;
  double alpha;
  JsonObject *pattern; /* module -> alpha, for modules that differ; may be NULL */
} Settings;

static const char *const prefixes[] = { "unet.", "text_encoder.", "text_encoder_2.", "" };

struct PmtLoraMeta {
  JsonNode *root; /* owns the patterns */
  Settings settings[G_N_ELEMENTS (prefixes)];
};

static JsonNode *
member (JsonObject *object, const char *prefix, const char *name)
{
  g_autofree char *key = g_strconcat (prefix, name, NULL);
  return json_object_get_member (object, key);
}

static bool
number (JsonNode *node, double *value)
{
  if (!node || !JSON_NODE_HOLDS_VALUE (node))
    return false;
  GType type = json_node_get_value_type (node);
  if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE)
    return false;
  *value = json_node_get_double (node);
  return true;
}

static void
read_settings (JsonObject *object, const char *prefix, Settings *settings)
{
  JsonNode *root_rank = member (object, prefix, "use_rslora"), *pattern = member (object, prefix, "alpha_pattern");
  settings->has_alpha = number (member (object, prefix, "lora_alpha"), &settings->alpha);
  settings->root_rank = root_rank && JSON_NODE_HOLDS_VALUE (root_rank) && json_node_get_value_type (root_rank) == G_TYPE_BOOLEAN &&
                        json_node_get_boolean (root_rank);
  settings->pattern = pattern && JSON_NODE_HOLDS_OBJECT (pattern) ? json_node_get_object (pattern) : NULL;
}

/* NULL for what is no JSON, or is larger and deeper than such settings are: the tensors alone are a usable LoRA. */
static JsonNode *
parse (const char *text)
{
  int depth = 0, deepest = 0;
  const char *c = text;
  for (; *c && c - text < MOST_TEXT; c++) {
    depth += *c == '[' || *c == '{' ? 1 : *c == ']' || *c == '}' ? -1 : 0;
    deepest = MAX (deepest, depth);
  }
  return *c || deepest > MOST_DEPTH ? NULL : json_from_string (text, NULL);
}

static JsonNode *
read_root (const PmtSafetensors *file)
{
  const char *text = pmt_safetensors_metadata (file, "lora_adapter_metadata");
  if (text)
    return parse (text);
  g_autofree char *name = g_path_get_basename (pmt_safetensors_path (file));
  if (strcmp (name, "adapter_model.safetensors") != 0)
    return NULL;
  g_autofree char *folder = g_path_get_dirname (pmt_safetensors_path (file));
  g_autofree char *path = g_build_filename (folder, "adapter_config.json", NULL);
  g_autofree char *content = NULL;
  return g_file_get_contents (path, &content, NULL, NULL) ? parse (content) : NULL;
}

PmtLoraMeta *
pmt_lora_meta_new (const PmtSafetensors *file)
{
  PmtLoraMeta *meta = g_new0 (PmtLoraMeta, 1);
  meta->root = read_root (file);
  JsonObject *object = meta->root && JSON_NODE_HOLDS_OBJECT (meta->root) ? json_node_get_object (meta->root) : NULL;
  for (size_t i = 0; i < G_N_ELEMENTS (prefixes); i++) {
    Settings *settings = &meta->settings[i];
    g_autofree char *key = g_strconcat (prefixes[i], "lora_alpha", NULL);
    const char *direct = pmt_safetensors_metadata (file, key);
    char *end;
    if (object)
      read_settings (object, prefixes[i], settings);
    if (!settings->has_alpha && direct) {
      settings->alpha = g_ascii_strtod (direct, &end);
      settings->has_alpha = end != direct && *end == '\0';
    }
  }
  return meta;
}

void
pmt_lora_meta_free (PmtLoraMeta *meta)
{
  if (meta->root)
    json_node_unref (meta->root);
  g_free (meta);
}

/* The settings that a stem falls under, and what is left of it. */
static const Settings *
settings_of (const PmtLoraMeta *meta, const char *stem, const char **rest)
{
  static const char outer[] = "base_model.model.";
  if (g_str_has_prefix (stem, outer))
    stem += strlen (outer);
  for (size_t i = 0; i < G_N_ELEMENTS (prefixes); i++)
    if (g_str_has_prefix (stem, prefixes[i]) && (meta->settings[i].has_alpha || meta->settings[i].root_rank)) {
      *rest = stem + strlen (prefixes[i]);
      return &meta->settings[i];
    }
  return NULL;
}

/* PEFT's rule: a pattern is a whole module's name or its end after a dot; '^' ties it to the beginning. */
static bool
pattern_fits (const char *pattern, const char *module)
{
  const bool whole = *pattern == '^';
  g_autofree char *plain = g_strdup (pattern + whole);
  const size_t n = strlen (plain);
  if (n > 0 && plain[n - 1] == '$')
    plain[n - 1] = '\0';
  if (strcmp (plain, module) == 0)
    return true;
  g_autofree char *end = g_strconcat (".", plain, NULL);
  return !whole && g_str_has_suffix (module, end);
}

gboolean
pmt_lora_meta_alpha (const PmtLoraMeta *meta, const char *stem, double *alpha)
{
  const char *module;
  const Settings *settings = settings_of (meta, stem, &module);
  if (!settings || !settings->has_alpha)
    return FALSE;
  *alpha = settings->alpha;
  if (settings->pattern) {
    g_autoptr (GList) keys = json_object_get_members (settings->pattern);
    for (GList *k = keys; k; k = k->next)
      if (pattern_fits (k->data, module) && number (json_object_get_member (settings->pattern, k->data), alpha))
        break;
  }
  return TRUE;
}

gboolean
pmt_lora_meta_root_rank (const PmtLoraMeta *meta, const char *stem)
{
  const char *module;
  const Settings *settings = settings_of (meta, stem, &module);
  return settings && settings->root_rank;
}
