/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a group of layers says: each layer is a place, its name what belongs there. Nothing here changes the image. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

#include "plugin/rect.h"

/* Layout boxes of a recipe (layout-box.h) from top to bottom: one per layer or group directly in `group`, shown or hidden, around its pixels that are at
 * least half opaque. New reference. PMT_ERROR_INPUT when the layer is no group, when none of its layers has such pixels in area, and when there are
 * more than a job takes. */
JsonArray *pmt_layer_boxes (GimpLayer *group, const PmtRect *area, GError **error);
