/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scribbles from a picture by a difference of Gaussians, as sd-webui-controlnet's scribble_xdog (after Winnemoeller et al. 2012). That
 * program doubles the difference in 8 bits, so that its strongest edges wrap around to black; here they stay white. */
#include <stdlib.h>

#include "engine/image/gauss.h"
#include "engine/image/preprocessors/common.h"

static const PmtParam params[] = {
  { "threshold", N_("_Threshold"), N_("Lower draws more strokes."), PMT_PARAM_INT, 1, 64, 32 },
  { 0 }
};

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  const int w = image->width, h = image->height, threshold = (int) pmt_param_number (values, "threshold");
  float *rgb = pmt_preprocess_floats (image, error), *fine = rgb ? pmt_pixels_new ((size_t) w * (size_t) h * 3, error) : NULL;
  float *coarse = fine ? pmt_pixels_new ((size_t) w * (size_t) h * 3, error) : NULL;
  gboolean good = coarse && pmt_gauss_blur (rgb, w, h, 3, 0.5, 0, fine, error) && pmt_gauss_blur (rgb, w, h, 3, 5, 0, coarse, error);

  if (good) {
    for (int i = 0; i < w * h; i++) {
      float darkest = coarse[i * 3] - fine[i * 3];
      for (int c = 1; c < 3; c++)
        darkest = MIN (darkest, coarse[i * 3 + c] - fine[i * 3 + c]);
      const int edge = 255 - (int) CLAMP (255 - darkest, 0, 255);
      rgb[i] = 2 * edge > threshold ? 255 : 0;
    }
    good = pmt_preprocess_from_grey (rgb, image, out, error);
  }
  free (coarse);
  free (fine);
  free (rgb);
  return good;
}

const PmtPreprocessor pmt_preprocessor_scribble_xdog = {
  .id = "scribble-xdog",
  .label = N_("Scribble by difference of blurs"),
  .summary = N_("White strokes where a picture has dark lines and the edges of light things."),
  .controls = "scribble",
  .params = params,
  .run = run,
};
