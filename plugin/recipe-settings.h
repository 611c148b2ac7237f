/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The settings of a dialog, as a recipe has them. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

#include "plugin/inputs.h"

/* The name of the procedure that makes such recipes; inputs may be NULL, here and below: the recipe came without them. */
const char *pmt_recipe_procedure (JsonObject *recipe, const PmtInputs *inputs);

/* Whether its settings are about one layer, whose pixels or whose mask they name. */
gboolean pmt_recipe_names_layer (const PmtInputs *inputs);

/* Puts into that procedure's config what the recipe says and an argument stands for. What the dialog had left to the engine is left to it
 * again; where that is not known, the numbers are the recipe's, and its size is where the next picture has the same shape. image is where that
 * goes: layers that steered the recipe are looked for there, and its boxes lie there. layer: the one that its settings are about, where they are
 * about one; NULL: it is gone. What of such things could not be brought back, as a sentence; NULL: nothing is missing. Newly allocated. */
char *pmt_recipe_to_config (JsonObject *recipe, const PmtInputs *inputs, GimpImage *image, GimpLayer *layer, GimpProcedureConfig *config);

/* One value into the argument of that name, whatever type each has; nothing when there is no such argument or the value does not fit. NULL is
 * the default: what a recipe leaves out was left to the engine. */
void pmt_recipe_value_to_config (GObject *config, const char *name, JsonNode *node);
