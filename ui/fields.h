/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fields for one property each. */
#pragma once

#include <gtk/gtk.h>

/* An integer or double in min..max. special: NULL, or what stands in the field at min and below ("automatic", "random"). */
GtkWidget *pmt_number_new (GObject *object, const char *property, double min, double max, double step, int digits, const char *special);
/* Of a number that was made with such a text: another one from now on. */
void pmt_number_set_special (GtkWidget *number, const char *special);

/* A double in 0..1 as a slider in per cent. */
GtkWidget *pmt_percent_new (GObject *object, const char *property, double min);

/* A string with one of several ids. A value that is not among them yet is added under its own name. */
GtkWidget *pmt_choice_new (GObject *object, const char *property);
void pmt_choice_add (GtkWidget *choice, const char *id, const char *label);

/* A string as it is typed. */
GtkWidget *pmt_entry_new (GObject *object, const char *property, const char *hint);

/* Whether an object (a GObject: a procedure's config) has such a property; dialogs share code and differ in their arguments. */
gboolean pmt_field_exists (gpointer object, const char *property);
/* Whether the property is as it was at first; a text that was never set is empty. */
gboolean pmt_field_is_default (GObject *object, const char *property);
void pmt_field_reset (GObject *object, const char *property);
/* A text that was never set is NULL; fields want "". */
void pmt_field_fill_texts (GObject *object);

/* A boolean with its label beside it. */
GtkWidget *pmt_check_new (GObject *object, const char *property, const char *label, const char *tip);
