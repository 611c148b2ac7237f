/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/stack.h"

#include "plugin/recipe.h"

gboolean
pmt_stack_is_painted (GimpItem *item)
{
  g_autofree GimpItem **children = NULL;

  if (pmt_recipe_is_with (item))
    return TRUE;
  if (!gimp_item_is_group (item))
    return FALSE;
  children = gimp_item_get_children (item);
  for (gsize i = 0; children && children[i]; i++)
    if (!pmt_stack_is_painted (children[i]))
      return FALSE;
  return children && children[0];
}

/* The last of the painted siblings that follow one another above the item, or the item. */
static GimpItem *
climb (GimpImage *image, GimpItem *item)
{
  GimpItem *parent = gimp_item_get_parent (item);
  g_autofree GimpItem **siblings = parent ? gimp_item_get_children (parent) : (GimpItem **) gimp_image_get_layers (image);
  int at = gimp_image_get_item_position (image, item);

  while (at > 0 && pmt_stack_is_painted (siblings[at - 1]))
    at--;
  return siblings[at];
}

GimpLayer *
pmt_stack_top (GimpImage *image, GimpLayer *layer)
{
  GimpItem *top = climb (image, GIMP_ITEM (layer));

  for (GimpItem *group = gimp_item_get_parent (top); group && pmt_stack_is_painted (group); group = gimp_item_get_parent (group)) {
    GimpItem *over = climb (image, group);
    if (over != group)
      top = over;
  }
  return GIMP_LAYER (top);
}
