/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/prefill.h"

static gboolean
make (const float *rgb, const float *hole, int width, int height, double unit, float *out, GError **error)
{
  for (size_t i = 0; i < (size_t) width * (size_t) height * 3; i++)
    out[i] = 0.5f;
  return TRUE;
}

const PmtPrefill pmt_prefill_gray = {
  .id = "gray",
  .summary = "Mid-grey, which says nothing: for new things and new backgrounds.",
  .make = make,
};
