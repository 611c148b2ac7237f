/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One layout box of a recipe, from something in the image that has bounds and a name. */
#pragma once

#include <json-glib/json-glib.h>

#include "plugin/rect.h"

enum { PMT_LAYOUT_BOXES_MOST = 30 }; /* that a job takes */

typedef struct PmtBounds {
  double x0, y0, x1, y1; /* pixels of the canvas */
} PmtBounds;

/* Adds {box: [x0, y0, x1, y1] in 0..1 of area, phrase}, cut at area's edges; the phrase is the name without the number that GIMP adds to doubled
 * ones ("a red fox #1" means a red fox). Nothing where no part lies in area, or the name is empty. */
void pmt_layout_box_add (JsonArray *boxes, PmtBounds bounds, const char *name, const PmtRect *area);
