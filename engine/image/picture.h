/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A picture or a mask in memory. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/image/region.h"

/* Sides above this are refused everywhere: products of two sides and four channels then fit 64 bits with room to spare, and
 * distances fit 32. */
#define PMT_PICTURE_MAX_SIDE 65536

/* Rows of `channels` f32, no padding. */
typedef struct PmtPicture {
  int width, height, channels; /* 4: RGBA, sRGB-encoded, straight alpha, 0..1; 3: RGB alike; 1: mask */
  float *data;                 /* owned; init / clear (not g_malloc: pictures are large). NULL = no picture */
} PmtPicture;

/* All zero. On failure *picture is cleared. PMT_ERROR_INPUT for sides outside 1..PMT_PICTURE_MAX_SIDE, PMT_ERROR_MEMORY. */
gboolean pmt_picture_init (PmtPicture *picture, int width, int height, int channels, GError **error);
void pmt_picture_clear (PmtPicture *picture); /* a zeroed struct is fine */

/* `count` zeroed f32 in a block of their own, for masks and scratch; free with free(). NULL + PMT_ERROR_MEMORY naming the size. */
float *pmt_pixels_new (size_t count, GError **error);
/* The same with a byte for each pixel, for masks that only say yes or no. */
uint8_t *pmt_marks_new (size_t count, GError **error);

/* The part of `source` inside `box`, which lies within it, as a new picture in *out (uninitialised before). */
gboolean pmt_picture_crop (const PmtPicture *source, const PmtBox *box, PmtPicture *out, GError **error);

/* Bounds of the values above 0 of a mask [height, width]; width 0 when there are none. */
PmtBox pmt_mask_bounds (const float *mask, int width, int height);

/* True when every alpha of an RGBA picture is 1. */
bool pmt_picture_opaque (const PmtPicture *picture);

/* RGB [height, width, 3] of an RGBA picture as a network is to see it. Where the picture is transparent, colours of the opaque
 * surroundings run in (nearer ones count more), so that a hole is neither black nor the colour that somebody happened to erase;
 * without any opaque pixel it is mid-grey. Half-transparent pixels mix. `rgb` is the caller's, of width * height * 3 values. */
gboolean pmt_picture_flatten (const PmtPicture *rgba, float *rgb, GError **error);

/* Lays `layer` (RGBA, its left upper corner at x, y of `picture`) over `picture` (RGBA) with `blend` (layer-sized, 1 channel) as layer mask.
 * Where blend is 0 the picture's values are not touched. Parts of the layer outside the picture are dropped. */
void pmt_picture_lay_over (PmtPicture *picture, const PmtPicture *layer, const PmtPicture *blend, int x, int y);
