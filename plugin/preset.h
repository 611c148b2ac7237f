/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Presets of a procedure (ui/presets.h): the argument "preset" names one. Shipped ones lie in the plug-in's data, the user's in pentimento/ in
 * GIMP's own folder. */
#pragma once

#include <gtk/gtk.h>
#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

void pmt_preset_add_argument (GimpProcedure *procedure);
/* The field for it. */
GtkWidget *pmt_preset_field_new (GObject *config);

/* For calls without a dialog: arguments that were left at their defaults get the preset's values. FALSE + PMT_ERROR_INPUT for a name that no
 * preset has. */
gboolean pmt_preset_settle (GimpProcedureConfig *config, GError **error);
/* The recipe's prompts get the preset's style. FALSE + PMT_ERROR_INPUT. */
gboolean pmt_preset_to_recipe (GimpProcedureConfig *config, JsonObject *recipe, GError **error);
/* "prompt" or "negative-prompt" in the style of the preset that is chosen; as it is where there is none. Newly allocated. */
char *pmt_preset_styled (GObject *config, const char *member, const char *text);
