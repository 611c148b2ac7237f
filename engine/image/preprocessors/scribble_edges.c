/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scribbles from the soft edges of a picture: ridges, made as wide as a pen (ControlNet's fake scribble: non-maximum suppression of the
 * edge map, blur, threshold). */
#include <stdlib.h>

#include "engine/image/gauss.h"
#include "engine/image/preprocessors/common.h"

#define RIDGE_LEAST 80 /* of 255; the detector HED gives wider and stronger edges, hence the original's 127 */
#define PEN_SIGMA 3.0
#define PEN_REACH 9     /* OpenCV's kernel for bytes */

/* Is the pixel as high as its neighbours along one of the four directions? Outside the picture nothing is higher. */
static bool
is_ridge (const float *soft, int w, int h, int x, int y)
{
  static const int step[4][2] = { { 1, 0 }, { 0, 1 }, { 1, 1 }, { 1, -1 } };
  const float here = soft[y * w + x];

  for (int d = 0; d < 4; d++) {
    bool highest = true;
    for (int side = -1; side <= 1; side += 2) {
      const int i = x + side * step[d][0], j = y + side * step[d][1];
      if (i >= 0 && i < w && j >= 0 && j < h && soft[j * w + i] > here)
        highest = false;
    }
    if (highest)
      return true;
  }
  return false;
}

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  const int w = image->width, h = image->height, n = w * h;
  float *soft = pmt_soft_edges (image, error), *wide = soft ? pmt_pixels_new ((size_t) n, error) : NULL;
  gboolean good = wide && pmt_gauss_blur (soft, w, h, 1, PEN_SIGMA, 0, wide, error) &&
                  pmt_stretch_bright (wide, (size_t) n, 16, error);

  if (good) {
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++)
        soft[y * w + x] = wide[y * w + x] > RIDGE_LEAST && is_ridge (wide, w, h, x, y) ? 255 : 0;
    good = pmt_gauss_blur (soft, w, h, 1, PEN_SIGMA, PEN_REACH, wide, error);
  }
  if (good) {
    for (int i = 0; i < n; i++)
      wide[i] = wide[i] >= 4.5f ? 255 : 0;
    good = pmt_preprocess_from_grey (wide, image, out, error);
  }
  free (wide);
  free (soft);
  return good;
}

const PmtPreprocessor pmt_preprocessor_scribble_edges = {
  .id = "scribble-edges",
  .label = N_("Scribble along edges"),
  .summary = N_("Thick white strokes along the strong edges of a picture, as if drawn by hand."),
  .controls = "scribble",
  .run = run,
};
