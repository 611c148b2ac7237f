/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which layer's recipe is meant. A new layer is not the active one: what the user worked on stays so, and what was painted for it is above. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

#include "plugin/inputs.h"
#include "plugin/recipe.h"

/* The active layer, if it has a recipe; of a group that has variants on top, the topmost visible one; else what was painted directly above
 * the active layer, the topmost of several. NULL + PMT_ERROR_INPUT when there is none, or not one layer is active. */
GimpLayer *pmt_recipe_layer (GimpImage *image, GimpDrawable **drawables, GError **error);

/* What that layer carries; FALSE + error when that is not enough to run again. The layer is libgimp's, the rest is the caller's. */
gboolean pmt_recipe_read (GimpImage *image, GimpDrawable **drawables, GimpLayer **layer, JsonObject **recipe, PmtInputs **inputs, GError **error);

/* FALSE + PMT_ERROR_INPUT when not exactly one layer is active. */
gboolean pmt_recipe_check (GimpImage *image, GimpDrawable **drawables, GError **error);
