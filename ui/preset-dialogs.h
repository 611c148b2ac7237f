/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The small windows that ask about presets. Each changes the presets itself and says what is wrong where it is typed. */
#pragma once

#include <gtk/gtk.h>

#include "ui/presets.h"

/* The name under which the object's settings were saved, newly allocated; NULL: the user changed their mind. name: NULL or "": none yet. */
char *pmt_preset_ask_save (GtkWidget *parent, PmtPresets *presets, GObject *object, const char *name);
/* The new name, newly allocated, or NULL. */
char *pmt_preset_ask_rename (GtkWidget *parent, PmtPresets *presets, const char *name);
/* TRUE: it is deleted. */
gboolean pmt_preset_ask_delete (GtkWidget *parent, PmtPresets *presets, const char *name);
