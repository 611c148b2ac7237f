/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The palette of a picture and where its colours are, as T2I-Adapter's colour model takes it: 1/64 of the size, then squares. */
#include <stdlib.h>

#include "engine/image/preprocessors/common.h"
#include "engine/image/resize.h"

static const PmtParam params[] = {
  { "cell", N_("_Square"), N_("Side of a square in pixels."), PMT_PARAM_INT, 4, 256, 64 },
  { 0 }
};

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  const int w = image->width, h = image->height, n = w * h * 3, cell = (int) pmt_param_number (values, "cell");
  const int across = MAX (w / cell, 1), down = MAX (h / cell, 1);
  float *rgb = pmt_preprocess_floats (image, error), *small = rgb ? pmt_pixels_new ((size_t) across * (size_t) down * 3, error) : NULL;
  gboolean good = small && pmt_picture_init (out, w, h, 3, error);

  for (int i = 0; good && i < n; i++)
    rgb[i] /= 255;
  good = good && pmt_resize (PMT_FILTER_CUBIC, rgb, w, h, 3, small, across, down, error);
  for (int i = 0; good && i < across * down * 3; i++)
    small[i] = CLAMP (small[i], 0, 1);
  for (int y = 0; good && y < h; y++)
    for (int x = 0; x < w; x++)
      for (int c = 0; c < 3; c++)
        out->data[(y * w + x) * 3 + c] = small[((2 * y + 1) * down / (2 * h) * across + (2 * x + 1) * across / (2 * w)) * 3 + c];
  free (small);
  free (rgb);
  return good;
}

const PmtPreprocessor pmt_preprocessor_colour_grid = {
  .id = "colour-grid",
  .label = N_("Colour squares"),
  .summary = N_("The picture as a grid of even squares: its colours and where they are."),
  .controls = "color",
  .params = params,
  .run = run,
};
