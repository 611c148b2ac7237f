/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands under a mask before a network paints there. It colours the result also where everything is painted anew, since even the highest
 * noise level lets a little of the start through. One file in engine/image/prefills each. */
#pragma once

#include <glib.h>

#include "engine/base/error.h"

typedef struct PmtPrefill {
  const char *id;      /* plain name: "blur" */
  const char *summary; /* one sentence: what it is for */
  /* A picture whose part under `hole` is the fill; what it is elsewhere does not matter. rgb, out [height, width, 3], 0..1; hole
   * [height, width], 0..1, above 0 = to be filled. unit: pixels that are one pixel of a network with 512 a side. PMT_ERROR_MEMORY. */
  gboolean (*make) (const float *rgb, const float *hole, int width, int height, double unit, float *out, GError **error);
} PmtPrefill;

/* NULL-terminated: surroundings, blur, gray. */
extern const PmtPrefill *const pmt_prefills[];
const PmtPrefill *pmt_prefill_find (const char *id); /* NULL: there is none of that name */

/* In place: rgb [height, width, 3] gets the fill where `mask` [height, width] is above one half, at full from 1 on and less between; elsewhere
 * it stays to the bit, because there the network is shown what is there (or, by soft masks, keeps most of it). native: the network's side in
 * pixels. PMT_ERROR_MEMORY. */
gboolean pmt_prefill_apply (const PmtPrefill *prefill, float *rgb, const float *mask, int width, int height, int native, GError **error);
