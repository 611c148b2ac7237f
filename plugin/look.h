/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a result looks in the picture, before it is there: in one without colours, grey. */
#pragma once

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <libgimp/gimp.h>

#include "plugin/result.h"

typedef struct PmtLook {
  GdkPixbuf *picture; /* the result over what is visible, with a margin of it */
  GdkPixbuf *before;  /* the same place without it; NULL: the image is gone */
} PmtLook;

/* Neither picture has more than `side` pixels in its longer direction. */
PmtLook pmt_look_new (GimpImage *image, const PmtResult *result, int side);
void pmt_look_clear (PmtLook *look);

/* Whether what is painted loses its colours there. */
gboolean pmt_look_is_grey (GimpImage *image);
/* 8 bits, three values a pixel, before and after. */
GBytes *pmt_look_without_colours (GBytes *rgb);
