/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a selection to what the network is shown and what is pasted back (ux.md §3 of the design notes).
 *
 * Three nested things, all in picture pixels: the *denoise mask* (selection grown and feathered: where the network repaints), the
 * *blend mask* (how the result is mixed into the picture; its support lies inside the selection dilated by grow + feather, and it is 1
 * in the selection's core), and the *context box* (the part of the picture the network sees, scaled to the run's size). */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "engine/base/error.h"

typedef struct PmtBox {
  int x, y, width, height;
} PmtBox;

typedef enum { PMT_CONTEXT_AUTO, PMT_CONTEXT_SELECTION, PMT_CONTEXT_WHOLE } PmtContextMode;

typedef struct PmtRegionRequest {
  int canvas_width, canvas_height;
  PmtBox selection;    /* bounds of the mask's non-zero pixels; width 0 = nothing selected, which means everything */
  PmtContextMode mode;
  double grow, feather; /* pixels; < 0 = automatic */
  PmtBox context;      /* given by the client (width > 0), or chosen */
} PmtRegionRequest;

typedef struct PmtRegion {
  PmtBox context; /* what the network sees */
  PmtBox box;     /* bounds of the blend mask's support, inside context: what comes back */
  double grow, feather, blend; /* pixels, in force */
  bool everything; /* the whole canvas is selected: no blending at the border */
} PmtRegion;

/* strength in (0, 1]; native is the model's side in pixels. Boxes lie inside the canvas. */
gboolean pmt_region_plan (const PmtRegionRequest *request, double strength, int native, PmtRegion *region, GError **error);

/* The run's size for a context box: near native area, aspect kept, sides multiples of `multiple`. */
void pmt_region_run_size (const PmtBox *context, int native, int multiple, int *width, int *height);

/* selection, denoise and blend: context-sized, 1 channel. `selection` holds 0..1 soft values. Values of `denoise` above 0.99 are 1. */
gboolean pmt_region_masks (const PmtRegion *region, const float *selection, float *denoise, float *blend, GError **error);
