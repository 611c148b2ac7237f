/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Choosing, saving, renaming and deleting presets (presets.h). */
#pragma once

#include <gtk/gtk.h>

#include "ui/presets.h"

/* property: a string, the preset's name, "" for none. Choosing one also sets the object's settings to the preset's. The row owns presets.
 * shown: NULL, or what a shipped preset is called on the screen. */
GtkWidget *pmt_preset_row_new (GObject *object, const char *property, PmtPresets *presets, const char *(*shown) (const char *name));
