/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading the picture and the selection. Nothing here changes the image. */
#pragma once

#include <libgimp/gimp.h>

#include "plugin/rect.h"

/* The layer that the user works on: the given drawable, the layer of a layer mask, else the topmost selected layer. NULL when the
 * image has none (a channel is selected, or there is no layer). */
GimpLayer *pmt_capture_active_layer (GimpImage *image, GimpDrawable **drawables);

/* What can be said before anything is read: FALSE + PMT_ERROR_INPUT for a closed image, a floating selection, a picture without layers, and, when
 * `layer_only`, anything but one active layer. */
gboolean pmt_capture_check (GimpImage *image, GimpDrawable **drawables, gboolean layer_only, GError **error);

/* The error of an image that is gone, whatever was to be done with it. */
void pmt_capture_set_closed (GError **error);

/* The canvas, and the bounds of the selection in it; nothing selected means everything. */
void pmt_capture_bounds (GimpImage *image, PmtRect *canvas, PmtRect *selection);

/* The pixels of box as RGBA f32, sRGB-encoded, straight alpha, clipped to 0..1: of one layer (with its mask and its effects, at its offset;
 * transparent beyond its edges), or, with layer NULL, of the picture as it is seen, or would be if the canvas reached as far as box. Of a large picture
 * only the box is put together. PMT_ERROR_MEMORY names the size. */
GBytes *pmt_capture_picture (GimpImage *image, GimpLayer *layer, const PmtRect *box, GError **error);

/* Whether clipping costs the box anything that can be seen: values brighter than white, or colours more vivid than sRGB has. Layer as
 * above. A picture that cannot be read has none. */
gboolean pmt_capture_clips (GimpImage *image, GimpLayer *layer, const PmtRect *box);

/* The same of the picture as it would be seen without the layers and groups for which `hidden` says so. */
GBytes *pmt_capture_without (GimpImage *image, gboolean (*hidden) (GimpItem *item, gpointer user), gpointer user, const PmtRect *box,
                             GError **error);

/* The selection in box as f32, 0..1; all 1 when nothing is selected. */
GBytes *pmt_capture_mask (GimpImage *image, const PmtRect *box, GError **error);
/* The same without a selection. */
GBytes *pmt_capture_everything (const PmtRect *box, GError **error);

/* One number by which a picture is known again: a sum with signs at random. Rounding of its pixels does not change it, a pixel of another
 * colour does. */
double pmt_capture_sign (GBytes *picture);
gboolean pmt_capture_same_sign (GBytes *picture, double sign);
