/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures to choose from: one large, all of them small below it. Arrow keys or a click show one large, Space or its mark ticks it, Return
 * or a double click chooses what is shown, and a button held or switched on shows what was there before. */
#pragma once

#include <gtk/gtk.h>

/* chosen is called, with user, when one is activated (Return, a double click). */
GtkWidget *pmt_variants_new (void (*chosen) (gpointer user), gpointer user);

/* Adds a picture; it becomes the one shown when it is the first. before: the same place as it was, of the same size; NULL: unknown.
 * label: short, below it ("seed 42"); name: what a screen reader says. data is the caller's. */
void pmt_variants_add (GtkWidget *variants, GdkPixbuf *picture, GdkPixbuf *before, const char *label, const char *name, gpointer data);
void pmt_variants_clear (GtkWidget *variants);
/* Shows the n-th picture, from 0, and gives it the focus. */
void pmt_variants_show (GtkWidget *variants, int n);

/* What was added with the pictures that are ticked, in their order; with none ticked, the shown one's. Free the array, not what is in it. */
GPtrArray *pmt_variants_chosen (GtkWidget *variants);
int pmt_variants_count (GtkWidget *variants);
