/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fields for the parameters of one method, from its table (method-list.h). */
#pragma once

#include <gtk/gtk.h>
#include <json-glib/json-glib.h>

/* A form whose fields edit `values`, an object {id, …}: a value that is the default's is no member. `changed` follows each change. Both
 * objects are referenced. Floating and shown; empty where the table has no parameters. */
GtkWidget *pmt_method_params_new (JsonArray *table, JsonObject *values, void (*changed) (gpointer user), gpointer user);
