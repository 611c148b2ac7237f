/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/recipe-settings.h"

#include "plugin/edit.h"
#include "plugin/fill.h"
#include "plugin/generate.h"
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

/* One value into the argument of that name, whatever type each has; nothing when there is no such argument or the value does not fit. */
static void
set (GObject *config, const char *name, JsonNode *node)
{
  GParamSpec *spec = g_object_class_find_property (G_OBJECT_GET_CLASS (config), name);
  g_auto (GValue) from = G_VALUE_INIT, to = G_VALUE_INIT;

  if (!spec || !node || !JSON_NODE_HOLDS_VALUE (node))
    return;
  json_node_get_value (node, &from);
  g_value_init (&to, G_PARAM_SPEC_VALUE_TYPE (spec));
  if (!g_value_transform (&from, &to))
    return;
  g_param_value_validate (spec, &to);
  g_object_set_property (config, name, &to);
}

static void
set_methods (GObject *config, JsonObject *recipe)
{
  JsonNode *node = json_object_get_member (recipe, "methods");
  g_autofree char *text = node ? json_to_string (node, FALSE) : g_strdup ("");

  g_object_set (config, "methods", text, NULL);
}

void
pmt_recipe_to_config (JsonObject *recipe, GimpProcedureConfig *config)
{
  static const char *const same[] = { "prompt", "negative-prompt", "model", "strength", "steps", "guidance", "sampler", "seed",
                                      "text-guidance", "image-guidance", "full-size", "full-size-strength" };
  static const char *const of_region[][2] = { { "mode", "context" }, { "grow", "grow" }, { "feather", "feather" } };
  JsonNode *node = json_object_get_member (recipe, "region");
  JsonObject *region = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  GObject *object = G_OBJECT (config);
  int width, height;

  for (gsize i = 0; i < G_N_ELEMENTS (same); i++)
    set (object, same[i], json_object_get_member (recipe, same[i]));
  set (object, "instruction", json_object_get_member (recipe, "prompt"));
  for (gsize i = 0; region && i < G_N_ELEMENTS (of_region); i++)
    set (object, of_region[i][1], json_object_get_member (region, of_region[i][0]));
  if (!region && pmt_recipe_get_size (recipe, &width, &height) && g_object_class_find_property (G_OBJECT_GET_CLASS (object), "width"))
    g_object_set (object, "width", width, "height", height, NULL);
  set_methods (object, recipe);
  pmt_wishes_clear (object);
}
