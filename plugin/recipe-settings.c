/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/recipe-settings.h"

#include <glib/gi18n.h>
#include <math.h>

#include "plugin/asked.h"
#include "plugin/capture.h"
#include "plugin/describe.h"
#include "plugin/edit.h"
#include "plugin/fill.h"
#include "plugin/generate.h"
#include "plugin/last-settings.h"
#include "plugin/modes.h"
#include "plugin/recipe-boxes.h"
#include "plugin/recipe-controls.h"
#include "plugin/recipe-method.h"
#include "plugin/recipe.h"
#include "plugin/wishes.h"
#include "ui/fields.h"

/* By how much two shapes may differ: sizes are rounded. */
#define SAME_SHAPE 0.06

/* ---- which dialog ---- */

static const char *
fill_procedure (JsonObject *recipe, const char *asked)
{
  const PmtMode *mode = pmt_mode_find (json_object_get_string_member_with_default (recipe, "mode", ""));

  /* only its own dialog can say by how much the canvas grows */
  if (!mode || (g_strcmp0 (asked, PMT_PROCEDURE_FILL) == 0 && !mode->uncovered))
    return PMT_PROCEDURE_FILL;
  return mode->procedure;
}

const char *
pmt_recipe_procedure (JsonObject *recipe, const PmtInputs *inputs)
{
  const char *task = json_object_get_string_member_with_default (recipe, "task", ""), *asked = inputs ? pmt_asked_procedure (inputs->asked) : NULL;

  if (g_strcmp0 (task, "edit") == 0)
    return PMT_PROCEDURE_EDIT;
  if (g_strcmp0 (task, "generate") != 0)
    return fill_procedure (recipe, asked);
  return pmt_describe_method (recipe) && g_strcmp0 (asked, PMT_PROCEDURE_GENERATE) != 0 ? PMT_PROCEDURE_DESCRIBE : PMT_PROCEDURE_GENERATE;
}

/* ---- its arguments ---- */

/* What stands for layers, paths and places of the image that the last call was for; and the preset, whose style is in the recipe's prompt. */
static void
forget_last (GObject *config)
{
  static const char *const begins[] = { "preset", "boxes", "control-", "mask", "protect", "context-path", "source", "grow-" };
  guint n = 0;
  g_autofree GParamSpec **specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (config), &n);

  for (guint i = 0; i < n; i++)
    for (gsize k = 0; k < G_N_ELEMENTS (begins); k++)
      if (g_str_has_prefix (specs[i]->name, begins[k]))
        pmt_field_reset (config, specs[i]->name);
}

void
pmt_recipe_value_to_config (GObject *config, const char *name, JsonNode *node)
{
  GParamSpec *spec = g_object_class_find_property (G_OBJECT_GET_CLASS (config), name);
  g_auto (GValue) from = G_VALUE_INIT, to = G_VALUE_INIT;

  if (spec && !node)
    pmt_field_reset (config, name);
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

static void
add_missing (GString *missing, const char *what)
{
  g_string_append_printf (missing, "%s%s", missing->len ? ", " : "", what);
}

/* Where the inputs do not say what a generated picture started from, it is known by how much of that was painted anew. */
static void
set_source (GObject *config, JsonObject *recipe, const PmtInputs *inputs, GimpLayer *layer, GString *missing)
{
  const gboolean started = json_object_get_double_member_with_default (recipe, "strength", 1) < 1 || pmt_describe_method (recipe);
  PmtSource source = started || !pmt_field_exists (config, "boxes-from-paths") ? PMT_SOURCE_VISIBLE : PMT_SOURCE_NONE;

  if (inputs)
    source = inputs->source;
  if (source == PMT_SOURCE_LAYER && !layer) {
    source = PMT_SOURCE_VISIBLE;
    add_missing (missing, _("the layer that was the source"));
  }
  g_object_set (config, "source", pmt_source_name (source), NULL);
  if (source == PMT_SOURCE_NONE)
    pmt_field_reset (config, "strength"); /* of nothing, everything is painted anew */
}

static gboolean
has_shape (GimpImage *image, int width, int height)
{
  PmtRect canvas, place;

  pmt_capture_bounds (image, &canvas, &place);
  return fabs ((double) place.width / place.height * height / width - 1) < SAME_SHAPE;
}

static void
set_size (GObject *config, JsonObject *recipe, const PmtInputs *inputs, GimpImage *image)
{
  int width = 0, height = 0;

  if (!pmt_recipe_get_size (recipe, &width, &height) || (!(inputs && pmt_asked_procedure (inputs->asked)) && !has_shape (image, width, height)))
    width = height = 0;
  g_object_set (config, "width", width, "height", height, NULL);
}

static void
set_region (GObject *config, JsonObject *recipe)
{
  static const char *const of_region[][2] = { { "mode", "context" }, { "grow", "grow" }, { "feather", "feather" } };
  JsonNode *node = json_object_get_member (recipe, "region");
  JsonObject *region = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;

  for (gsize i = 0; region && i < G_N_ELEMENTS (of_region); i++)
    pmt_recipe_value_to_config (config, of_region[i][1], json_object_get_member (region, of_region[i][0]));
}

/* By as many pixels as the canvas grew then. */
static void
set_growth (GObject *config, const PmtInputs *inputs)
{
  const PmtRect *before = &inputs->before;

  if (before->width)
    g_object_set (config, "grow-left", (double) before->x, "grow-top", (double) before->y, "grow-right",
                  (double) (inputs->canvas.width - before->x - before->width), "grow-bottom",
                  (double) (inputs->canvas.height - before->y - before->height), NULL);
}

/* A kind of mask that is no item of the image comes back. */
static void
set_mask (GObject *config, JsonObject *asked, GimpLayer *layer, GString *missing)
{
  const char *mask = pmt_asked_mask (asked);

  if ((g_strcmp0 (mask, "layer-mask") == 0 && layer) || g_strcmp0 (mask, "uncovered") == 0)
    g_object_set (config, "mask", mask, NULL);
  else if (mask)
    add_missing (missing, _("the mask"));
  if (pmt_asked_protects (asked))
    add_missing (missing, _("what was protected"));
}

gboolean
pmt_recipe_names_layer (const PmtInputs *inputs)
{
  return inputs && (inputs->source == PMT_SOURCE_LAYER || g_strcmp0 (pmt_asked_mask (inputs->asked), "layer-mask") == 0);
}

char *
pmt_recipe_to_config (JsonObject *recipe, const PmtInputs *inputs, GimpImage *image, GimpLayer *layer, GimpProcedureConfig *config)
{
  static const char *const same[] = { "prompt", "negative-prompt", "model", "strength", "steps", "guidance", "sampler", "seed",
                                      "text-guidance", "image-guidance", "full-size", "full-size-strength", "mode", "prefill", "seam",
                                      "colour-match", "precision" };
  JsonObject *asked = inputs ? inputs->asked : NULL;
  g_autoptr (GString) missing = g_string_new (NULL);
  g_autoptr (JsonObject) rest = pmt_recipe_copy (recipe); /* what no field of its own says */
  GObject *object = G_OBJECT (config);

  forget_last (object);
  for (gsize i = 0; i < G_N_ELEMENTS (same); i++)
    pmt_recipe_value_to_config (object, same[i], json_object_get_member (recipe, same[i]));
  pmt_recipe_value_to_config (object, "instruction", json_object_get_member (recipe, "prompt"));
  set_region (object, recipe);
  if (pmt_field_exists (object, "source"))
    set_source (object, recipe, inputs, layer, missing);
  if (pmt_field_exists (object, "width"))
    set_size (object, recipe, inputs, image);
  if (pmt_field_exists (object, "grow-left") && inputs)
    set_growth (object, inputs);
  if (pmt_field_exists (object, "mask"))
    set_mask (object, asked, layer, missing);
  pmt_wishes_from_recipe (rest, asked, object);
  if (pmt_field_exists (object, "methods"))
    set_methods (object, rest);
  if (pmt_field_exists (object, "embeddings"))
    set_embeddings (object, recipe);
  if (pmt_field_exists (object, "shows"))
    pmt_describe_from_recipe (recipe, object);
  if (pmt_field_exists (object, "control-source"))
    pmt_recipe_controls_to_config (recipe, inputs, image, object, missing);
  pmt_recipe_boxes_to_config (recipe, image, object);
  pmt_asked_leave (asked, object);
  if (pmt_asked_forgets (asked))
    pmt_last_settings_forget_once (config);
  return missing->len ? g_strdup_printf (_("Not brought back: %s. Choose it again where it is wanted."), missing->str) : NULL;
}
