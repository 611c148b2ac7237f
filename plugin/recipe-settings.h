/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The settings of a dialog, as a recipe has them. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

/* The name of the procedure that makes such recipes. */
const char *pmt_recipe_procedure (JsonObject *recipe);

/* Puts into that procedure's config what the recipe says and an argument stands for; pictures that steered it are left out, since they are
 * layers of the image that it was made in. image is where the next picture goes: its boxes lie there. */
void pmt_recipe_to_config (JsonObject *recipe, GimpImage *image, GimpProcedureConfig *config);
