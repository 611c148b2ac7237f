/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layout boxes over a small picture of the canvas (box-canvas.h) and below it the list of their phrases. Its state is a string property
 * (box-list.h): a text that cannot be read stays as it is until the user changes a box, and a sentence says so. */
#pragma once

#include <gtk/gtk.h>

/* width, height: of the canvas. */
GtkWidget *pmt_box_editor_new (GObject *object, const char *property, int width, int height);
void pmt_box_editor_set_picture (GtkWidget *editor, GdkPixbuf *picture);

/* Boxes from elsewhere, as a text like the property's (newly allocated), or NULL with a sentence in *problem. */
typedef char *PmtBoxImport (gpointer user, char **problem);
/* A button that adds them. */
void pmt_box_editor_add_import (GtkWidget *editor, const char *label, const char *tip, PmtBoxImport *import, gpointer user);
