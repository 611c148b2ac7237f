/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/layout-box.h"

/* Newly allocated. */
static char *
phrase_of (const char *name)
{
  g_autoptr (GRegex) number = g_regex_new (" #[0-9]+$", 0, 0, NULL);

  return g_strstrip (g_regex_replace_literal (number, name, -1, 0, "", 0, NULL));
}

void
pmt_layout_box_add (JsonArray *boxes, PmtBounds bounds, const char *name, const PmtRect *area)
{
  const double sides[] = { CLAMP ((bounds.x0 - area->x) / area->width, 0, 1), CLAMP ((bounds.y0 - area->y) / area->height, 0, 1),
                           CLAMP ((bounds.x1 - area->x) / area->width, 0, 1), CLAMP ((bounds.y1 - area->y) / area->height, 0, 1) };
  g_autofree char *phrase = phrase_of (name);
  JsonObject *object;
  JsonArray *box;

  if (!phrase[0] || sides[2] <= sides[0] || sides[3] <= sides[1])
    return;
  object = json_object_new ();
  box = json_array_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (sides); i++)
    json_array_add_double_element (box, sides[i]);
  json_object_set_array_member (object, "box", box);
  json_object_set_string_member (object, "phrase", phrase);
  json_array_add_object_element (boxes, object);
}
