/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a job is doing: a bar with a line of text, or the sentence in which it ended. */
#pragma once

#include <gtk/gtk.h>

GtkWidget *pmt_job_bar_new (void);
/* fraction < 0: the bar only shows that something is going on. */
void pmt_job_bar_progress (GtkWidget *bar, double fraction, const char *text);
/* A sentence to read; error: with a warning sign. */
void pmt_job_bar_say (GtkWidget *bar, const char *sentence, gboolean error);
/* The last sentence; lent. */
const char *pmt_job_bar_sentence (GtkWidget *bar);
/* Beside the sentence; when it is shown is the caller's. */
void pmt_job_bar_add_action (GtkWidget *bar, GtkWidget *button);
/* Shown below a sentence that is an error, and only there. */
void pmt_job_bar_add (GtkWidget *bar, GtkWidget *below_errors);
