/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Line art without weights: how much darker a pixel is than its blurred surroundings (controlnet_aux and sd-webui-controlnet call it
 * lineart_standard). Bright lines on black. */
#include <stdlib.h>

#include "engine/image/gauss.h"
#include "engine/image/preprocessors/common.h"

static const PmtParam params[] = {
  { "sigma", N_("_Blur"), N_("Radius in pixels of the surroundings that a line stands out from."), PMT_PARAM_DOUBLE, 0.5, 50, 6 },
  { "threshold", N_("_Threshold"), N_("Differences up to this are not counted when the lines are brightened."), PMT_PARAM_INT, 0, 64, 8 },
  { 0 }
};

static int
compare (gconstpointer a, gconstpointer b)
{
  const float x = *(const float *) a, y = *(const float *) b;

  return (x > y) - (x < y);
}

/* Median of the values above `threshold`, at least 16. `scratch` has room for all. */
static float
typical (const float *values, int n, float threshold, float *scratch)
{
  int kept = 0;

  for (int i = 0; i < n; i++)
    if (values[i] > threshold)
      scratch[kept++] = values[i];
  if (kept == 0)
    return 16;
  qsort (scratch, (size_t) kept, sizeof (float), compare);
  return MAX (kept % 2 ? scratch[kept / 2] : (scratch[kept / 2 - 1] + scratch[kept / 2]) / 2, 16);
}

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  const int w = image->width, h = image->height, n = w * h;
  float *rgb = pmt_preprocess_floats (image, error), *blurred = rgb ? pmt_pixels_new ((size_t) n * 3, error) : NULL;
  gboolean good = blurred && pmt_gauss_blur (rgb, w, h, 3, pmt_param_number (values, "sigma"), 0, blurred, error);

  if (good) {
    for (int i = 0; i < n; i++) {
      float least = 255;
      for (int c = 0; c < 3; c++)
        least = MIN (least, blurred[i * 3 + c] - rgb[i * 3 + c]);
      rgb[i] = MAX (least, 0); /* the three values of pixel i have been read */
    }
    const float scale = 127 / typical (rgb, n, (float) pmt_param_number (values, "threshold"), blurred);
    for (int i = 0; i < n; i++)
      rgb[i] *= scale;
    good = pmt_preprocess_from_grey (rgb, image, out, error);
  }
  free (blurred);
  free (rgb);
  return good;
}

const PmtPreprocessor pmt_preprocessor_lineart = {
  .id = "lineart",
  .label = N_("Line art"),
  .summary = N_("The dark lines of a drawing or photograph, bright on black."),
  .controls = "lineart lineart-anime",
  .params = params,
  .run = run,
};
