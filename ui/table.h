/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A list with columns that sort, over JSON objects: what a row shows is made from its object once, when it is added. */
#pragma once

#include <gtk/gtk.h>
#include <json-glib/json-glib.h>

typedef struct PmtTableColumn {
  const char *title; /* N_() */
  int width;         /* in characters; 0: takes what is left */
  /* Newly allocated text of the cell; *order: what it sorts by when it is no text (sizes), else left alone. */
  char *(*text) (JsonObject *row, gint64 *order);
  gboolean right; /* aligned, as numbers are */
} PmtTableColumn;

#define PMT_TABLE_MAX_COLUMNS 6

/* A row with `problem` set is marked and says so as its tooltip. name: what a screen reader calls the list. `toggle`: NULL, or the title of a
 * first column with a box to tick, whose state is the boolean member "use". */
GtkWidget *pmt_table_new (const char *name, const PmtTableColumn *columns, int n, const char *toggle);

/* The rows. `key`: the member that tells rows apart; a row that is added again takes the place of the old one. */
void pmt_table_add (GtkWidget *table, const char *key, JsonObject *row);
void pmt_table_clear (GtkWidget *table);
int pmt_table_shown (GtkWidget *table);

/* The selected row, the table's; NULL when none is. */
JsonObject *pmt_table_selected (GtkWidget *table);
/* Selects the row whose `key` is that; the first without one when NULL. */
void pmt_table_select (GtkWidget *table, const char *key, const char *value);

/* Shows only rows for which it says so; NULL: all. Call again with the same to have all rows looked at anew. */
typedef gboolean PmtTableFilter (JsonObject *row, gpointer user);
void pmt_table_filter (GtkWidget *table, PmtTableFilter *filter, gpointer user);

typedef struct PmtTableHandlers {
  void (*selected) (gpointer user);                                /* the selection changed */
  void (*activated) (gpointer user);                               /* Return or a double click */
  void (*toggled) (gpointer user, JsonObject *row, gboolean used); /* the box was ticked or unticked */
} PmtTableHandlers;
void pmt_table_connect (GtkWidget *table, const PmtTableHandlers *handlers, gpointer user);
/* The tree view inside, to give it the focus. */
GtkWidget *pmt_table_view (GtkWidget *table);
