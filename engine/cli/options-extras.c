/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/options-extras.h"

#include <string.h>

#include "engine/cli/cli.h"
#include "engine/job/job.h"

void
pmt_extra_options_clear (PmtExtraOptions *options)
{
  g_strfreev (options->controls);
  g_strfreev (options->references);
  g_strfreev (options->boxes);
  g_strfreev (options->regions);
  g_strfreev (options->region_masks);
  g_strfreev (options->loras);
  g_strfreev (options->lora_folders);
  g_strfreev (options->embeddings);
  g_free (options->layout_model);
  g_free (options->layout_beta);
  g_free (options->clip_skip);
}

void
pmt_extra_options_add (GArray *entries, PmtExtraOptions *options)
{
  const GOptionArg file = G_OPTION_ARG_FILENAME, files = G_OPTION_ARG_FILENAME_ARRAY;
  const GOptionEntry rows[] = {
    { "control", 0, 0, files, &options->controls,
      "Control picture with a ControlNet or T2I-Adapter; also start, end, preprocess=ID, guess=true; may be repeated",
      "TYPE=FILE,model=PATH,strength=S,…" },
    { "reference", 0, 0, files, &options->references, "Picture to take after, with an IP-Adapter; also encoder=PATH, start, end; may be repeated",
      "FILE,model=PATH,strength=S,…" },
    { "box", 0, 0, files, &options->boxes, "Place of a thing, in parts of the picture (GLIGEN); may be repeated", "X0,Y0,X1,Y1:PHRASE" },
    { "layout-model", 0, 0, file, &options->layout_model, "Layers for the boxes, where the model has none", "PATH" },
    { "layout-beta", 0, 0, file, &options->layout_beta, "Part of the run in which the boxes act (0 to 1, default 0.3)", "X" },
    { "region", 0, 0, files, &options->regions, "Prompt for a box, in parts of the picture, with a weight if wished; may be repeated",
      "X0,Y0,X1,Y1[,W]:PROMPT" },
    { "region-mask", 0, 0, files, &options->region_masks, "Prompt for the light parts of a picture; may be repeated", "FILE:PROMPT" },
    { "lora", 0, 0, files, &options->loras, "LoRA, LoCon, DoRA or hypernetwork, with strengths for network and text; may be repeated",
      "FILE[:S[:T]]" },
    { "lora-folder", 0, 0, files, &options->lora_folders, "Where <lora:NAME:S> in the prompt is looked for; may be repeated", "FOLDER" },
    { "embedding", 0, 0, files, &options->embeddings, "Learned word (textual inversion); may be repeated", "FILE[=WORD]" },
    { "clip-skip", 0, 0, file, &options->clip_skip, "Last layers of the text encoder to leave out (0 to 12, default 0)", "N" },
  };

  g_array_append_vals (entries, rows, G_N_ELEMENTS (rows));
}

static gboolean
wrong (GError **error, const char *option, const char *text, const char *form)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "%s takes %s, not '%s'.", option, form, text);
  return FALSE;
}

static char *
absolute (const char *path)
{
  return path[0] ? g_canonicalize_filename (path, NULL) : g_strdup ("");
}

static gboolean
has_param (const PmtParam *table, const char *part)
{
  gsize length = strcspn (part, "=");

  for (; table->id; table++)
    if (strlen (table->id) == length && strncmp (table->id, part, length) == 0)
      return TRUE;
  return FALSE;
}

/* The parts between commas; the value of "preprocess" may have commas itself, so what is no parameter of the table belongs to it. */
static GPtrArray *
split_parts (const PmtParam *table, const char *text)
{
  g_auto (GStrv) pieces = g_strsplit (text, ",", -1);
  GPtrArray *parts = g_ptr_array_new_with_free_func (g_free);

  for (char **piece = pieces; *piece; piece++) {
    char **last = parts->len ? (char **) &g_ptr_array_index (parts, parts->len - 1) : NULL;
    if (last && g_str_has_prefix (*last, "preprocess=") && !has_param (table, *piece)) {
      char *joined = g_strconcat (*last, ",", *piece, NULL);
      g_free (*last);
      *last = joined;
    } else
      g_ptr_array_add (parts, g_strdup (*piece));
  }
  return parts;
}

/* "FILE,key=value,…" by the kind's table; `type` is what stood before it, or NULL. */
static JsonNode *
read_picture (PmtExtraKind kind, const char *option, const char *type, const char *text, GError **error)
{
  static const char *const paths[] = { "image", "model", "encoder" };
  const PmtParam *table = pmt_job_extra_params (kind);
  g_autoptr (GPtrArray) parts = split_parts (table, text);
  PmtParamValues values;
  JsonNode *node = NULL;
  gboolean good;

  pmt_param_values_init (&values, table);
  good = !type || pmt_param_values_set_text (&values, "type", type, option, error);
  if (good && parts->len)
    good = pmt_param_values_set_text (&values, "image", g_ptr_array_index (parts, 0), option, error);
  for (guint i = 1; good && i < parts->len; i++) {
    g_auto (GStrv) sides = g_strsplit (g_ptr_array_index (parts, i), "=", 2);
    good = sides[0] && sides[1] ? pmt_param_values_set_text (&values, g_strstrip (sides[0]), sides[1], option, error)
                                : wrong (error, option, g_ptr_array_index (parts, i), "parts of the form key=value behind the file");
  }
  for (gsize i = 0; good && i < G_N_ELEMENTS (paths); i++)
    if (has_param (table, paths[i])) {
      g_autofree char *path = absolute (pmt_param_text (&values, paths[i]));
      good = pmt_param_values_set_text (&values, paths[i], path, option, error);
    }
  if (good)
    node = pmt_param_values_to_json (&values);
  pmt_param_values_clear (&values);
  return node;
}

static JsonNode *
read_control (const char *text, GError **error)
{
  const char *equals = strchr (text, '=');
  g_autofree char *type = equals ? g_strndup (text, (gsize) (equals - text)) : NULL;

  if (!equals || strchr (type, ',')) {
    wrong (error, "--control", text, "TYPE=FILE,model=PATH,…");
    return NULL;
  }
  return read_picture (PMT_EXTRA_CONTROLS, "--control", type, equals + 1, error);
}

static JsonNode *
read_reference (const char *text, GError **error)
{
  return read_picture (PMT_EXTRA_REFERENCES, "--reference", NULL, text, error);
}

/* Whole text as a finite number. */
static gboolean
holds_number (const char *text, double *value)
{
  char *end;

  *value = g_ascii_strtod (text, &end);
  return end != text && *end == '\0';
}

static JsonNode *
read_box (const char *text, GError **error)
{
  const char *colon = strchr (text, ':');
  g_autofree char *sides = g_strndup (text, colon ? (gsize) (colon - text) : strlen (text));
  g_auto (GStrv) numbers = g_strsplit (sides, ",", -1);
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  JsonArray *box = json_array_new ();
  double value;

  json_node_take_object (node, object);
  json_object_set_array_member (object, "box", box);
  for (char **number = numbers; *number; number++)
    if (holds_number (*number, &value))
      json_array_add_double_element (box, value);
  if (!colon || g_strv_length (numbers) != 4 || json_array_get_length (box) != 4) {
    wrong (error, "--box", text, "X0,Y0,X1,Y1:PHRASE with parts of the picture from 0 to 1");
    json_node_unref (node);
    return NULL;
  }
  json_object_set_string_member (object, "phrase", colon + 1);
  return node;
}

static JsonNode *
read_region (const char *text, GError **error)
{
  const char *colon = strchr (text, ':');
  g_autofree char *sides = g_strndup (text, colon ? (gsize) (colon - text) : strlen (text));
  g_auto (GStrv) numbers = g_strsplit (sides, ",", -1);
  const guint n = g_strv_length (numbers);
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  JsonArray *box = json_array_new ();
  gboolean good = colon && (n == 4 || n == 5);
  double value;

  json_node_take_object (node, object);
  json_object_set_array_member (object, "box", box);
  for (guint i = 0; good && i < n; i++) {
    good = holds_number (numbers[i], &value);
    if (good && i < 4)
      json_array_add_double_element (box, value);
    else if (good)
      json_object_set_double_member (object, "weight", value);
  }
  if (!good) {
    wrong (error, "--region", text, "X0,Y0,X1,Y1:PROMPT with parts of the picture from 0 to 1, or X0,Y0,X1,Y1,WEIGHT:PROMPT");
    json_node_unref (node);
    return NULL;
  }
  json_object_set_string_member (object, "prompt", colon + 1);
  return node;
}

/* The file is what stands before the first colon that a file's name ends at. */
static JsonNode *
read_region_mask (const char *text, GError **error)
{
  const char *colon = strchr (text, ':');
  g_autofree char *name = NULL, *path = NULL;

  for (const char *at = colon; at; at = strchr (at + 1, ':')) {
    g_autofree char *front = g_strndup (text, (gsize) (at - text));
    if (!g_file_test (front, G_FILE_TEST_IS_REGULAR))
      continue;
    colon = at;
    break;
  }
  if (!colon || colon == text) {
    wrong (error, "--region-mask", text, "FILE:PROMPT");
    return NULL;
  }
  name = g_strndup (text, (gsize) (colon - text));
  path = absolute (name);
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  json_node_take_object (node, object);
  json_object_set_string_member (object, "mask", path);
  json_object_set_string_member (object, "prompt", colon + 1);
  return node;
}

/* Strengths stand behind the name, so colons in it do no harm unless numbers follow them. */
static JsonNode *
read_lora (const char *text, GError **error)
{
  static const char *const names[] = { "strength", "text-strength" };
  g_autofree char *name = g_strdup (text), *path = NULL;
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  double values[2];
  int n = 0;

  json_node_take_object (node, object);
  for (char *colon; n < 2 && (colon = strrchr (name, ':')) && holds_number (colon + 1, &values[n]); n++)
    *colon = '\0';
  /* the last one was found first */
  for (int i = 0; i < n; i++)
    json_object_set_double_member (object, names[i], values[n - 1 - i]);
  path = absolute (name);
  json_object_set_string_member (object, "path", path);
  return node;
}

static JsonNode *
read_embedding (const char *text, GError **error)
{
  const char *equals = strrchr (text, '=');
  g_autofree char *name = g_strndup (text, equals ? (gsize) (equals - text) : strlen (text)), *path = absolute (name);
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  json_node_take_object (node, object);
  json_object_set_string_member (object, "path", path);
  json_object_set_string_member (object, "word", equals ? equals + 1 : "");
  return node;
}

/* NULL + error, or an array of what each text reads as. */
static JsonArray *
read_each (const char *option, char **texts, JsonNode *(*read) (const char *text, GError **error), GError **error)
{
  JsonArray *array = json_array_new ();

  for (; texts && *texts; texts++) {
    JsonNode *node = pmt_cli_check_utf8 (option, *texts, error) ? read (*texts, error) : NULL;
    if (!node) {
      json_array_unref (array);
      return NULL;
    }
    json_array_add_element (array, node);
  }
  return array;
}

/* Boxes first, then masks, each in their order. */
static gboolean
read_regions (const PmtExtraOptions *options, JsonObject *recipe, GError **error)
{
  JsonArray *regions = read_each ("--region", options->regions, read_region, error);
  JsonArray *masks = regions ? read_each ("--region-mask", options->region_masks, read_region_mask, error) : NULL;

  for (guint i = 0; masks && i < json_array_get_length (masks); i++)
    json_array_add_element (regions, json_array_dup_element (masks, i));
  if (masks)
    json_object_set_array_member (recipe, "region-prompts", json_array_ref (regions));
  g_clear_pointer (&regions, json_array_unref);
  g_clear_pointer (&masks, json_array_unref);
  return json_object_has_member (recipe, "region-prompts");
}

static gboolean
read_layout (const PmtExtraOptions *options, JsonObject *recipe, GError **error)
{
  JsonArray *boxes = read_each ("--box", options->boxes, read_box, error);
  g_autofree char *model = options->layout_model ? absolute (options->layout_model) : NULL;
  JsonObject *layout;
  double beta;

  if (!boxes)
    return FALSE;
  layout = json_object_new ();
  json_object_set_array_member (layout, "boxes", boxes);
  json_object_set_object_member (recipe, "layout", layout);
  if (!options->boxes) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, "--layout-model and --layout-beta go with boxes; add --box X0,Y0,X1,Y1:PHRASE.");
    return FALSE;
  }
  if (!pmt_cli_check_utf8 ("--layout-model", model, error))
    return FALSE;
  if (model)
    json_object_set_string_member (layout, "model", model);
  if (!options->layout_beta)
    return TRUE;
  if (!holds_number (options->layout_beta, &beta))
    return wrong (error, "--layout-beta", options->layout_beta, "a number from 0 to 1");
  json_object_set_double_member (layout, "beta", beta);
  return TRUE;
}

static gboolean
read_clip_skip (const char *text, JsonObject *recipe, GError **error)
{
  guint64 value;

  if (!g_ascii_string_to_unsigned (text, 10, 0, 12, &value, NULL))
    return wrong (error, "--clip-skip", text, "a whole number from 0 to 12");
  json_object_set_int_member (recipe, "clip-skip", (gint64) value);
  return TRUE;
}

JsonArray *
pmt_extra_embeddings_read (char **texts, GError **error)
{
  return read_each ("--embedding", texts, read_embedding, error);
}

gboolean
pmt_extra_options_read (const PmtExtraOptions *options, JsonObject *recipe, GError **error)
{
  const struct {
    const char *option, *field;
    char **texts;
    JsonNode *(*read) (const char *text, GError **error);
  } lists[] = {
    { "--control", "controls", options->controls, read_control },
    { "--reference", "references", options->references, read_reference },
    { "--lora", "loras", options->loras, read_lora },
    { "--embedding", "embeddings", options->embeddings, read_embedding },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++)
    if (lists[i].texts) {
      JsonArray *array = read_each (lists[i].option, lists[i].texts, lists[i].read, error);
      if (!array)
        return FALSE;
      json_object_set_array_member (recipe, lists[i].field, array);
    }
  if (options->lora_folders) {
    JsonArray *folders = json_array_new ();
    for (char **folder = options->lora_folders; *folder; folder++) {
      g_autofree char *path = absolute (*folder);
      json_array_add_string_element (folders, path);
    }
    json_object_set_array_member (recipe, "lora-folders", folders);
  }
  if ((options->boxes || options->layout_model || options->layout_beta) && !read_layout (options, recipe, error))
    return FALSE;
  if ((options->regions || options->region_masks) && !read_regions (options, recipe, error))
    return FALSE;
  return !options->clip_skip || read_clip_skip (options->clip_skip, recipe, error);
}

void
pmt_extra_files_resolve (JsonObject *recipe, const char *folder)
{
  static const struct {
    const char *list, *picture;
  } lists[] = { { "controls", "image" }, { "references", "image" }, { "region-prompts", "mask" } };

  for (gsize k = 0; k < G_N_ELEMENTS (lists); k++) {
    JsonNode *list = json_object_get_member (recipe, lists[k].list);
    JsonArray *array = list && JSON_NODE_HOLDS_ARRAY (list) ? json_node_get_array (list) : NULL;
    for (guint i = 0; array && i < json_array_get_length (array); i++) {
      JsonNode *entry = json_array_get_element (array, i);
      JsonObject *object = JSON_NODE_HOLDS_OBJECT (entry) ? json_node_get_object (entry) : NULL;
      /* what is no name is refused when the job is parsed */
      const char *name = object ? json_object_get_string_member_with_default (object, lists[k].picture, "") : "";
      if (name && name[0]) {
        g_autofree char *path = g_canonicalize_filename (name, folder);
        json_object_set_string_member (object, lists[k].picture, path);
      }
    }
  }
}
