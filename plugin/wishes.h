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
/* Which of the fields say all of their method, the list of methods having none of it. New reference: their names. */
JsonArray *pmt_wishes_alone (GimpProcedureConfig *config);
/* Puts what is wished in a recipe's methods back into the fields. A method that a field had asked for is taken out of the recipe, so that the
 * field rules; others stay there, beside the field where that says something more: a panorama has a size of its own. asked may be NULL: then a
 * field takes what it can say. */
void pmt_wishes_from_recipe (JsonObject *recipe, JsonObject *asked, GObject *config);
/* Words are to be made sure of. */
gboolean pmt_wishes_sure (GimpProcedureConfig *config);
/* The picture's longer side is longer than the model's own. */
gboolean pmt_wishes_wide (GimpProcedureConfig *config);
