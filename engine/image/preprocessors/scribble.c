/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A drawing, dark on light, as scribble models take it: white strokes on black (ControlNet's gradio_scribble2image: white where the
 * smallest of the channels is below 127). */
#include <stdlib.h>

#include "engine/image/preprocessors/common.h"

static const PmtParam params[] = {
  { "threshold", N_("_Threshold"), N_("Pixels darker than this are strokes."), PMT_PARAM_INT, 1, 255, 127 },
  { 0 }
};

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  const int n = image->width * image->height, threshold = (int) pmt_param_number (values, "threshold");
  guint8 *bytes = pmt_preprocess_bytes (image, error);

  if (!bytes)
    return FALSE;
  for (int i = 0; i < n; i++)
    bytes[i] = MIN (MIN (bytes[i * 3], bytes[i * 3 + 1]), bytes[i * 3 + 2]) < threshold ? 255 : 0;
  const gboolean good = pmt_preprocess_from_bytes (bytes, image, out, error);
  free (bytes);
  return good;
}

const PmtPreprocessor pmt_preprocessor_scribble = {
  .id = "scribble",
  .label = N_("Scribble from a drawing"),
  .summary = N_("Dark strokes on light paper become white strokes on black."),
  .controls = "scribble",
  .params = params,
  .run = run,
};
