/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which model: the one that comes with the program, or a file or folder of the user's. */
#pragma once

#include <gtk/gtk.h>

/* For a string property with the model's path, "" for the bundled one. */
GtkWidget *pmt_model_chooser_new (GObject *object, const char *property);
/* For any other network's file or folder; none: what the row for "" says. kinds: ids with blanks between ("controlnet t2i-adapter") of what
 * is offered by name (ui/model-offers.h). */
GtkWidget *pmt_network_chooser_new (GObject *object, const char *property, const char *none, const char *kinds);
