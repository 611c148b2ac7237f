/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results into the picture: the only place that edits the image, in one undo step.
 *
 * A canvas that is to grow (inputs.h: before) grows first; what lies on it moves with it.
 *
 * Each result becomes a layer above the user's and what was painted directly above that before (stack.h), under the same parent, with its
 * blend mask as layer mask (none where the result has none) and with recipe and inputs as parasites; several go into one group, named after the day, with only the first visible.
 * Maps (maps.h) become channels that are not shown; a result of which only they are wanted makes no layer.
 * Where the mask is 0 the flattened picture stays the same to the bit. Selection, paths and selected items are as they were. */
#pragma once

#include <libgimp/gimp.h>

#include "plugin/result.h"

/* What is new in the image: NULL-terminated arrays; GIMP owns the items. */
typedef struct PmtDelivered {
  GimpLayer **layers;     /* one per result, without the group that they are in */
  GimpChannel **channels; /* maps */
} PmtDelivered;

/* results: PmtResult, at least one. above: the user's layer, NULL or removed since: on top. An indexed image is converted to RGB when
 * convert_indexed is TRUE, else refused; channels alone fit any image. Results for canvases that grow differently are refused; where the canvas
 * is not the one that they were painted for, the user is told. NULL + error: the image is as it was. */
PmtDelivered *pmt_deliver (GimpImage *image, GimpLayer *above, GPtrArray *results, gboolean convert_indexed, GError **error);
/* Says where channels are, which are not seen in the picture, and what keeps the first layer from being seen. */
void pmt_delivered_tell (const PmtDelivered *delivered);
void pmt_delivered_free (PmtDelivered *delivered); /* NULL is fine */

/* FALSE + PMT_ERROR_INPUT when the image was closed, or its type would make pmt_deliver refuse. */
gboolean pmt_deliver_check (GimpImage *image, gboolean convert_indexed, GError **error);
