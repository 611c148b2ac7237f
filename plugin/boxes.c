/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/boxes.h"

#include <glib/gi18n.h>
#include <string.h>

#include "plugin/error.h"
#include "plugin/layer-boxes.h"
#include "plugin/paths.h"
#include "ui/box-list.h"
#include "ui/fields.h"

#define MOST_REGIONS 16

struct PmtBoxes {
  GPtrArray *entries; /* in parts of the canvas */
  gboolean paths;
  GimpLayer *group;
  char *method, *model;
  double until;
  char *prompt; /* the recipe's own, from the first time it is placed */
};

/* What "auto" is. */
static const char *
way_of (const char *method, const char *model)
{
  if (method && !g_str_equal (method, "auto"))
    return method;
  return model && model[0] ? "gligen" : "layout-forward";
}

static gboolean
has_entries (const char *text)
{
  g_autoptr (GPtrArray) entries = pmt_box_list_new ();
  g_autofree char *problem = NULL;

  return text && pmt_box_list_parse (entries, text, &problem) && entries->len > 0;
}

const char *
pmt_boxes_way (GimpProcedureConfig *config)
{
  g_autofree char *text = NULL, *method = NULL, *model = NULL;
  g_autoptr (GimpLayer) group = NULL;
  gboolean paths = FALSE;

  if (!pmt_field_exists (config, "boxes"))
    return NULL;
  g_object_get (config, "boxes", &text, "boxes-from-paths", &paths, "boxes-from-group", &group, "boxes-method", &method, "boxes-model", &model, NULL);
  return paths || group || has_entries (text) ? g_intern_string (way_of (method, model)) : NULL;
}

gboolean
pmt_boxes_read (GimpProcedureConfig *config, GimpImage *image, PmtBoxes **boxes, GError **error)
{
  g_autofree char *text = NULL, *problem = NULL;
  PmtBoxes *read = g_new0 (PmtBoxes, 1);
  gboolean good;

  read->entries = pmt_box_list_new ();
  g_object_get (config, "boxes", &text, "boxes-from-paths", &read->paths, "boxes-from-group", &read->group, "boxes-method", &read->method, "boxes-model", &read->model,
                "boxes-until", &read->until, NULL);
  *boxes = NULL;
  good = pmt_box_list_parse (read->entries, text, &problem);
  if (good && read->group && (!gimp_item_is_valid (GIMP_ITEM (read->group)) || gimp_item_get_image (GIMP_ITEM (read->group)) != image)) {
    problem = g_strdup_printf (_("What was chosen for “%s” belongs to another image: choose something of this image."), "boxes-from-group");
    good = FALSE;
  }
  for (guint i = 0; good && i < read->entries->len; i++) {
    const PmtBoxEntry *entry = g_ptr_array_index (read->entries, i);
    g_autofree char *phrase = g_strstrip (g_strdup (entry->phrase));
    if (!phrase[0]) {
      problem = g_strdup_printf (_("Layout box %u has no phrase: write what belongs there, or delete the box."), i + 1);
      good = FALSE;
    }
  }
  if (good && (read->entries->len > 0 || read->paths || read->group)) {
    *boxes = read;
    return TRUE;
  }
  pmt_boxes_free (read);
  if (!good)
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, problem);
  return good;
}

void
pmt_boxes_free (PmtBoxes *boxes)
{
  if (!boxes)
    return;
  g_ptr_array_unref (boxes->entries);
  g_clear_object (&boxes->group);
  g_free (boxes->method);
  g_free (boxes->model);
  g_free (boxes->prompt);
  g_free (boxes);
}

/* ---- what lies in the area ---- */

static JsonObject *
box_in (const PmtBoxEntry *entry, const PmtRect *canvas, const PmtRect *area)
{
  const double sides[] = { (entry->x0 * canvas->width - area->x) / area->width, (entry->y0 * canvas->height - area->y) / area->height,
                           (entry->x1 * canvas->width - area->x) / area->width, (entry->y1 * canvas->height - area->y) / area->height };
  JsonArray *array;
  JsonObject *object;

  if (sides[2] <= 0 || sides[3] <= 0 || sides[0] >= 1 || sides[1] >= 1)
    return NULL;
  object = json_object_new ();
  array = json_array_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (sides); i++)
    json_array_add_double_element (array, CLAMP (sides[i], 0, 1));
  json_object_set_array_member (object, "box", array);
  json_object_set_string_member (object, "phrase", entry->phrase);
  return object;
}

/* New reference, or NULL + error. */
static JsonArray *
all_boxes (const PmtBoxes *boxes, GimpImage *image, const PmtRect *canvas, const PmtRect *area, guint most, GError **error)
{
  g_autoptr (JsonArray) all = boxes->paths ? pmt_paths_boxes (image, area, error) : json_array_new ();
  g_autoptr (JsonArray) layers = all && boxes->group ? pmt_layer_boxes (boxes->group, area, error) : NULL;
  guint n;

  if (!all || (boxes->group && !layers))
    return NULL;
  for (guint i = 0; layers && i < json_array_get_length (layers); i++)
    json_array_add_element (all, json_node_copy (json_array_get_element (layers, i)));
  for (guint i = 0; i < boxes->entries->len; i++) {
    JsonObject *object = box_in (g_ptr_array_index (boxes->entries, i), canvas, area);
    if (object)
      json_array_add_object_element (all, object);
  }
  n = json_array_get_length (all);
  if (n > 0 && n <= most)
    return g_steal_pointer (&all);
  if (n == 0)
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT,
                         _("No layout box lies in the selection: move one there, select another place, or delete the boxes."));
  else
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("There are %u layout boxes and this way of using them takes at most %u: delete some."), n,
                 most);
  return NULL;
}

/* ---- into the recipe ---- */

/* Whole words, whatever their case. */
static gboolean
says (const char *prompt, const char *phrase)
{
  g_autofree char *escaped = g_regex_escape_string (phrase, -1), *pattern = g_strconcat ("(?<!\\w)", escaped, "(?!\\w)", NULL);
  g_autoptr (GRegex) regex = g_regex_new (pattern, G_REGEX_CASELESS, 0, NULL);

  return regex && g_regex_match (regex, prompt, 0, NULL);
}

static void
say_phrases (const PmtBoxes *boxes, JsonObject *recipe, JsonArray *all)
{
  g_autoptr (GString) prompt = g_string_new (boxes->prompt);

  for (guint i = 0; i < json_array_get_length (all); i++) {
    const char *phrase = json_object_get_string_member (json_array_get_object_element (all, i), "phrase");
    if (!says (prompt->str, phrase))
      g_string_append_printf (prompt, "%s%s", prompt->len ? ", " : "", phrase);
  }
  json_object_set_string_member (recipe, "prompt", prompt->str);
}

static void
add_method (JsonObject *recipe, const char *id)
{
  JsonArray *methods = json_object_has_member (recipe, "methods") ? json_object_get_array_member (recipe, "methods") : NULL;
  JsonObject *method;

  for (guint i = 0; methods && i < json_array_get_length (methods); i++) {
    JsonNode *node = json_array_get_element (methods, i);
    if (JSON_NODE_HOLDS_OBJECT (node) && g_strcmp0 (json_object_get_string_member_with_default (json_node_get_object (node), "id", ""), id) == 0)
      return; /* with the user's own parameters, or placed before */
  }
  if (!methods) {
    methods = json_array_new ();
    json_object_set_array_member (recipe, "methods", methods);
  }
  method = json_object_new ();
  json_object_set_string_member (method, "id", id);
  json_array_add_object_element (methods, method);
}

/* Takes all. */
static void
set_layout (const PmtBoxes *boxes, JsonObject *recipe, gboolean network, JsonArray *all)
{
  JsonObject *layout = json_object_new ();

  if (network && boxes->model && boxes->model[0])
    json_object_set_string_member (layout, "model", boxes->model);
  json_object_set_double_member (layout, "beta", boxes->until);
  json_object_set_array_member (layout, "boxes", all);
  json_object_set_object_member (recipe, "layout", layout);
}

/* Takes all. */
static void
set_regions (JsonObject *recipe, JsonArray *all)
{
  for (guint i = 0; i < json_array_get_length (all); i++) {
    JsonObject *object = json_array_get_object_element (all, i);
    json_object_set_string_member (object, "prompt", json_object_get_string_member (object, "phrase"));
    json_object_remove_member (object, "phrase");
  }
  json_object_set_array_member (recipe, "region-prompts", all);
}

gboolean
pmt_boxes_place (PmtBoxes *boxes, JsonObject *recipe, GimpImage *image, const PmtRect *canvas, const PmtRect *area, GError **error)
{
  const char *method = way_of (boxes->method, boxes->model);
  const gboolean regions = g_str_equal (method, "regions");
  JsonArray *all = all_boxes (boxes, image, canvas, area, regions ? MOST_REGIONS : PMT_BOX_LIST_MOST, error);

  if (!all)
    return FALSE;
  if (!boxes->prompt)
    boxes->prompt = g_strdup (json_object_get_string_member_with_default (recipe, "prompt", ""));
  if (regions) {
    set_regions (recipe, all);
    return TRUE;
  }
  if (!g_str_equal (method, "gligen")) {
    say_phrases (boxes, recipe, all);
    add_method (recipe, method);
  }
  set_layout (boxes, recipe, g_str_equal (method, "gligen"), all);
  return TRUE;
}
