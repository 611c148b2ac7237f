/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The methods of a run: a menu of those that can be added, and for each that was a frame with what it is for and its parameters. Knows
 * tables (engine's `methods`: [{id, label, summary, conflicts, params: [{id, label, help, type, default, min, max, choices}]}]) and no
 * method by name. */
#pragma once

#include <gtk/gtk.h>
#include <json-glib/json-glib.h>

/* The user changed something: all that is chosen now, as a recipe's "methods" has it ([{id, …values that are not the default}]). The array
 * is the callee's to reference. */
typedef void PmtMethodsChanged (gpointer user, JsonArray *chosen);

/* Empty; floating and shown. */
GtkWidget *pmt_method_list_new (PmtMethodsChanged *changed, gpointer user);
/* What can be added: entries that are no such objects are passed over. Chosen ones that are known from now on get their fields. */
void pmt_method_list_offer (GtkWidget *list, JsonArray *methods);
/* Shows these (NULL: none) in place of what was there; `changed` is not called. Methods and values that no table has are kept as they are. */
void pmt_method_list_set (GtkWidget *list, JsonArray *chosen);
