/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The argument "methods" of procedures that paint, as a list of methods with their parameters. */
#pragma once

#include <gtk/gtk.h>

/* Bound to the config's "methods"; asks the engine what there is. Floating and shown; *open becomes TRUE when a method is chosen. */
GtkWidget *pmt_method_fields_new (GObject *config, gboolean *open);
