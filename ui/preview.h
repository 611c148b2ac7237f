/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A picture that is still being made, as large as its place allows, in its own shape. */
#pragma once

#include <gtk/gtk.h>

GtkWidget *pmt_preview_new (void);
/* width, height: of the pixels, RGB, 8 bits, no padding. shape: width by height of the picture that they are stretched over. NULL: nothing
 * to be seen. */
void pmt_preview_show (GtkWidget *preview, int width, int height, GBytes *rgb, double shape);
