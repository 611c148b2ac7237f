/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The model that dialogs start with: the one in their kept settings (last-settings.h). */
#pragma once

#include <glib.h>

/* use: what the engine says of the model: "inpaint" for Fill and its modes, "edit" for Edit by Instruction, anything else for Fill, its modes
 * and Generate. FALSE + error when settings cannot be written. */
gboolean pmt_default_model_set (const char *path, const char *use, GError **error);
