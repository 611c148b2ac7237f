/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/blend-space.h"

/* GIMP mixes each layer into the picture below it as floats, linear or encoded as the layer asks. A fully masked layer leaves these
 * floats alone, but a change of encoding on the way there and back costs the last bit. So a new layer works in the encoding that the
 * pixels have at this point anyway: that of the next layer above, which would have asked for it; without one, that of the layer
 * below, unless it is the bottom one, whose pixels come as the image stores them. */

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

static GimpLayerColorSpace
space_of_image (GimpImage *image)
{
  switch (gimp_image_get_precision (image)) {
    case GIMP_PRECISION_U8_NON_LINEAR:
    case GIMP_PRECISION_U16_NON_LINEAR:
    case GIMP_PRECISION_U32_NON_LINEAR:
    case GIMP_PRECISION_HALF_NON_LINEAR:
    case GIMP_PRECISION_FLOAT_NON_LINEAR:
      return GIMP_LAYER_COLOR_SPACE_RGB_NON_LINEAR;
    case GIMP_PRECISION_U8_PERCEPTUAL:
    case GIMP_PRECISION_U16_PERCEPTUAL:
    case GIMP_PRECISION_U32_PERCEPTUAL:
    case GIMP_PRECISION_HALF_PERCEPTUAL:
    case GIMP_PRECISION_FLOAT_PERCEPTUAL:
      return GIMP_LAYER_COLOR_SPACE_RGB_PERCEPTUAL;
    default:
      /* linear, and double, which is cut to floats anyway and in a flattened copy to linear ones */
      return GIMP_LAYER_COLOR_SPACE_RGB_LINEAR;
  }
}

GimpLayerColorSpace
pmt_blend_space_choose (GimpImage *image, GimpLayer *parent, GimpLayer *below)
{
  g_autofree GimpItem **items = parent ? gimp_item_get_children (GIMP_ITEM (parent)) : (GimpItem **) gimp_image_get_layers (image);
  GimpLayer *above_it = NULL, *under_it = NULL, *bottom = NULL;
  gboolean passed = below == NULL;

  /* top to bottom */
  for (GimpItem **item = items; item && *item; item++) {
    if (*item == GIMP_ITEM (below))
      passed = TRUE;
    if (!gimp_item_get_visible (*item))
      continue;
    if (!passed)
      above_it = GIMP_LAYER (*item);
    else if (!under_it)
      under_it = GIMP_LAYER (*item);
    bottom = GIMP_LAYER (*item);
  }
  if (above_it)
    return space_of (above_it);
  if (under_it && under_it != bottom)
    return space_of (under_it);
  return space_of_image (image);
}
