/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a job works: which part of the picture is painted, by how much the canvas grows for it, and what of the picture is looked at. Nothing
 * here changes the image.
 *
 * Coordinates are those of the canvas as it will be, its left upper corner at 0, 0; the canvas grows when the result is delivered. */
#pragma once

#include <libgimp/gimp.h>

#include "plugin/rect.h"

typedef enum {
  PMT_MASK_SELECTION,
  PMT_MASK_CHANNEL,
  PMT_MASK_PATH,
  PMT_MASK_LAYER_MASK, /* of the layer that the user works on */
  PMT_MASK_UNCOVERED   /* what no opaque pixel covers */
} PmtMaskKind;

typedef struct PmtPlace {
  PmtMaskKind kind;
  GimpItem *item;        /* the channel or path, or the layer of a layer mask */
  GimpChannel *protect;  /* stays as it is, as far as it is white; NULL: none */
  gboolean invert;       /* what is masked stays, the rest is painted */
  const char *unselected; /* the refusal where nothing is selected; NULL: then everything is meant */
  GimpLayer *source;     /* whose pixels count as opaque; NULL: the visible picture's */
  int left, right, top, bottom; /* by which the canvas grows */
  GimpPath *context;     /* bounds of what is looked at; NULL: the engine chooses */
} PmtPlace;

/* Reads the arguments mask, mask-channel, mask-path, protect, context, context-path, grow-left … grow-bottom and grow-unit, as far as the
 * procedure has them. source: the layer that is read, NULL for the visible picture. FALSE + PMT_ERROR_INPUT. */
gboolean pmt_place_from_config (PmtPlace *place, GimpProcedureConfig *config, GimpImage *image, GimpDrawable **drawables, GimpLayer *source,
                                GError **error);
void pmt_place_clear (PmtPlace *place);

/* Nothing but a selection counts, and the canvas stays as it is. */
gboolean pmt_place_is_plain (const PmtPlace *place);
/* Nothing says which part, so all of the picture is painted. */
gboolean pmt_place_is_everything (const PmtPlace *place, GimpImage *image);
/* The canvas, and the bounds of what is painted in it: everything where nothing is selected and that is not refused. FALSE + PMT_ERROR_INPUT when an item is gone
 * or nothing is left to paint. */
gboolean pmt_place_bounds (const PmtPlace *place, GimpImage *image, PmtRect *canvas, PmtRect *bounds, GError **error);
/* The mask in box as f32, 0..1, 1 = painted. *everything: no part of the canvas was chosen, and all of it is 1. */
GBytes *pmt_place_mask (const PmtPlace *place, GimpImage *image, const PmtRect *box, gboolean *everything, GError **error);
/* What is looked at when at least `box` is: the bounds of the path that was chosen, cut at the canvas. FALSE: the engine's choice holds. */
gboolean pmt_place_context (const PmtPlace *place, const PmtRect *canvas, const PmtRect *box, PmtRect *context);
/* The canvas as it is now, in the one that it becomes; width 0 when it stays. */
PmtRect pmt_place_before (const PmtPlace *place, GimpImage *image);
/* The same box in the image as it is now; it can begin before 0 and end beyond its edges. */
PmtRect pmt_place_in_image (const PmtPlace *place, const PmtRect *box);
