/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/blend-space.h"

/* GIMP mixes each layer into the picture below it as floats, linear or encoded as the layer asks. A fully masked layer leaves these
 * floats alone, but a change of encoding on the way there and back costs the last bit. So a new layer works in the encoding that the
 * pixels have at this point anyway: that of the next layer above, which would have asked for it; without one, that of the layer
 * below. The lowest layer's pixels come as the image stores them as long as nothing is under it; a flattened copy puts a background
 * there, and then they come as that layer asked. Up to 16 bits both ways are exact in the latter's encoding, floats are in their own.
 * (Of 32-bit integers and doubles GIMP keeps 24 bits under any layer; in the latter's encoding a flattened copy stays as it was.) */

static gboolean
is_legacy (GimpLayerMode mode)
{
  switch (mode) {
    case GIMP_LAYER_MODE_NORMAL_LEGACY:
    case GIMP_LAYER_MODE_DISSOLVE:
    case GIMP_LAYER_MODE_BEHIND_LEGACY:
    case GIMP_LAYER_MODE_MULTIPLY_LEGACY:
    case GIMP_LAYER_MODE_SCREEN_LEGACY:
    case GIMP_LAYER_MODE_OVERLAY_LEGACY:
    case GIMP_LAYER_MODE_DIFFERENCE_LEGACY:
    case GIMP_LAYER_MODE_ADDITION_LEGACY:
    case GIMP_LAYER_MODE_SUBTRACT_LEGACY:
    case GIMP_LAYER_MODE_DARKEN_ONLY_LEGACY:
    case GIMP_LAYER_MODE_LIGHTEN_ONLY_LEGACY:
    case GIMP_LAYER_MODE_HSV_HUE_LEGACY:
    case GIMP_LAYER_MODE_HSV_SATURATION_LEGACY:
    case GIMP_LAYER_MODE_HSL_COLOR_LEGACY:
    case GIMP_LAYER_MODE_HSV_VALUE_LEGACY:
    case GIMP_LAYER_MODE_DIVIDE_LEGACY:
    case GIMP_LAYER_MODE_DODGE_LEGACY:
    case GIMP_LAYER_MODE_BURN_LEGACY:
    case GIMP_LAYER_MODE_HARDLIGHT_LEGACY:
    case GIMP_LAYER_MODE_SOFTLIGHT_LEGACY:
    case GIMP_LAYER_MODE_GRAIN_EXTRACT_LEGACY:
    case GIMP_LAYER_MODE_GRAIN_MERGE_LEGACY:
    case GIMP_LAYER_MODE_COLOR_ERASE_LEGACY:
      return TRUE;
    default:
      return FALSE;
  }
}

static GimpLayerColorSpace
space_of (GimpLayer *layer)
{
  GimpLayerColorSpace space = gimp_layer_get_composite_space (layer);

  if (space != GIMP_LAYER_COLOR_SPACE_AUTO)
    return space;
  return is_legacy (gimp_layer_get_mode (layer)) ? GIMP_LAYER_COLOR_SPACE_RGB_NON_LINEAR : GIMP_LAYER_COLOR_SPACE_RGB_LINEAR;
}

/* With a profile that is not GIMP's own, conversion is by a curve that is not always undone to the last bit whatever a layer asks; these
 * are the choices that cost least: nothing at 8 bits and in floats of colour, one step of 65535 here and there in others. */
static GimpLayerColorSpace
space_with_profile (GimpImage *image, GimpLayer *lowest)
{
  const gboolean gray = gimp_image_get_base_type (image) == GIMP_GRAY;

  switch (gimp_image_get_precision (image)) {
    case GIMP_PRECISION_FLOAT_NON_LINEAR:
      return gray ? GIMP_LAYER_COLOR_SPACE_RGB_LINEAR : GIMP_LAYER_COLOR_SPACE_RGB_NON_LINEAR;
    case GIMP_PRECISION_U16_NON_LINEAR:
    case GIMP_PRECISION_U32_NON_LINEAR:
    case GIMP_PRECISION_HALF_NON_LINEAR:
      return gimp_drawable_has_alpha (GIMP_DRAWABLE (lowest)) ? GIMP_LAYER_COLOR_SPACE_RGB_NON_LINEAR : GIMP_LAYER_COLOR_SPACE_RGB_LINEAR;
    default:
      return GIMP_LAYER_COLOR_SPACE_RGB_LINEAR;
  }
}

/* The lowest layer's pixels, with or without a background under them. */
static GimpLayerColorSpace
space_of_lowest (GimpImage *image, GimpLayer *lowest)
{
  g_autoptr (GimpColorProfile) profile = gimp_image_get_color_profile (image);

  if (profile)
    return space_with_profile (image, lowest);
  switch (gimp_image_get_precision (image)) {
    case GIMP_PRECISION_FLOAT_LINEAR:
      return GIMP_LAYER_COLOR_SPACE_RGB_LINEAR;
    case GIMP_PRECISION_FLOAT_NON_LINEAR:
      return GIMP_LAYER_COLOR_SPACE_RGB_NON_LINEAR;
    case GIMP_PRECISION_FLOAT_PERCEPTUAL:
      /* an opaque one is not mixed with a background, and these floats are linear when GIMP gets to them */
      return gimp_drawable_has_alpha (GIMP_DRAWABLE (lowest)) ? GIMP_LAYER_COLOR_SPACE_RGB_PERCEPTUAL : GIMP_LAYER_COLOR_SPACE_RGB_LINEAR;
    default:
      return space_of (lowest);
  }
}

/* What GIMP mixes under `parent`, top to bottom. A group that passes through is a step of its own, after what is in it. `below` is in the
 * list even when it is hidden. */
static void
list_mixed (GimpImage *image, GimpLayer *parent, GimpLayer *below, GPtrArray *list)
{
  g_autofree GimpItem **items = parent ? gimp_item_get_children (GIMP_ITEM (parent)) : (GimpItem **) gimp_image_get_layers (image);

  for (GimpItem **item = items; item && *item; item++) {
    const gboolean visible = gimp_item_get_visible (*item);
    if (visible || *item == GIMP_ITEM (below))
      g_ptr_array_add (list, *item);
    if (visible && gimp_item_is_group (*item) && gimp_layer_get_mode (GIMP_LAYER (*item)) == GIMP_LAYER_MODE_PASS_THROUGH)
      list_mixed (image, GIMP_LAYER (*item), below, list);
  }
}

/* The stack that the new layer is mixed in: that of the first parent that does not pass through. NULL: the image's. */
static GimpLayer *
stack_of (GimpLayer *parent)
{
  while (parent && gimp_layer_get_mode (parent) == GIMP_LAYER_MODE_PASS_THROUGH)
    parent = GIMP_LAYER (gimp_item_get_parent (GIMP_ITEM (parent)));
  return parent;
}

GimpLayerColorSpace
pmt_blend_space_choose (GimpImage *image, GimpLayer *parent, GimpLayer *below)
{
  g_autoptr (GPtrArray) mixed = g_ptr_array_new ();
  GimpLayer *above_it = NULL, *under_it = NULL, *lowest = NULL;
  gboolean passed = below == NULL;

  list_mixed (image, stack_of (parent), below, mixed);
  for (guint i = 0; i < mixed->len; i++) {
    GimpLayer *layer = g_ptr_array_index (mixed, i);
    passed = passed || layer == below;
    if (!gimp_item_get_visible (GIMP_ITEM (layer)))
      continue;
    if (!passed)
      above_it = layer;
    else if (!under_it)
      under_it = layer;
    lowest = layer;
  }
  if (above_it)
    return space_of (above_it);
  if (under_it && under_it != lowest)
    return space_of (under_it);
  return lowest ? space_of_lowest (image, lowest) : GIMP_LAYER_COLOR_SPACE_RGB_LINEAR;
}
