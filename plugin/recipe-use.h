/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-recipe-use, Filters > Pentimento > Recipe > Use Settings: the dialog that painted the active layer, with the settings
 * that it had then. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

#include "plugin/deliver.h"
#include "plugin/inputs.h"

#define PMT_PROCEDURE_USE "plug-in-pentimento-recipe-use"

GimpProcedure *pmt_use_procedure_new (GimpPlugIn *plug_in, const char *name);

/* Opens the dialog of the procedure that made the recipe, with its settings; inputs may be NULL. What is new in the image,
 * or NULL when it was cancelled, or NULL + error. */
PmtDelivered *pmt_recipe_use (JsonObject *recipe, const PmtInputs *inputs, GimpImage *image, GimpDrawable **drawables, GError **error);
