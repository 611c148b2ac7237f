/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A drawing or a stencil cut into black and white. */
#include <stdlib.h>

#include "engine/image/preprocessors/common.h"

static const PmtParam params[] = {
  { "threshold", N_("_Threshold"), N_("Greys above this become white."), PMT_PARAM_INT, 0, 254, 127 },
  { "invert", N_("_Invert"), N_("Swap black and white."), PMT_PARAM_BOOL, 0, 1, 0 },
  { 0 }
};

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  const int n = image->width * image->height;
  const float threshold = (float) pmt_param_number (values, "threshold");
  const bool invert = pmt_param_number (values, "invert") != 0;
  float *grey = pmt_preprocess_grey (image, error);

  if (!grey)
    return FALSE;
  for (int i = 0; i < n; i++)
    grey[i] = (grey[i] > threshold) != invert ? 255 : 0;
  const gboolean good = pmt_preprocess_from_grey (grey, image, out, error);
  free (grey);
  return good;
}

const PmtPreprocessor pmt_preprocessor_threshold = {
  .id = "threshold",
  .label = N_("Black and white"),
  .summary = N_("White where the picture is lighter than a threshold."),
  .controls = "scribble lineart",
  .params = params,
  .run = run,
};
