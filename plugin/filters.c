/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/filters.h"

gboolean
pmt_filters_any (GimpLayer *layer)
{
  g_autofree GimpDrawableFilter **filters = gimp_drawable_get_filters (GIMP_DRAWABLE (layer));

  for (gsize i = 0; filters && filters[i]; i++)
    if (gimp_drawable_filter_get_visible (filters[i]))
      return TRUE;
  return FALSE;
}

/* What the layer's pixels mean stays the same; a colour table cannot hold what effects make. */
static GimpImage *
image_like (GimpImage *image)
{
  const GimpImageBaseType type = gimp_image_get_base_type (image) == GIMP_GRAY ? GIMP_GRAY : GIMP_RGB;
  g_autoptr (GimpColorProfile) profile = gimp_image_get_color_profile (image);
  GimpImage *apart = gimp_image_new_with_precision (gimp_image_get_width (image), gimp_image_get_height (image), type,
                                                    gimp_image_get_precision (image));

  if (apart && profile)
    gimp_image_set_color_profile (apart, profile);
  return apart;
}

/* Effects cannot be merged into a group's pixels, and where they are merged into a layer's, that is an undo step: the picture is looked at. */
GimpImage *
pmt_filters_apart (GimpLayer *layer)
{
  GimpImage *apart = image_like (gimp_item_get_image (GIMP_ITEM (layer)));
  GimpLayer *copy = apart ? gimp_layer_new_from_drawable (GIMP_DRAWABLE (layer), apart) : NULL;

  if (!apart)
    return NULL;
  gimp_image_undo_disable (apart);
  if (copy && gimp_image_insert_layer (apart, copy, NULL, 0) && gimp_layer_set_opacity (copy, 100) &&
      gimp_layer_set_mode (copy, GIMP_LAYER_MODE_NORMAL) && gimp_item_set_visible (GIMP_ITEM (copy), TRUE))
    return apart;
  gimp_image_delete (apart);
  return NULL;
}
