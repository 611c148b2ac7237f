/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/recipe-method.h"

static JsonArray *
methods_of (JsonObject *recipe)
{
  JsonNode *node = json_object_get_member (recipe, "methods");

  return node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}

static gboolean
is (JsonNode *element, const char *id)
{
  return JSON_NODE_HOLDS_OBJECT (element) &&
         g_strcmp0 (json_object_get_string_member_with_default (json_node_get_object (element), "id", ""), id) == 0;
}

JsonObject *
pmt_recipe_method (JsonObject *recipe, const char *id)
{
  JsonArray *methods = methods_of (recipe);

  for (guint i = 0; methods && i < json_array_get_length (methods); i++)
    if (is (json_array_get_element (methods, i), id))
      return json_array_get_object_element (methods, i);
  return NULL;
}

/* All but the one of that id. New reference. */
static JsonArray *
others (JsonObject *recipe, const char *id)
{
  JsonArray *old = methods_of (recipe), *methods = json_array_new ();

  for (guint i = 0; old && i < json_array_get_length (old); i++)
    if (!is (json_array_get_element (old, i), id))
      json_array_add_element (methods, json_node_copy (json_array_get_element (old, i)));
  return methods;
}

void
pmt_recipe_remove_method (JsonObject *recipe, const char *id)
{
  g_autoptr (JsonArray) methods = others (recipe, id);

  if (json_array_get_length (methods))
    json_object_set_array_member (recipe, "methods", g_steal_pointer (&methods));
  else
    json_object_remove_member (recipe, "methods");
}

void
pmt_recipe_put_method (JsonObject *recipe, JsonObject *method)
{
  JsonArray *methods = others (recipe, json_object_get_string_member (method, "id"));

  json_array_add_object_element (methods, method);
  json_object_set_array_member (recipe, "methods", methods);
}
