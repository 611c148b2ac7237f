/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/layer-list.h"

static int
add_items (GtkComboBoxText *combo, GimpItem **items, gboolean groups_only, int depth)
{
  int n = 0;

  for (gsize i = 0; items && items[i]; i++) {
    const gboolean group = gimp_item_is_group (items[i]);
    g_autofree char *name = gimp_item_get_name (items[i]), *id = pmt_layer_list_id (GIMP_LAYER (items[i]));
    g_autofree char *shown = g_strdup_printf ("%*s%s", 4 * depth, "", name);
    if (group || !groups_only) {
      gtk_combo_box_text_append (combo, id, shown);
      n++;
    }
    if (group) {
      g_autofree GimpItem **children = gimp_item_get_children (items[i]);
      n += add_items (combo, children, groups_only, depth + 1);
    }
  }
  return n;
}

int
pmt_layer_list_add (GtkComboBoxText *combo, GimpImage *image, gboolean groups_only)
{
  g_autofree GimpLayer **layers = gimp_image_get_layers (image);

  return add_items (combo, (GimpItem **) layers, groups_only, 0);
}

GimpLayer *
pmt_layer_list_find (const char *id)
{
  return g_ascii_isdigit (id[0]) ? gimp_layer_get_by_id ((int) g_ascii_strtoll (id, NULL, 10)) : NULL;
}

char *
pmt_layer_list_id (GimpLayer *layer)
{
  return layer ? g_strdup_printf ("%d", gimp_item_get_id (GIMP_ITEM (layer))) : g_strdup ("");
}
