/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is there, so blurred that its colours remain and its shapes do not. */
#include "engine/image/gauss.h"
#include "engine/image/prefill.h"

/* That of a kernel of 65 pixels as image libraries choose it, for a network with 512 pixels a side. */
#define SIGMA 10.1
#define LEAST_SIGMA 0.5

static gboolean
make (const float *rgb, const float *hole, int width, int height, double unit, float *out, GError **error)
{
  return pmt_gauss_blur (rgb, width, height, 3, CLAMP (SIGMA * unit, LEAST_SIGMA, 100), 0, out, error);
}

const PmtPrefill pmt_prefill_blur = {
  .id = "blur",
  .summary = "What is there, blurred: for painting something else in the same colours.",
  .make = make,
};
