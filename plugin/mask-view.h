/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "Show Masks": what a job would look at and paint, over a small picture, before any time is spent. */
#pragma once

#include <gtk/gtk.h>
#include <libgimp/gimp.h>

/* A button, and below it what it shows, asked anew with each press and when settings change that it depends on. config: of a procedure that fills or edits. */
GtkWidget *pmt_mask_view_new (GObject *config, GimpImage *image, GimpDrawable **drawables);
