/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A rectangle in picture pixels, origin at the canvas' upper left corner. */
#pragma once

#include <glib.h>

typedef struct PmtRect {
  int x, y, width, height;
} PmtRect;

static inline gboolean
pmt_rect_equal (const PmtRect *a, const PmtRect *b)
{
  return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height;
}

/* inner has an area and lies in outer. The sums are taken in 64 bits: inner may come from outside. */
static inline gboolean
pmt_rect_holds (const PmtRect *outer, const PmtRect *inner)
{
  return inner->width > 0 && inner->height > 0 && inner->x >= outer->x && inner->y >= outer->y &&
         (gint64) inner->x + inner->width <= (gint64) outer->x + outer->width &&
         (gint64) inner->y + inner->height <= (gint64) outer->y + outer->height;
}
