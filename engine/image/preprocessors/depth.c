/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A depth map that somebody painted or rendered, as depth models take it: near is white, the whole range used. */
#include <stdlib.h>

#include "engine/image/preprocessors/common.h"

static const PmtParam params[] = {
  { "invert", N_("_Invert"), N_("Take black as near."), PMT_PARAM_BOOL, 0, 1, 0 },
  { "stretch", N_("_Stretch"), N_("Spread the greys over the whole range from black to white."), PMT_PARAM_BOOL, 0, 1, 1 },
  { 0 }
};

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  const int n = image->width * image->height;
  const bool invert = pmt_param_number (values, "invert") != 0, stretch = pmt_param_number (values, "stretch") != 0;
  float *grey = pmt_preprocess_grey (image, error), least = 255, most = 0;

  if (!grey)
    return FALSE;
  for (int i = 0; i < n; i++) {
    grey[i] = invert ? 255 - grey[i] : grey[i];
    least = MIN (least, grey[i]);
    most = MAX (most, grey[i]);
  }
  /* an even picture has no depth to stretch */
  for (int i = 0; stretch && most > least && i < n; i++)
    grey[i] = (grey[i] - least) / (most - least) * 255;
  const gboolean good = pmt_preprocess_from_grey (grey, image, out, error);
  free (grey);
  return good;
}

const PmtPreprocessor pmt_preprocessor_depth = {
  .id = "depth",
  .label = N_("Depth from greys"),
  .summary = N_("A painted depth map, near in white, stretched to the full range."),
  .controls = "depth",
  .params = params,
  .run = run,
};
