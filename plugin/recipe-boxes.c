/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/recipe-boxes.h"

#include "plugin/capture.h"
#include "plugin/recipe-method.h"
#include "ui/box-list.h"
#include "ui/fields.h"

static JsonArray *
boxes_of (JsonObject *object)
{
  JsonNode *node = json_object_get_member (object, "boxes");

  return node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}

static JsonObject *
layout_of (JsonObject *recipe)
{
  JsonNode *node = json_object_get_member (recipe, "layout");

  return node && JSON_NODE_HOLDS_OBJECT (node) && boxes_of (json_node_get_object (node)) ? json_node_get_object (node) : NULL;
}

static JsonArray *
regions_of (JsonObject *recipe)
{
  JsonNode *node = json_object_get_member (recipe, "region-prompts");

  return node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}

/* One {box, phrase or prompt} of a picture that covers area. */
static void
add_box (GPtrArray *list, JsonNode *element, const char *words, const PmtRect *canvas, const PmtRect *area)
{
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (element) ? json_node_get_object (element) : NULL;
  JsonNode *node = object ? json_object_get_member (object, "box") : NULL, *text = object ? json_object_get_member (object, words) : NULL;
  JsonArray *box = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  double sides[4];

  if (!box || json_array_get_length (box) != G_N_ELEMENTS (sides) || !text || json_node_get_value_type (text) != G_TYPE_STRING)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (sides); i++) {
    JsonNode *side = json_array_get_element (box, i);
    const double v = JSON_NODE_HOLDS_VALUE (side) ? json_node_get_double (side) : 0;
    const int from = i % 2 ? area->y : area->x, size = i % 2 ? area->height : area->width, whole = i % 2 ? canvas->height : canvas->width;
    sides[i] = CLAMP ((from + v * size) / whole, 0, 1);
  }
  if (sides[2] > sides[0] && sides[3] > sides[1])
    pmt_box_list_add (list, sides[0], sides[1], sides[2], sides[3], json_node_get_string (text));
}

/* A method that reads the boxes stays in the list of methods, with its parameters: pmt_boxes_place() leaves it as it is. */
static const char *
method_of (JsonObject *recipe)
{
  static const char *const by_attention[] = { "layout-forward", "layout-backward" };

  for (gsize i = 0; i < G_N_ELEMENTS (by_attention); i++)
    if (pmt_recipe_method (recipe, by_attention[i]))
      return by_attention[i];
  return "gligen";
}

void
pmt_recipe_boxes_to_config (JsonObject *recipe, GimpImage *image, GObject *config)
{
  JsonObject *layout = layout_of (recipe);
  JsonArray *boxes = layout ? boxes_of (layout) : regions_of (recipe);
  g_autoptr (GPtrArray) list = pmt_box_list_new ();
  g_autofree char *text = NULL;
  PmtRect canvas, area;

  if (!pmt_field_exists (config, "boxes") || !boxes)
    return;
  pmt_capture_bounds (image, &canvas, &area);
  for (guint i = 0; i < json_array_get_length (boxes) && list->len < PMT_BOX_LIST_MOST; i++)
    add_box (list, json_array_get_element (boxes, i), layout ? "phrase" : "prompt", &canvas, &area);
  text = pmt_box_list_to_text (list);
  if (!text[0])
    return;
  g_object_set (config, "boxes", text, NULL);
  if (!layout) {
    g_object_set (config, "boxes-method", "regions", NULL);
    return;
  }
  g_object_set (config, "boxes-method", method_of (recipe), "boxes-model", json_object_get_string_member_with_default (layout, "model", ""),
                "boxes-until", CLAMP (json_object_get_double_member_with_default (layout, "beta", 0.3), 0, 1), NULL);
}
