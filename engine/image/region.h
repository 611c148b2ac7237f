/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a selection to what the network is shown and what is pasted back.
 *
 * Three nested things, all in picture pixels:
 *   denoise mask  the selection grown by `grow`, its edge softened over `feather`: where the network repaints
 *   blend mask    how the result is mixed into the picture
 *   context box   the part of the picture that the network sees, scaled to the run's size
 *
 * Automatic numbers, with D = diagonal of the selection's bounds, s = strength, k = native / 512 (floors in pixels were found for
 * networks with 512 pixels a side; a smaller network draws smaller things, so they shrink with it):
 *   feather = max (0.10 s D, 32 k s)      grow = 4 k + feather / 2      blend = min (25 k, grow + feather / 2)
 * feather and grow are at most what can be given (1000), so that what was chosen can be asked for again;
 * with feather 0 (given): grow 0 unless given, blend 0 when both are.
 *
 * Promises, with d(p) = distance of p's centre to the centre of the nearest selected pixel (value > 0):
 *   denoise is 0 where d > grow + feather / 2 (and so outside the selection dilated by grow + feather), for grow or feather > 0;
 *           it is 1 where the selection is 1, when grow >= feather / 2 (true of automatic numbers); values above 0.99 are 1
 *   blend   is 0 where d >= grow + feather / 2 and d > 0; it is 1 where d = 0, and as far out as grow + feather / 2 - blend; falls
 *           smoothly between. With grow = feather = 0 both masks are the selection itself, soft values included. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "engine/base/error.h"

typedef struct PmtBox {
  int x, y, width, height;
} PmtBox;

typedef enum { PMT_CONTEXT_AUTO, PMT_CONTEXT_SELECTION, PMT_CONTEXT_WHOLE } PmtContextMode;

typedef struct PmtRegionRequest {
  int canvas_width, canvas_height; /* 1..65536 */
  PmtBox selection;    /* bounds of the mask's non-zero pixels; width 0 = nothing selected, which means everything */
  PmtContextMode mode; /* AUTO: surroundings too when strength is 1; SELECTION: little more than box; WHOLE: the canvas */
  double grow, feather; /* pixels; < 0 = automatic */
  PmtBox context;      /* given by the client (width > 0; must cover `box`), or chosen */
} PmtRegionRequest;

typedef struct PmtRegion {
  PmtBox context; /* what the network sees */
  PmtBox box;     /* bounds of the blend mask's support, inside context: what comes back */
  double grow, feather, blend; /* pixels, in force */
  bool everything; /* the whole canvas is selected: no blending at the border */
} PmtRegion;

/* strength in (0, 1]; native is the model's side in pixels. Boxes lie inside the canvas, context covers box, box covers the selection.
 * PMT_ERROR_INPUT naming the field for boxes outside the canvas and numbers out of range (grow, feather: at most 1000). */
gboolean pmt_region_plan (const PmtRegionRequest *request, double strength, int native, PmtRegion *region, GError **error);

/* The run's size for a context box: one to one where the box has between native² and 1.5 native² pixels, else scaled to native²; aspect
 * kept (but for rounding, and sides no shorter than native / 4); long side at most 1.5 native, area at most 1.5 native². Sides are
 * multiples of native / 8 (64 for 512) where that costs at most 3 % of aspect, else of `multiple`. */
void pmt_region_run_size (const PmtBox *context, int native, int multiple, int *width, int *height);

/* selection, denoise and blend: context-sized, 1 channel, 0..1. `selection` holds soft values; it is not read when region->everything
 * (both masks are then 1). PMT_ERROR_MEMORY. */
gboolean pmt_region_masks (const PmtRegion *region, const float *selection, float *denoise, float *blend, GError **error);
