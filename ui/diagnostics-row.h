/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Below a sentence that says what went wrong: a button that copies a report for the makers, and a tick for what it leaves out. */
#pragma once

#include <gtk/gtk.h>

/* The report; newly allocated. everything: with prompts and file names. */
typedef char *PmtReportMaker (gpointer user, gboolean everything);

GtkWidget *pmt_diagnostics_row_new (PmtReportMaker *make, gpointer user);
