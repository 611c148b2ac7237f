/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fields for the controls of a procedure (controls.h): a page for each. */
#pragma once

#include <gtk/gtk.h>
#include <libgimp/gimp.h>

/* preprocess: room for PMT_CONTROLS choice fields, which the caller fills with what the engine knows. */
GtkWidget *pmt_control_fields_new (GObject *config, GimpImage *image, GtkWidget **preprocess);
/* Whether any control is on. */
gboolean pmt_control_fields_used (GObject *config);
