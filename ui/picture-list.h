/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures, each with a small view of itself, a name, and a caption that is edited in its row. */
#pragma once

#include <gtk/gtk.h>

typedef struct PmtPictureListHandlers {
  void (*changed) (gpointer user);               /* a picture came or went, or a caption changed */
  void (*selected) (gpointer user, int n);       /* so many rows are selected now */
  void (*dropped) (gpointer user, char **paths); /* files were dropped on the list; the caller's to add */
} PmtPictureListHandlers;

/* name: what a screen reader calls it; hint: what stands in it as long as it is empty; automatic: what stands in place of an empty caption. */
GtkWidget *pmt_picture_list_new (const char *name, const char *hint, const char *automatic, const PmtPictureListHandlers *handlers, gpointer user);
/* The list of rows itself, for a label's mnemonic. */
GtkWidget *pmt_picture_list_view (GtkWidget *list);

/* At the end. FALSE: a picture of that key is there already, and stays as it is. small: NULL where there is no view of it. */
gboolean pmt_picture_list_add (GtkWidget *list, const char *key, GdkPixbuf *small, const char *name, const char *caption);
void pmt_picture_list_remove_selected (GtkWidget *list);
int pmt_picture_list_count (GtkWidget *list);
/* In their order; caption "": none. */
void pmt_picture_list_visit (GtkWidget *list, void (*visit) (gpointer user, const char *key, const char *caption), gpointer user);
