/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Soft edges, in place of the trained detectors HED and PiDiNet: the gradient of a slightly blurred picture. "Safe" cuts it into few
 * levels, as ControlNet 1.1 does, so that no hidden details of the picture come through. */
#include <stdlib.h>

#include "engine/image/preprocessors/common.h"

static const PmtParam params[] = {
  { "safe", N_("_Few levels"), N_("Cut the edges into three levels, so that less of the picture shows through."), PMT_PARAM_BOOL, 0, 1, 0 },
  { 0 }
};

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  const int n = image->width * image->height;
  float *soft = pmt_soft_edges (image, error);

  if (!soft)
    return FALSE;
  if (pmt_param_number (values, "safe") != 0)
    for (int i = 0; i < n; i++)
      soft[i] = MIN ((float) (int) (soft[i] / 255 * 3) / 2 * 255, 255);
  const gboolean good = pmt_preprocess_from_grey (soft, image, out, error);
  free (soft);
  return good;
}

const PmtPreprocessor pmt_preprocessor_softedge = {
  .id = "softedge",
  .label = N_("Soft edges"),
  .summary = N_("Grey outlines that are brighter where the picture changes more."),
  .controls = "softedge",
  .params = params,
  .run = run,
};
