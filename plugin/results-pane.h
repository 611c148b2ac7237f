/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results to choose from, beside a dialog's settings; hidden while there are none. */
#pragma once

#include <gtk/gtk.h>
#include <libgimp/gimp.h>

#include "plugin/result.h"

typedef struct PmtResultsHandlers {
  /* The user's wish: chosen are PmtResults, lent. */
  void (*apply) (gpointer user, GPtrArray *chosen);
  /* Further variants of this one, which is the last. */
  void (*more) (gpointer user, PmtResult *last);
  /* What is shown is not wanted; the pane is empty after it. */
  void (*discard) (gpointer user, GPtrArray *all);
} PmtResultsHandlers;

GtkWidget *pmt_results_pane_new (GimpImage *image, const PmtResultsHandlers *handlers, gpointer user);
/* Keeps the results that it does not have yet, and shows itself. */
void pmt_results_pane_add (GtkWidget *pane, GPtrArray *results);
/* That result large, with the focus; one that it does not have: nothing. */
void pmt_results_pane_show (GtkWidget *pane, const PmtResult *result);
/* All of them, PmtResult, lent. */
GPtrArray *pmt_results_pane_results (GtkWidget *pane);
/* While a job runs there is nothing to choose. */
void pmt_results_pane_set_running (GtkWidget *pane, gboolean running);
