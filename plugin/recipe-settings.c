/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/recipe-settings.h"

#include "plugin/edit.h"
#include "plugin/fill.h"
#include "plugin/generate.h"
#include "plugin/recipe-boxes.h"
#include "plugin/recipe-method.h"
#include "plugin/recipe.h"
#include "plugin/wishes.h"

const char *
pmt_recipe_procedure (JsonObject *recipe)
{
  const char *task = json_object_get_string_member_with_default (recipe, "task", "");

  if (g_strcmp0 (task, "generate") == 0)
    return PMT_PROCEDURE_GENERATE;
  return g_strcmp0 (task, "edit") == 0 ? PMT_PROCEDURE_EDIT : PMT_PROCEDURE_FILL;
}

static void
reset (GObject *config, GParamSpec *spec)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_PARAM_SPEC_VALUE_TYPE (spec));
  g_param_value_set_default (spec, &value);
  g_object_set_property (config, spec->name, &value);
}

/* What stands for layers, paths and places of the image that the last call was for; and the preset, whose style is in the recipe's prompt. */
static void
forget_last (GObject *config)
{
  guint n = 0;
  g_autofree GParamSpec **specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (config), &n);

  for (guint i = 0; i < n; i++)
    if (g_str_equal (specs[i]->name, "preset") || g_str_has_prefix (specs[i]->name, "boxes") || g_str_has_prefix (specs[i]->name, "control-"))
      reset (config, specs[i]);
}

/* One value into the argument of that name, whatever type each has; nothing when there is no such argument or the value does not fit.
 * What the recipe leaves out was left to the engine, as the default does. */
static void
set (GObject *config, const char *name, JsonNode *node)
{
  GParamSpec *spec = g_object_class_find_property (G_OBJECT_GET_CLASS (config), name);
  g_auto (GValue) from = G_VALUE_INIT, to = G_VALUE_INIT;

  if (spec && !node)
    reset (config, spec);
  if (!spec || !node || !JSON_NODE_HOLDS_VALUE (node))
    return;
  json_node_get_value (node, &from);
  g_value_init (&to, G_PARAM_SPEC_VALUE_TYPE (spec));
  if (!g_value_transform (&from, &to))
    return;
  g_param_value_validate (spec, &to);
  g_object_set_property (config, name, &to);
}

/* Files of learned words, one a line. */
static void
set_embeddings (GObject *config, JsonObject *recipe)
{
  JsonNode *node = json_object_get_member (recipe, "embeddings");
  JsonArray *words = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  g_autoptr (GString) paths = g_string_new (NULL);

  for (guint i = 0; words && i < json_array_get_length (words); i++) {
    JsonNode *element = json_array_get_element (words, i);
    const char *path = JSON_NODE_HOLDS_OBJECT (element) ? json_object_get_string_member_with_default (json_node_get_object (element), "path", "") : "";
    if (path[0])
      g_string_append_printf (paths, "%s%s", paths->len ? "\n" : "", path);
  }
  g_object_set (config, "embeddings", paths->str, NULL);
}

static void
set_methods (GObject *config, JsonObject *recipe)
{
  JsonNode *node = json_object_get_member (recipe, "methods");
  g_autofree char *text = node ? json_to_string (node, FALSE) : g_strdup ("");

  g_object_set (config, "methods", text, NULL);
}

/* The recipe of a generated picture does not say what it started from, only how much of that was painted anew. */
static void
set_source (GObject *config, JsonObject *recipe)
{
  const gboolean picture = json_object_get_double_member_with_default (recipe, "strength", 1) < 1 || pmt_recipe_method (recipe, "diffedit") ||
                           pmt_recipe_method (recipe, "null-text") || pmt_recipe_method (recipe, "edict");

  if (g_strcmp0 (pmt_recipe_procedure (recipe), PMT_PROCEDURE_GENERATE) == 0)
    g_object_set (config, "source", picture ? "visible" : "none", NULL);
}

void
pmt_recipe_to_config (JsonObject *recipe, GimpImage *image, GimpProcedureConfig *config)
{
  static const char *const same[] = { "prompt", "negative-prompt", "model", "strength", "steps", "guidance", "sampler", "seed",
                                      "text-guidance", "image-guidance", "full-size", "full-size-strength", "mode", "prefill", "seam",
                                      "colour-match", "precision" };
  static const char *const of_region[][2] = { { "mode", "context" }, { "grow", "grow" }, { "feather", "feather" } };
  JsonNode *node = json_object_get_member (recipe, "region");
  JsonObject *region = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  GObject *object = G_OBJECT (config);
  int width, height;

  forget_last (object);
  for (gsize i = 0; i < G_N_ELEMENTS (same); i++)
    set (object, same[i], json_object_get_member (recipe, same[i]));
  set (object, "instruction", json_object_get_member (recipe, "prompt"));
  for (gsize i = 0; region && i < G_N_ELEMENTS (of_region); i++)
    set (object, of_region[i][1], json_object_get_member (region, of_region[i][0]));
  if (!region && pmt_recipe_get_size (recipe, &width, &height) && g_object_class_find_property (G_OBJECT_GET_CLASS (object), "width"))
    g_object_set (object, "width", width, "height", height, NULL);
  set_source (object, recipe);
  set_methods (object, recipe);
  set_embeddings (object, recipe);
  pmt_recipe_boxes_to_config (recipe, image, object);
  pmt_wishes_clear (object);
}
