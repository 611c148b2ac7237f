/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The colours around a hole run into it and meet smoothly; what was there leaves no trace. */
#include <stdlib.h>
#include <string.h>

#include "engine/image/membrane.h"
#include "engine/image/picture.h"
#include "engine/image/prefill.h"

static gboolean
make (const float *rgb, const float *hole, int width, int height, double unit, float *out, GError **error)
{
  const size_t n = (size_t) width * (size_t) height;
  uint8_t *open = pmt_marks_new (n, error);
  gboolean good;

  if (!open)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    open[i] = hole[i] > 0;
  memcpy (out, rgb, n * 3 * sizeof (float));
  good = pmt_membrane (out, width, height, 3, open, error);
  free (open);
  return good;
}

const PmtPrefill pmt_prefill_surroundings = {
  .id = "surroundings",
  .summary = "The colours around run in: for taking things away, and for parts that are empty so far.",
  .make = make,
};
