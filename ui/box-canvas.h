/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Boxes over a small picture, to be moved, resized, drawn and deleted with mouse and keyboard. What they are called is beside it
 * (box-editor.h).
 *
 * Keys: Tab and Shift+Tab go from box to box and at the end on to the next widget; arrows move the chosen box, with Shift its lower right
 * corner; Insert makes a new one, Delete deletes it, Return is for its phrase. */
#pragma once

#include <gtk/gtk.h>

#include "ui/box-list.h"

typedef struct PmtBoxCanvas PmtBoxCanvas;

typedef struct PmtBoxCanvasHandlers {
  void (*changed) (gpointer user);            /* boxes moved; while a drag lasts only at its end */
  void (*added) (gpointer user);              /* a new one at the end of the list, chosen */
  void (*removed) (gpointer user, guint i);   /* the chosen one is to go: the receiver takes it out of the list */
  void (*named) (gpointer user);              /* the phrase of the chosen one is to be written */
} PmtBoxCanvasHandlers;

/* width, height: of the canvas, for its shape. boxes is borrowed and must outlive the widget. */
PmtBoxCanvas *pmt_box_canvas_new (GPtrArray *boxes, int width, int height, const PmtBoxCanvasHandlers *handlers, gpointer user);
/* Owns the canvas. */
GtkWidget *pmt_box_canvas_widget (PmtBoxCanvas *canvas);
void pmt_box_canvas_set_picture (PmtBoxCanvas *canvas, GdkPixbuf *picture);

/* -1: none. */
int pmt_box_canvas_chosen (const PmtBoxCanvas *canvas);
void pmt_box_canvas_choose (PmtBoxCanvas *canvas, int i);
/* The list changed from outside. */
void pmt_box_canvas_update (PmtBoxCanvas *canvas);
/* A new box in the middle. */
void pmt_box_canvas_insert (PmtBoxCanvas *canvas);

/* The colour of the i-th box. */
void pmt_box_colour (guint i, GdkRGBA *colour);
