/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/recipe-layer.h"

#include <glib/gi18n.h>

#include "plugin/capture.h"
#include "plugin/error.h"

gboolean
pmt_recipe_check (GimpImage *image, GimpDrawable **drawables, GError **error)
{
  const char *problem = NULL;
  GimpLayer *layer;

  if (!pmt_capture_check (image, drawables, FALSE, error))
    return FALSE;
  layer = pmt_capture_active_layer (image, drawables);
  if (gimp_core_object_array_get_length ((GObject **) drawables) > 1)
    problem = _("Several layers are selected: select the one whose recipe is meant.");
  else if (!layer)
    problem = _("No layer is selected: select one that Pentimento painted.");
  else if (!gimp_item_is_valid (GIMP_ITEM (layer)))
    problem = _("The layer was removed: select another one and start again.");
  if (problem)
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, problem);
  return !problem;
}

/* The item itself, or the topmost visible one of a group, if that was painted; NULL otherwise. */
static GimpItem *
painted (GimpItem *item)
{
  g_autofree GimpItem **children = NULL;

  if (!gimp_item_is_group (item) || pmt_recipe_is_with (item))
    return pmt_recipe_is_with (item) ? item : NULL;
  children = gimp_item_get_children (item);
  for (gsize i = 0; children && children[i]; i++)
    if (gimp_item_get_visible (children[i]))
      return pmt_recipe_is_with (children[i]) ? children[i] : NULL;
  return children && children[0] && pmt_recipe_is_with (children[0]) ? children[0] : NULL;
}

/* What was painted lies directly above: upwards until there is something else. What is hidden counts where nothing else was painted. */
static GimpItem *
painted_above (GimpImage *image, GimpItem *item)
{
  GimpItem *parent = gimp_item_get_parent (item), *seen = NULL, *hidden = NULL;
  g_autofree GimpItem **items = parent ? gimp_item_get_children (parent) : (GimpItem **) gimp_image_get_layers (image);

  for (int i = gimp_image_get_item_position (image, item) - 1; items && i >= 0; i--) {
    GimpItem *found = painted (items[i]);
    if (!found)
      break;
    if (gimp_item_get_visible (items[i]))
      seen = found;
    else
      hidden = found;
  }
  return seen ? seen : hidden;
}

GimpLayer *
pmt_recipe_layer (GimpImage *image, GimpDrawable **drawables, GError **error)
{
  GimpItem *active, *found;

  if (!pmt_recipe_check (image, drawables, error))
    return NULL;
  active = GIMP_ITEM (pmt_capture_active_layer (image, drawables));
  found = painted (active);
  if (!found)
    found = painted_above (image, active);
  if (!found)
    pmt_recipe_refuse (GIMP_LAYER (active), error);
  return found ? GIMP_LAYER (found) : NULL;
}

gboolean
pmt_recipe_read (GimpImage *image, GimpDrawable **drawables, GimpLayer **layer, JsonObject **recipe, PmtInputs **inputs, GError **error)
{
  *inputs = NULL;
  *layer = pmt_recipe_layer (image, drawables, error);
  *recipe = *layer ? pmt_recipe_of_layer (*layer, error) : NULL;
  if (*recipe)
    *inputs = pmt_inputs_read (*layer, error);
  if (*inputs)
    return TRUE;
  g_clear_pointer (recipe, json_object_unref);
  return FALSE;
}
