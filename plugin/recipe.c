/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/recipe.h"

#include <glib/gi18n.h>
#include <string.h>

#include "pentimento/protocol.h"
#include "plugin/error.h"

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

static void
describe_fill (JsonObject *recipe, GimpProcedureConfig *config)
{
  double guidance = -1, strength = 1;

  g_object_get (config, "guidance", &guidance, "strength", &strength, NULL);
  json_object_set_string_member (recipe, "task", "fill");
  copy_string (recipe, config, "prompt", TRUE);
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

JsonObject *
pmt_recipe_from_config (GimpProcedureConfig *config, GError **error)
{
  g_autofree char *methods_text = NULL;
  g_autoptr (GError) problem = NULL;
  JsonObject *recipe;
  JsonArray *methods;
  int seed = -1, steps = 0, variants = 1;

  g_object_get (config, "seed", &seed, "steps", &steps, "variants", &variants, "methods", &methods_text, NULL);
  methods = pmt_recipe_parse_methods (methods_text, &problem);
  if (problem) {
    g_propagate_error (error, g_steal_pointer (&problem));
    return NULL;
  }

  recipe = json_object_new ();
  json_object_set_int_member (recipe, "pentimento", PMT_RECIPE_VERSION);
  copy_string (recipe, config, "model", TRUE);
  if (g_object_class_find_property (G_OBJECT_GET_CLASS (config), "instruction"))
    describe_edit (recipe, config);
  else
    describe_fill (recipe, config);
  copy_string (recipe, config, "negative-prompt", FALSE);
  copy_string (recipe, config, "sampler", FALSE);
  json_object_set_int_member (recipe, "seed", seed >= 0 ? seed : g_random_int_range (0, G_MAXINT));
  json_object_set_int_member (recipe, "variants", variants);
  if (steps > 0)
    json_object_set_int_member (recipe, "steps", steps);
  if (methods)
    json_object_set_array_member (recipe, "methods", methods);
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

void
pmt_recipe_set_region (JsonObject *recipe, GimpProcedureConfig *config, const PmtRect *canvas, const PmtRect *selection, const PmtRect *context)
{
  JsonObject *region = json_object_new ();
  JsonArray *size = json_array_new ();
  g_autofree char *mode = NULL;
  double grow = -1, feather = -1;

  g_object_get (config, "context", &mode, "grow", &grow, "feather", &feather, NULL);
  json_array_add_int_element (size, canvas->width);
  json_array_add_int_element (size, canvas->height);
  json_object_set_array_member (region, "canvas", size);
  json_object_set_array_member (region, "selection", rect_to_json (selection));
  json_object_set_string_member (region, "mode", mode ? mode : "auto");
  json_object_set_double_member (region, "grow", grow);
  json_object_set_double_member (region, "feather", feather);
  if (context)
    json_object_set_array_member (region, "context", rect_to_json (context));
  json_object_set_object_member (recipe, "region", region);
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

char *
pmt_recipe_layer_name (JsonObject *recipe, gint64 seed)
{
  const char *prompt = json_object_get_string_member_with_default (recipe, "prompt", "");
  g_autofree char *line = g_strstrip (g_strdelimit (g_strdup (prompt ? prompt : ""), "\r\n\t", ' '));
  g_autofree char *cut = NULL;
  g_autofree char *number = g_strdup_printf ("%" G_GINT64_FORMAT, seed);

  if (g_utf8_strlen (line, -1) > NAME_LENGTH) {
    g_autofree char *start = g_utf8_substring (line, 0, NAME_LENGTH - 1);
    cut = g_strconcat (g_strchomp (start), "…", NULL);
  }
  if (g_strcmp0 (json_object_get_string_member_with_default (recipe, "task", "fill"), "edit") == 0) {
    if (seed < 0)
      return line[0] ? g_strdup_printf (_("Edit: %s"), cut ? cut : line) : g_strdup (_("Edit"));
    return line[0] ? g_strdup_printf (_("Edit: %s (%s)"), cut ? cut : line, number) : g_strdup_printf (_("Edit (%s)"), number);
  }
  if (seed < 0)
    return line[0] ? g_strdup_printf (_("Fill: %s"), cut ? cut : line) : g_strdup (_("Fill"));
  return line[0] ? g_strdup_printf (_("Fill: %s (%s)"), cut ? cut : line, number) : g_strdup_printf (_("Fill (%s)"), number);
}

void
pmt_recipe_attach (JsonObject *recipe, GimpItem *item)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *text = NULL;
  GimpParasite *parasite;

  json_node_set_object (node, recipe);
  text = json_to_string (node, FALSE);
  parasite = gimp_parasite_new (PMT_RECIPE_PARASITE, GIMP_PARASITE_PERSISTENT | GIMP_PARASITE_UNDOABLE, (guint32) strlen (text) + 1, text);
  gimp_item_attach_parasite (item, parasite);
  gimp_parasite_free (parasite);
}
