/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A line of numbers that grows while a job runs, from 0 to the steps that there are to be. */
#pragma once

#include <gtk/gtk.h>

/* name: what the numbers are; of a screen reader, and drawn beside them. */
GtkWidget *pmt_curve_new (const char *name);
void pmt_curve_clear (GtkWidget *curve);
/* at: a step of the job, never less than the one before; of: the last step there will be. */
void pmt_curve_add (GtkWidget *curve, int at, int of, double value);
int pmt_curve_count (GtkWidget *curve);
