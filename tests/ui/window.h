/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A window around one widget, and keys and a mouse for it. */
#pragma once

#include <gtk/gtk.h>

/* Shown; the widget is inside. */
GtkWidget *window_new (GtkWidget *widget);
/* All that is to be done now is done. */
void settle (void);
/* A press and release of a key where the window has its focus. TRUE: somebody took the press. */
gboolean key (GtkWidget *window, guint keyval, GdkModifierType state);
/* Each character as a key. */
void type_text (GtkWidget *window, const char *text);
/* The primary button pressed at x0, y0 of the widget, dragged and let go at x1, y1. */
void drag (GtkWidget *widget, double x0, double y0, double x1, double y1);
/* The same, and half-way there a key is pressed; 0: none. */
void drag_typing (GtkWidget *widget, double x0, double y0, double x1, double y1, guint keyval);
/* What the window shows, for people: NAME.png in the folder $PMT_UI_SHOTS, if that is set. */
void shot (GtkWidget *window, const char *name);
/* The first child with this accessible name, at any depth; NULL. */
GtkWidget *named (GtkWidget *parent, const char *name);
/* The first child of this type. */
GtkWidget *first_of (GtkWidget *parent, GType type);
