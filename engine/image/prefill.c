/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/prefill.h"

#include <stdlib.h>
#include <string.h>

#include "engine/image/picture.h"

extern const PmtPrefill pmt_prefill_surroundings, pmt_prefill_blur, pmt_prefill_gray;
const PmtPrefill *const pmt_prefills[] = { &pmt_prefill_surroundings, &pmt_prefill_blur, &pmt_prefill_gray, NULL };

const PmtPrefill *
pmt_prefill_find (const char *id)
{
  for (gsize i = 0; pmt_prefills[i]; i++)
    if (strcmp (pmt_prefills[i]->id, id) == 0)
      return pmt_prefills[i];
  return NULL;
}

gboolean
pmt_prefill_apply (const PmtPrefill *prefill, float *rgb, const float *mask, int width, int height, int native, GError **error)
{
  const size_t n = (size_t) width * (size_t) height;
  float *hole = pmt_pixels_new (n, error), *fill = hole ? pmt_pixels_new (n * 3, error) : NULL;
  gboolean good = fill != NULL;

  for (size_t i = 0; good && i < n; i++)
    hole[i] = CLAMP (2 * mask[i] - 1, 0, 1);
  good = good && prefill->make (rgb, hole, width, height, native / 512.0, fill, error);
  for (size_t i = 0; good && i < n; i++)
    for (size_t c = 0; hole[i] > 0 && c < 3; c++)
      rgb[i * 3 + c] = CLAMP (rgb[i * 3 + c] + hole[i] * (fill[i * 3 + c] - rgb[i * 3 + c]), 0, 1);
  free (hole);
  free (fill);
  return good;
}
