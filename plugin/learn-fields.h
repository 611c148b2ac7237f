/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The settings of what is learned, made from the engine's table. */
#pragma once

#include <gtk/gtk.h>

/* What, its names, the model, steps and the file; *word is what gets the focus, NULL where there is no table. Shown, as is the other. */
GtkWidget *pmt_learn_fields_new (GObject *config, GtkWidget **word);
/* All else; *open becomes TRUE when something in it says something. */
GtkWidget *pmt_learn_fields_advanced_new (GObject *config, gboolean *open);
