/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a method found out about places of a picture, on a grid of its own: where a word was looked for (word-maps), what is to change
 * (diffedit). The engine's message `map` (pentimento/protocol.h). */
#pragma once

#include <libgimp/gimp.h>

#include "plugin/rect.h"

/* Where a picture that was edited by description changes: the layer mask of the result. */
#define PMT_MAP_CHANGED "diffedit-mask"

typedef struct PmtMap {
  char *name;    /* a word or phrase, or what the method calls it */
  int width, height;
  GBytes *values; /* width * height f32, from 0 on */
  PmtRect area;  /* what the grid is stretched over, in canvas pixels */
} PmtMap;

PmtMap *pmt_map_new (const char *name, int width, int height, GBytes *values, const PmtRect *area);
/* An array that frees its maps. */
GPtrArray *pmt_maps_new (void);

/* Stretched over its area, f32 of area's size, 0..1. The largest value becomes 1 when `scale`. NULL + PMT_ERROR_MEMORY. */
GBytes *pmt_map_stretched (const PmtMap *map, gboolean scale, GError **error);

/* Whether a channel's name is the one that a word's map was given. */
gboolean pmt_map_names_word (const char *name);

/* Adds it to the image as a channel that is not shown; its name says what it is of. For deliver.c. NULL when GIMP refuses. */
GimpChannel *pmt_map_insert (const PmtMap *map, GimpImage *image);
