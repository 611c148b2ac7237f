/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a job will take, in a line above its buttons; or why it cannot be, with a button for what would do. */
#pragma once

#include <gtk/gtk.h>

GtkWidget *pmt_preflight_bar_new (void);
/* text "": nothing is known. */
void pmt_preflight_bar_say (GtkWidget *bar, const char *text);
/* What is said is being asked for anew. */
void pmt_preflight_bar_doubt (GtkWidget *bar);
/* A sentence with a warning sign; remedy NULL, or the label of a button that calls on_remedy. */
void pmt_preflight_bar_refuse (GtkWidget *bar, const char *sentence, const char *remedy, void (*on_remedy) (gpointer user), gpointer user);
