/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "Refine at full size": whether what is larger than the model's own size is painted a second time at its size. */
#pragma once

#include <gtk/gtk.h>
#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

void pmt_full_size_add_arguments (GimpProcedure *procedure);
/* The check and its strength, as a row of a form. */
void pmt_full_size_add_row (GObject *config, GtkWidget *form);
/* A side of the picture in pixels that a model can make, nearest to that of the place. */
int pmt_full_size_side (int pixels);
/* The recipe's fields, where the user wants it. */
void pmt_full_size_describe (GimpProcedureConfig *config, JsonObject *recipe);
