/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pictures to learn from in their dialog: the list, and the buttons that fill it. */
#pragma once

#include <libgimp/gimpui.h>

/* changed: the pictures or captions are others now. Shown. */
GtkWidget *pmt_learn_list_new (GimpImage *image, void (*changed) (gpointer user), gpointer user);
/* Those that are there already stay as they are. */
void pmt_learn_list_add (GtkWidget *list, GPtrArray *pictures);
/* PmtLearnPicture; new reference. */
GPtrArray *pmt_learn_list_pictures (GtkWidget *list);
