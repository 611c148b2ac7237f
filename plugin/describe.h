/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-describe, Filters > Pentimento > Edit by Description: the picture changes where what it shall show differs from what it
 * shows. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

#define PMT_PROCEDURE_DESCRIBE "plug-in-pentimento-describe"

/* The id of the method by which a recipe was made so; NULL when it has none of them. */
const char *pmt_describe_method (JsonObject *recipe);
/* What the fields of this dialog alone have, from such a recipe. */
void pmt_describe_from_recipe (JsonObject *recipe, GObject *config);

GimpProcedure *pmt_describe_procedure_new (GimpPlugIn *plug_in, const char *name);
