/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Effects that GIMP computes each time a layer is shown. A layer's own pixels are those from before them, for plug-ins too. */
#pragma once

#include <libgimp/gimp.h>

/* The layer or group has one that is shown. */
gboolean pmt_filters_any (GimpLayer *layer);

/* An image of its own in which nothing but the layer is seen: at its place, through its mask and its effects, opaque and in the normal mode.
 * The user's image and its undo steps are not touched. NULL when GIMP refuses; gimp_image_delete. */
GimpImage *pmt_filters_apart (GimpLayer *layer);
