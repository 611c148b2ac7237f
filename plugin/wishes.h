/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Methods that are asked for in plain fields: words to make sure of (attend-and-excite), a panorama in windows (multidiffusion). */
#pragma once

#include <gtk/gtk.h>
#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

/* make-sure; with `wide` also panorama. */
void pmt_wishes_add_arguments (GimpProcedure *procedure, gboolean wide);
/* Rows for those that the config has. */
void pmt_wishes_add_fields (GObject *config, GtkWidget *form);

/* Puts the methods into a recipe that has those of the list already. PMT_ERROR_INPUT where both say something else. */
gboolean pmt_wishes_to_recipe (GimpProcedureConfig *config, JsonObject *recipe, GError **error);
/* What is wished in a recipe's methods, as far as the list of methods does not say all of it: a panorama has a size of its own. */
void pmt_wishes_from_recipe (JsonObject *recipe, GObject *config);
/* Words are to be made sure of. */
gboolean pmt_wishes_sure (GimpProcedureConfig *config);
/* The picture's longer side is longer than the model's own. */
gboolean pmt_wishes_wide (GimpProcedureConfig *config);
