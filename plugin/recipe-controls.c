/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/recipe-controls.h"

#include <glib/gi18n.h>

#include "plugin/controls.h"
#include "plugin/recipe-settings.h"

/* By the name of its picture; NULL: the inputs do not know it. */
static const PmtControl *
find (const PmtInputs *inputs, const char *blob)
{
  for (guint i = 0; inputs && i < inputs->controls->len; i++) {
    const PmtControl *control = g_ptr_array_index (inputs->controls, i);
    if (g_strcmp0 (control->blob, blob) == 0)
      return control;
  }
  return NULL;
}

static gboolean
is_there (const PmtControl *control, GimpImage *image)
{
  return control && (control->source != PMT_CONTROL_LAYER ||
                     (control->layer && gimp_item_is_valid (GIMP_ITEM (control->layer)) && gimp_item_get_image (GIMP_ITEM (control->layer)) == image));
}

static void
add_missing (GString *missing, const PmtControl *control)
{
  if (missing->len)
    g_string_append (missing, ", ");
  if (control && control->layer_name)
    g_string_append_printf (missing, _("the control picture “%s”"), control->layer_name);
  else
    g_string_append (missing, _("a control picture"));
}

static void
set_control (GObject *config, int n, JsonObject *object, gboolean reference)
{
  static const char *const members[] = { "type", "model", "preprocess", "strength", "start", "end" };

  for (gsize i = 0; i < G_N_ELEMENTS (members); i++) {
    g_autofree char *argument = pmt_controls_argument (members[i], n);
    pmt_recipe_value_to_config (config, argument, json_object_get_member (object, members[i]));
  }
  if (reference) {
    g_autofree char *type = pmt_controls_argument ("type", n);
    g_object_set (config, type, "reference", NULL);
  }
}

static void
set_picture (GObject *config, int n, const PmtControl *control)
{
  g_autofree char *source = pmt_controls_argument ("source", n), *layer = pmt_controls_argument ("layer", n);

  g_object_set (config, source, pmt_controls_source (control->source), layer, control->source == PMT_CONTROL_LAYER ? control->layer : NULL, NULL);
}

void
pmt_recipe_controls_to_config (JsonObject *recipe, const PmtInputs *inputs, GimpImage *image, GObject *config, GString *missing)
{
  static const char *const lists[] = { "controls", "references" };
  int n = 0;

  for (gsize k = 0; k < G_N_ELEMENTS (lists); k++) {
    JsonNode *node = json_object_get_member (recipe, lists[k]);
    JsonArray *array = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
    for (guint i = 0; array && i < json_array_get_length (array) && n < PMT_CONTROLS; i++) {
      JsonNode *element = json_array_get_element (array, i);
      JsonObject *object = JSON_NODE_HOLDS_OBJECT (element) ? json_node_get_object (element) : NULL;
      const PmtControl *control = object ? find (inputs, json_object_get_string_member_with_default (object, "image", "")) : NULL;
      if (!object)
        continue;
      set_control (config, n, object, k == 1);
      if (is_there (control, image))
        set_picture (config, n, control);
      else
        add_missing (missing, control);
      n++;
    }
  }
}
