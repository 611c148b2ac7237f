/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A list of pictures with a line of text and a smaller one each, and the one that is looked at in large beside it. Several can be selected. */
#pragma once

#include <gtk/gtk.h>

/* chosen: Return or a double click on a row. changed: other rows are selected. */
GtkWidget *pmt_history_list_new (void (*chosen) (gpointer user), void (*changed) (gpointer user), gpointer user);
/* picture: path of a file, which may be missing. data is the caller's. */
void pmt_history_list_add (GtkWidget *list, const char *picture, const char *line, const char *small, gpointer data);
/* What stands there while there is no row. */
void pmt_history_list_set_empty (GtkWidget *list, const char *sentence);

/* What was added with the selected rows, from top to bottom. Free the array, not what is in it. */
GPtrArray *pmt_history_list_selected (GtkWidget *list);
void pmt_history_list_remove_selected (GtkWidget *list);
void pmt_history_list_focus (GtkWidget *list);
