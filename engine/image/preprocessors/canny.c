/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What ControlNet's canny models were trained on: OpenCV's Canny of the colour picture, not blurred, white on black. */
#include <stdlib.h>

#include "engine/image/preprocessors/common.h"

static const PmtParam params[] = {
  { "low", N_("_Low threshold"), N_("Edges weaker than this are dropped."), PMT_PARAM_DOUBLE, 0, 2040, 100 },
  { "high", N_("_High threshold"), N_("Edges stronger than this are kept, with the weaker ones that continue them."), PMT_PARAM_DOUBLE, 0,
    2040, 200 },
  { 0 }
};

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  guint8 *bytes = pmt_preprocess_bytes (image, error);
  guint8 *edges = bytes ? pmt_canny (bytes, image->width, image->height, 3, pmt_param_number (values, "low"),
                                     pmt_param_number (values, "high"), error)
                        : NULL;
  gboolean good = edges && pmt_preprocess_from_bytes (edges, image, out, error);

  free (edges);
  free (bytes);
  return good;
}

const PmtPreprocessor pmt_preprocessor_canny = {
  .id = "canny",
  .label = N_("Canny edges"),
  .summary = N_("White lines, one pixel wide, along the edges of a picture."),
  .controls = "canny",
  .params = params,
  .run = run,
};
