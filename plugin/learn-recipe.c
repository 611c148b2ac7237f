/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/learn-recipe.h"

#include <glib/gi18n.h>

#include "pentimento/protocol.h"
#include "plugin/error.h"
#include "plugin/learn-pictures.h"
#include "plugin/learn-table.h"
#include "plugin/recipe.h"
#include "ui/fields.h"

char *
pmt_learn_recipe_blob (guint picture)
{
  return g_strdup_printf ("picture-%u", picture);
}

/* What is empty is left to the engine. */
static void
set_text (JsonObject *object, const char *member, GObject *config, const char *property)
{
  g_autofree char *text = NULL;

  g_object_get (config, property, &text, NULL);
  if (text && text[0])
    json_object_set_string_member (object, member, text);
}

static JsonObject *
make_base (GObject *config)
{
  JsonObject *base = json_object_new ();
  int width, height;

  json_object_set_int_member (base, "pentimento", PMT_RECIPE_VERSION);
  json_object_set_string_member (base, "task", "generate");
  set_text (base, "model", config, "model");
  set_text (base, "prompt", config, "prior-prompt");
  if (!pmt_field_is_default (config, "precision"))
    set_text (base, "precision", config, "precision");
  g_object_get (config, "width", &width, "height", &height, NULL);
  if (width > 0 || height > 0) /* one alone is both */
    pmt_recipe_set_size (base, width > 0 ? width : height, height > 0 ? height : width);
  return base;
}

static JsonArray *
list_pictures (GPtrArray *pictures)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < pictures->len; i++) {
    const PmtLearnPicture *picture = pictures->pdata[i];
    JsonObject *object = json_object_new ();
    g_autofree char *blob = pmt_learn_recipe_blob (i);
    json_object_set_string_member (object, "image", blob);
    if (picture->caption[0])
      json_object_set_string_member (object, "caption", picture->caption);
    json_array_add_object_element (array, object);
  }
  return array;
}

static void
set_value (JsonObject *recipe, GObject *config, const char *id)
{
  GParamSpec *spec = g_object_class_find_property (G_OBJECT_GET_CLASS (config), id);
  g_auto (GValue) value = G_VALUE_INIT;

  if (!spec || pmt_field_is_default (config, id))
    return;
  g_value_init (&value, G_PARAM_SPEC_VALUE_TYPE (spec));
  g_object_get_property (config, id, &value);
  if (G_VALUE_HOLDS_BOOLEAN (&value))
    json_object_set_boolean_member (recipe, id, g_value_get_boolean (&value));
  else if (G_VALUE_HOLDS_INT (&value))
    json_object_set_int_member (recipe, id, g_value_get_int (&value));
  else if (G_VALUE_HOLDS_DOUBLE (&value))
    json_object_set_double_member (recipe, id, g_value_get_double (&value));
  else
    json_object_set_string_member (recipe, id, g_value_get_string (&value));
}

JsonObject *
pmt_learn_recipe_new (GObject *config, GPtrArray *pictures, const char *out, GError **error)
{
  JsonArray *params = pmt_learn_table_params ();
  JsonObject *recipe;

  if (json_array_get_length (params) == 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The table of what can be learned is not beside the plug-in: install Pentimento again."));
    return NULL;
  }
  if (!pmt_learn_pictures_check (pictures, error))
    return NULL;
  recipe = json_object_new ();
  json_object_set_int_member (recipe, "pentimento", PMT_RECIPE_VERSION);
  json_object_set_string_member (recipe, "task", "learn");
  set_text (recipe, "kind", config, "kind");
  json_object_set_object_member (recipe, "base", make_base (config));
  json_object_set_array_member (recipe, "pictures", list_pictures (pictures));
  json_object_set_string_member (recipe, "out", out ? out : "");
  for (guint i = 0; i < json_array_get_length (params); i++)
    set_value (recipe, config, json_object_get_string_member (json_array_get_object_element (params, i), "id"));
  return recipe;
}
