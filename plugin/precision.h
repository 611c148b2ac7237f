/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the networks compute in: an argument of procedures that paint, and its row in their dialogs. */
#pragma once

#include <gtk/gtk.h>
#include <libgimp/gimp.h>

void pmt_precision_add_argument (GimpProcedure *procedure);
void pmt_precision_add_row (GObject *config, GtkWidget *form);
