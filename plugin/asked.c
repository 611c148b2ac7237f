/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/asked.h"

#include "plugin/recipe.h"
#include "plugin/wishes.h"
#include "ui/fields.h"

/* Arguments whose default leaves the choice to the engine, or to the shape of the place. */
static const char *const automatic[] = { "width",     "height",  "steps", "guidance", "sampler",
                                         "precision", "prefill", "grow",  "feather",  "context", "panorama" };

static void
describe_mask (JsonObject *asked, GObject *config)
{
  g_autofree char *mask = NULL;
  g_autoptr (GimpItem) protect = NULL;

  g_object_get (config, "mask", &mask, "protect", &protect, NULL);
  if (mask && !pmt_field_is_default (config, "mask"))
    json_object_set_string_member (asked, "mask", mask);
  if (protect)
    json_object_set_boolean_member (asked, "protect", TRUE);
}

JsonObject *
pmt_asked_new (GimpProcedureConfig *config)
{
  JsonObject *asked = json_object_new ();
  JsonArray *names = json_array_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (automatic); i++)
    if (pmt_field_exists (config, automatic[i]) && pmt_field_is_default (G_OBJECT (config), automatic[i]))
      json_array_add_string_element (names, automatic[i]);
  json_object_set_string_member (asked, "procedure", gimp_procedure_get_name (gimp_procedure_config_get_procedure (config)));
  json_object_set_array_member (asked, "automatic", names);
  json_object_set_array_member (asked, "wished", pmt_wishes_alone (config));
  if (pmt_field_exists (config, "mask"))
    describe_mask (asked, G_OBJECT (config));
  return asked;
}

static const char *
text_of (JsonObject *asked, const char *member)
{
  JsonNode *node = asked ? json_object_get_member (asked, member) : NULL;

  return node && json_node_get_value_type (node) == G_TYPE_STRING ? json_node_get_string (node) : NULL;
}

const char *
pmt_asked_procedure (JsonObject *asked)
{
  return text_of (asked, "procedure");
}

const char *
pmt_asked_mask (JsonObject *asked)
{
  return text_of (asked, "mask");
}

gboolean
pmt_asked_protects (JsonObject *asked)
{
  return asked && json_object_get_boolean_member_with_default (asked, "protect", FALSE);
}

static gboolean
is_name (JsonNode *element, const char *name)
{
  return json_node_get_value_type (element) == G_TYPE_STRING && g_str_equal (json_node_get_string (element), name);
}

gboolean
pmt_asked_wished (JsonObject *asked, const char *field)
{
  JsonNode *node = asked ? json_object_get_member (asked, "wished") : NULL;
  JsonArray *fields = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  for (guint i = 0; fields && i < json_array_get_length (fields); i++)
    if (is_name (json_array_get_element (fields, i), field))
      return TRUE;
  return FALSE;
}

gboolean
pmt_asked_forgets (JsonObject *asked)
{
  return asked && json_object_get_boolean_member_with_default (asked, "forget", FALSE);
}

JsonObject *
pmt_asked_forget (JsonObject *asked)
{
  JsonObject *forgets = asked ? pmt_recipe_copy (asked) : json_object_new (); /* other results may share it */

  g_clear_pointer (&asked, json_object_unref);
  json_object_set_boolean_member (forgets, "forget", TRUE);
  return forgets;
}

void
pmt_asked_leave (JsonObject *asked, GObject *config)
{
  JsonNode *node = asked ? json_object_get_member (asked, "automatic") : NULL;
  JsonArray *left = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  for (guint i = 0; left && i < json_array_get_length (left); i++)
    for (gsize k = 0; k < G_N_ELEMENTS (automatic); k++)
      if (is_name (json_array_get_element (left, i), automatic[k]))
        pmt_field_reset (config, automatic[k]);
}
