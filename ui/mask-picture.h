/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small picture over which is drawn what a job would do: what is masked, what is painted anew, how far the result is laid in, and what the
 * model sees; with a legend. Each has a colour and a pattern of its own. */
#pragma once

#include <gtk/gtk.h>

#define PMT_MASK_PICTURE_SIDE 400 /* pixels of its longer side, at most */

GtkWidget *pmt_mask_picture_new (void);

/* The part of the canvas that is shown, and a picture of the part `at` of it (canvas pixels). All else is cleared. */
void pmt_mask_picture_show (GtkWidget *widget, const GdkRectangle *view, GdkPixbuf *picture, const GdkRectangle *at);

typedef enum { PMT_MASK_SHOWN_MASK, PMT_MASK_SHOWN_DENOISE, PMT_MASK_SHOWN_BLEND } PmtMaskShown;
#define PMT_MASKS_SHOWN 3

/* values [height, width], 0..1, over the part `at` of the canvas; copied. */
void pmt_mask_picture_set_mask (GtkWidget *widget, PmtMaskShown which, const float *values, int width, int height, const GdkRectangle *at);
/* What the model sees, and the sentence beside the picture, which is also its description for those who don't see it. */
void pmt_mask_picture_set_context (GtkWidget *widget, const GdkRectangle *context, const char *sentence);
/* Gives the picture the focus, which scrolls to it. */
void pmt_mask_picture_focus (GtkWidget *widget);
