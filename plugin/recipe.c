/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/recipe.h"

#include <glib/gi18n.h>
#include <string.h>

#include "pentimento/protocol.h"
#include "plugin/embeddings.h"
#include "plugin/error.h"
#include "plugin/full-size.h"
#include "plugin/modes.h"
#include "plugin/preset.h"
#include "plugin/wishes.h"
#include "ui/fields.h"

/* Longest part of the prompt in a layer's name, in characters. */
#define NAME_LENGTH 60

static void
copy_string (JsonObject *recipe, GimpProcedureConfig *config, const char *name, gboolean always)
{
  g_autofree char *value = NULL;

  g_object_get (config, name, &value, NULL);
  /* an argument that was left out arrives as NULL once GIMP has the procedure cached */
  if (always || (value && value[0]))
    json_object_set_string_member (recipe, name, value ? value : "");
}

/* An unquoted value of the short form: a number, true or false, else text. */
static JsonNode *
guess_value (const char *text)
{
  JsonNode *node = json_node_new (JSON_NODE_VALUE);
  char *end = NULL;
  double number = g_ascii_strtod (text, &end);

  if (strcmp (text, "true") == 0 || strcmp (text, "false") == 0)
    json_node_set_boolean (node, text[0] == 't');
  else if (!text[0] || *end)
    json_node_set_string (node, text);
  else if (strpbrk (text, ".eEnN"))
    json_node_set_double (node, number);
  else
    json_node_set_int (node, g_ascii_strtoll (text, NULL, 10));
  return node;
}

/* One "id:key=value,…"; NULL + error. */
static JsonObject *
parse_method (const char *text, GError **error)
{
  g_auto (GStrv) head = g_strsplit (text, ":", 2);
  g_auto (GStrv) pairs = g_strsplit (head[1] ? head[1] : "", ",", -1);
  JsonObject *method = json_object_new ();

  json_object_set_string_member (method, "id", g_strstrip (head[0]));
  for (char **pair = pairs; *pair && head[1]; pair++) {
    char *equals = strchr (*pair, '=');
    if (!equals || !head[0][0]) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The method “%s” is not understood: write ID:key=value,key=value, and “;” between methods."), text);
      json_object_unref (method);
      return NULL;
    }
    *equals = '\0';
    json_object_set_member (method, g_strstrip (*pair), guess_value (g_strstrip (equals + 1)));
  }
  return method;
}

JsonArray *
pmt_recipe_parse_methods (const char *text, GError **error)
{
  g_autofree char *stripped = g_strstrip (g_strdup (text ? text : ""));
  g_auto (GStrv) parts = NULL;
  JsonArray *methods;

  if (!stripped[0])
    return NULL;
  if (stripped[0] == '[') {
    g_autoptr (GError) problem = NULL;
    g_autoptr (JsonNode) node = json_from_string (stripped, &problem);
    if (!node || !JSON_NODE_HOLDS_ARRAY (node)) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The methods are not a JSON array (%s): write ID:key=value,key=value instead."),
                   problem ? problem->message : "");
      return NULL;
    }
    return json_node_dup_array (node);
  }
  methods = json_array_new ();
  parts = g_strsplit_set (stripped, ";\n", -1);
  for (char **part = parts; *part; part++) {
    JsonObject *method;
    if (!g_strstrip (*part)[0])
      continue;
    method = parse_method (*part, error);
    if (!method) {
      json_array_unref (methods);
      return NULL;
    }
    json_array_add_object_element (methods, method);
  }
  return methods;
}

/* A choice that stands at its first value is left to the engine. */
static void
copy_choice (JsonObject *recipe, GimpProcedureConfig *config, const char *name, const char *first)
{
  g_autofree char *value = NULL;

  g_object_get (config, name, &value, NULL);
  if (value && strcmp (value, first) != 0)
    json_object_set_string_member (recipe, name, value);
}

static void
describe_fill (JsonObject *recipe, GimpProcedureConfig *config)
{
  const PmtMode *mode = pmt_mode_of (config);
  double guidance = -1, strength = 1;
  gboolean match = TRUE;

  g_object_get (config, "guidance", &guidance, "strength", &strength, "colour-match", &match, NULL);
  json_object_set_string_member (recipe, "task", "fill");
  copy_string (recipe, config, "prompt", TRUE);
  if (mode->prompt && !json_object_get_string_member (recipe, "prompt")[0])
    json_object_set_string_member (recipe, "prompt", mode->prompt);
  json_object_set_string_member (recipe, "mode", mode->id);
  copy_choice (recipe, config, "prefill", "auto");
  copy_choice (recipe, config, "seam", "feather");
  if (!match)
    json_object_set_boolean_member (recipe, "colour-match", FALSE);
  json_object_set_double_member (recipe, "strength", strength);
  if (guidance >= 0)
    json_object_set_double_member (recipe, "guidance", guidance);
}

/* The instruction is the recipe's prompt. */
static void
describe_edit (JsonObject *recipe, GimpProcedureConfig *config)
{
  g_autofree char *instruction = NULL;
  double text = 7.5, image = 1.5;

  g_object_get (config, "instruction", &instruction, "text-guidance", &text, "image-guidance", &image, NULL);
  json_object_set_string_member (recipe, "task", "edit");
  json_object_set_string_member (recipe, "prompt", instruction ? instruction : "");
  json_object_set_double_member (recipe, "text-guidance", text);
  json_object_set_double_member (recipe, "image-guidance", image);
}

/* How much of the region's choice is the user's; the engine and the job complete it. */
static JsonObject *
region_from_config (GimpProcedureConfig *config)
{
  JsonObject *region = json_object_new ();
  g_autofree char *mode = NULL;
  double grow = -1, feather = -1;

  g_object_get (config, "context", &mode, "grow", &grow, "feather", &feather, NULL);
  /* a path's bounds are told as the context itself */
  json_object_set_string_member (region, "mode", mode && strcmp (mode, "path") != 0 ? mode : "auto");
  json_object_set_double_member (region, "grow", grow);
  json_object_set_double_member (region, "feather", feather);
  return region;
}

static void
describe_generate (JsonObject *recipe, GimpProcedureConfig *config)
{
  g_autofree char *source = NULL;
  double guidance = -1, strength = 1;

  g_object_get (config, "guidance", &guidance, "strength", &strength, "source", &source, NULL);
  json_object_set_string_member (recipe, "task", "generate");
  copy_string (recipe, config, "prompt", TRUE);
  if (g_strcmp0 (source, "none") != 0)
    json_object_set_double_member (recipe, "strength", strength);
  if (guidance >= 0)
    json_object_set_double_member (recipe, "guidance", guidance);
}

JsonObject *
pmt_recipe_from_config (GimpProcedureConfig *config, GError **error)
{
  g_autofree char *methods_text = NULL, *embeddings_text = NULL;
  g_autoptr (GError) problem = NULL;
  JsonObject *recipe;
  JsonArray *methods, *embeddings;
  int seed = -1, steps = 0, variants = 1;

  g_object_get (config, "seed", &seed, "steps", &steps, "variants", &variants, "methods", &methods_text, "embeddings",
                &embeddings_text, NULL);
  methods = pmt_recipe_parse_methods (methods_text, &problem);
  if (problem) {
    g_propagate_error (error, g_steal_pointer (&problem));
    return NULL;
  }

  recipe = json_object_new ();
  json_object_set_int_member (recipe, "pentimento", PMT_RECIPE_VERSION);
  copy_string (recipe, config, "model", TRUE);
  if (pmt_field_exists (config, "instruction"))
    describe_edit (recipe, config);
  else if (pmt_field_exists (config, "boxes-from-paths"))
    describe_generate (recipe, config);
  else
    describe_fill (recipe, config);
  copy_string (recipe, config, "negative-prompt", FALSE);
  copy_string (recipe, config, "sampler", FALSE);
  pmt_full_size_describe (config, recipe);
  copy_choice (recipe, config, "precision", "auto");
  if (!pmt_preset_to_recipe (config, recipe, error)) {
    json_object_unref (recipe);
    g_clear_pointer (&methods, json_array_unref);
    return NULL;
  }
  json_object_set_int_member (recipe, "seed", seed >= 0 ? seed : g_random_int_range (0, G_MAXINT));
  json_object_set_int_member (recipe, "variants", variants);
  if (steps > 0)
    json_object_set_int_member (recipe, "steps", steps);
  if (methods)
    json_object_set_array_member (recipe, "methods", methods);
  if (!pmt_wishes_to_recipe (config, recipe, error)) {
    json_object_unref (recipe);
    return NULL;
  }
  embeddings = pmt_embeddings_to_json (embeddings_text);
  if (embeddings)
    json_object_set_array_member (recipe, "embeddings", embeddings);
  if (pmt_field_exists (config, "context"))
    json_object_set_object_member (recipe, "region", region_from_config (config));
  return recipe;
}

static JsonArray *
rect_to_json (const PmtRect *rect)
{
  JsonArray *array = json_array_new ();

  json_array_add_int_element (array, rect->x);
  json_array_add_int_element (array, rect->y);
  json_array_add_int_element (array, rect->width);
  json_array_add_int_element (array, rect->height);
  return array;
}

static JsonArray *
size_to_json (int width, int height)
{
  JsonArray *size = json_array_new ();

  json_array_add_int_element (size, width);
  json_array_add_int_element (size, height);
  return size;
}

void
pmt_recipe_set_region (JsonObject *recipe, const PmtRect *canvas, const PmtRect *selection, const PmtRect *context)
{
  JsonObject *region = json_object_get_object_member (recipe, "region");

  json_object_set_array_member (region, "canvas", size_to_json (canvas->width, canvas->height));
  json_object_set_array_member (region, "selection", rect_to_json (selection));
  if (context)
    json_object_set_array_member (region, "context", rect_to_json (context));
  else
    json_object_remove_member (region, "context");
}

void
pmt_recipe_limit_feather (JsonObject *recipe, double most)
{
  JsonObject *region = json_object_get_object_member (recipe, "region");

  if (json_object_get_double_member (region, "feather") < 0)
    json_object_set_double_member (region, "feather", most);
}

void
pmt_recipe_set_size (JsonObject *recipe, int width, int height)
{
  json_object_set_array_member (recipe, "size", size_to_json (width, height));
}

gboolean
pmt_recipe_get_size (JsonObject *object, int *width, int *height)
{
  JsonNode *node = json_object_get_member (object, "size");
  JsonArray *array = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  int *values[] = { width, height };

  if (!array || json_array_get_length (array) != 2)
    return FALSE;
  for (guint i = 0; i < 2; i++) {
    JsonNode *element = json_array_get_element (array, i);
    if (json_node_get_value_type (element) != G_TYPE_INT64 || json_node_get_int (element) < 1 ||
        json_node_get_int (element) > GIMP_MAX_IMAGE_SIZE)
      return FALSE;
    *values[i] = (int) json_node_get_int (element);
  }
  return TRUE;
}

gboolean
pmt_recipe_get_rect (JsonObject *object, const char *member, PmtRect *rect)
{
  JsonNode *node = json_object_get_member (object, member);
  JsonArray *array = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  int *values[] = { &rect->x, &rect->y, &rect->width, &rect->height };

  if (!array || json_array_get_length (array) != 4)
    return FALSE;
  for (guint i = 0; i < 4; i++) {
    JsonNode *element = json_array_get_element (array, i);
    gint64 value;
    if (json_node_get_value_type (element) != G_TYPE_INT64)
      return FALSE;
    value = json_node_get_int (element);
    if (value < -GIMP_MAX_IMAGE_SIZE || value > GIMP_MAX_IMAGE_SIZE)
      return FALSE;
    *values[i] = (int) value;
  }
  return TRUE;
}

const char *
pmt_recipe_shown_prompt (JsonObject *recipe)
{
  const char *prompt = json_object_get_string_member_with_default (recipe, "prompt", "");
  JsonNode *node = json_object_get_member (recipe, "methods");
  JsonArray *methods = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  for (guint i = 0; methods && i < json_array_get_length (methods); i++) {
    JsonNode *element = json_array_get_element (methods, i);
    JsonObject *method = JSON_NODE_HOLDS_OBJECT (element) ? json_node_get_object (element) : NULL;
    const char *target = NULL;
    if (method && g_strcmp0 (json_object_get_string_member_with_default (method, "id", ""), "prompt-to-prompt") == 0)
      target = json_object_get_string_member_with_default (method, "target", NULL);
    if (target && target[0])
      return target;
  }
  return prompt ? prompt : "";
}

char *
pmt_recipe_layer_name (JsonObject *recipe, gint64 seed)
{
  g_autofree char *line = g_strstrip (g_strdelimit (g_strdup (pmt_recipe_shown_prompt (recipe)), "\r\n\t", ' '));
  g_autofree char *cut = NULL;
  g_autofree char *number = g_strdup_printf ("%" G_GINT64_FORMAT, seed);

  static const char *const tasks[][2] = { { "fill", N_("Fill") }, { "edit", N_("Edit") }, { "generate", N_("Generate") } };
  const char *task = json_object_get_string_member_with_default (recipe, "task", "fill");
  const char *title = _(tasks[0][1]), *shown;

  if (g_utf8_strlen (line, -1) > NAME_LENGTH) {
    g_autofree char *start = g_utf8_substring (line, 0, NAME_LENGTH - 1);
    cut = g_strconcat (g_strchomp (start), "…", NULL);
  }
  shown = cut ? cut : line;
  for (gsize i = 0; i < G_N_ELEMENTS (tasks); i++)
    if (g_strcmp0 (task, tasks[i][0]) == 0)
      title = _(tasks[i][1]);
  if (pmt_mode_find (json_object_get_string_member_with_default (recipe, "mode", "")))
    title = _(pmt_mode_find (json_object_get_string_member (recipe, "mode"))->label);
  if (!line[0])
    return seed < 0 ? g_strdup (title) : g_strdup_printf (_("%s (%s)"), title, number);
  return seed < 0 ? g_strdup_printf (_("%s: %s"), title, shown) : g_strdup_printf (_("%s: %s (%s)"), title, shown, number);
}

void
pmt_recipe_attach_json (JsonNode *node, const char *name, GimpItem *item)
{
  g_autofree char *text = json_to_string (node, FALSE);
  GimpParasite *parasite = gimp_parasite_new (name, GIMP_PARASITE_PERSISTENT | GIMP_PARASITE_UNDOABLE, (guint32) strlen (text) + 1, text);

  gimp_item_attach_parasite (item, parasite);
  gimp_parasite_free (parasite);
}

void
pmt_recipe_attach (JsonObject *recipe, GimpItem *item)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);

  json_node_set_object (node, recipe);
  pmt_recipe_attach_json (node, PMT_RECIPE_PARASITE, item);
}

char *
pmt_recipe_parasite_text (GimpItem *item, const char *name)
{
  GimpParasite *parasite = gimp_item_get_parasite (item, name);
  const char *data;
  guint32 size = 0;
  char *text = NULL;

  if (!parasite)
    return NULL;
  data = gimp_parasite_get_data (parasite, &size);
  if (data && size && g_utf8_validate (data, (gssize) strnlen (data, size), NULL))
    text = g_strndup (data, size);
  gimp_parasite_free (parasite);
  return text;
}

gboolean
pmt_recipe_is_with (GimpItem *item)
{
  g_autofree char *text = pmt_recipe_parasite_text (item, PMT_RECIPE_PARASITE);

  return text != NULL;
}

JsonObject *
pmt_recipe_of (GimpItem *item)
{
  g_autofree char *text = pmt_recipe_parasite_text (item, PMT_RECIPE_PARASITE);
  g_autoptr (JsonNode) node = text ? json_from_string (text, NULL) : NULL;

  return node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_dup_object (node) : NULL;
}

void
pmt_recipe_refuse (GimpLayer *layer, GError **error)
{
  g_autofree char *name = gimp_item_get_name (GIMP_ITEM (layer));

  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The layer “%s” has no recipe: select a layer that Pentimento painted."), name);
}

JsonObject *
pmt_recipe_of_layer (GimpLayer *layer, GError **error)
{
  JsonObject *recipe = pmt_recipe_of (GIMP_ITEM (layer));

  if (!recipe)
    pmt_recipe_refuse (layer, error);
  return recipe;
}

char *
pmt_recipe_to_text (JsonObject *recipe)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);

  json_node_set_object (node, recipe);
  return json_to_string (node, TRUE);
}

JsonObject *
pmt_recipe_copy (JsonObject *recipe)
{
  g_autofree char *text = pmt_recipe_to_text (recipe);
  g_autoptr (JsonNode) node = json_from_string (text, NULL);

  return json_node_dup_object (node);
}
