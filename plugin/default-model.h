/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The model that dialogs start with: the one in their kept settings (last-settings.h). */
#pragma once

#include <glib.h>

/* use: what the engine says of the model: "inpaint" for Fill and its modes, "edit" for Edit by Instruction, anything else for Fill, its modes,
 * Generate, Edit by Description and Learn a Concept. FALSE + error when settings cannot be written. */
gboolean pmt_default_model_set (const char *path, const char *use, GError **error);

/* The model was chosen in a procedure's dialog: the others that such a model paints in start with it too, but for fills that have one made
 * for them. Settings that cannot be written stay as they are. */
void pmt_default_model_share (const char *procedure, const char *path);
