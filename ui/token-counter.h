/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long a text is for the model that reads it: "12 / 75" beside it. Somebody else counts; this asks, a moment after the last key, and
 * shows what comes back. */
#pragma once

#include <gtk/gtk.h>

typedef void PmtTokenAsk (gpointer user, const char *text);

typedef struct PmtTokenCount {
  int count, limit; /* tokens in all, and the most that are read together */
  int cut;          /* tokens at the end that are not read at all */
  const int *edges; /* bytes of the text at which the second and later parts begin; before or behind it: in what is written around it */
  int n_edges;
} PmtTokenCount;

/* For a GtkTextView. Hidden until the first answer. Asks once when it is shown first. */
GtkWidget *pmt_token_counter_new (GtkWidget *text, PmtTokenAsk *ask, gpointer user);
/* text: what was counted; nothing happens when the field says something else by now. count NULL: it could not be counted. Muted; a warning
 * only where the text is cut or read in parts, and then the word at each edge is underlined. */
void pmt_token_counter_show (GtkWidget *counter, const char *text, const PmtTokenCount *count);
/* Something other than the text has changed (the model). */
void pmt_token_counter_ask (GtkWidget *counter);
