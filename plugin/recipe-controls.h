/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pictures that steered a recipe, back in the arguments that controls.h reads. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

#include "plugin/inputs.h"

/* Networks and numbers come back as they are, pictures where inputs (may be NULL) name them and image has them; the names of the others are
 * added to missing, with commas between. */
void pmt_recipe_controls_to_config (JsonObject *recipe, const PmtInputs *inputs, GimpImage *image, GObject *config, GString *missing);
