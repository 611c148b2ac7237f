/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The picture itself, for tile models, which keep the layout and invent the details: optionally made coarser first. */
#include <stdlib.h>

#include "engine/image/preprocessors/common.h"
#include "engine/image/resize.h"

static const PmtParam params[] = {
  { "coarser", N_("_Coarser"), N_("How many times smaller the picture is made, and back, so that details are left to the model."),
    PMT_PARAM_DOUBLE, 1, 16, 1 },
  { 0 }
};

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  const int w = image->width, h = image->height, n = w * h * 3;
  const double factor = pmt_param_number (values, "coarser");
  const int small_w = MAX ((int) (w / factor), 1), small_h = MAX ((int) (h / factor), 1);
  float *rgb = pmt_preprocess_floats (image, error), *small = rgb ? pmt_pixels_new ((size_t) small_w * (size_t) small_h * 3, error) : NULL;
  gboolean good = small && pmt_picture_init (out, w, h, 3, error);

  for (int i = 0; good && i < n; i++)
    rgb[i] /= 255;
  good = good && pmt_resize (PMT_FILTER_BOX, rgb, w, h, 3, small, small_w, small_h, error) &&
         pmt_resize (PMT_FILTER_AUTO, small, small_w, small_h, 3, out->data, w, h, error);
  free (small);
  free (rgb);
  return good;
}

const PmtPreprocessor pmt_preprocessor_tile = {
  .id = "tile",
  .label = N_("Tile"),
  .summary = N_("The picture as it is, or coarser, for models that add detail."),
  .controls = "tile ip2p",
  .params = params,
  .run = run,
};
