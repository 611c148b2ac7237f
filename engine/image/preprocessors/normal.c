/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Surface normals from a depth map (near is white). Two conventions: "bae" of ControlNet 1.1 (blue faces the viewer, red to the left, green
 * up; RGB = (n + 1) / 2) and "midas" of ControlNet 1.0, whose models were fed the channels in reverse order and with a flat background. */
#include <math.h>
#include <stdlib.h>

#include "engine/image/preprocessors/common.h"

enum { STYLE_BAE, STYLE_MIDAS };

static const PmtParamChoice styles[] = { { "bae", N_("ControlNet 1.1 (bae)") }, { "midas", N_("ControlNet 1.0 (midas)") }, { 0 } };

static const PmtParam params[] = {
  { .id = "style", .label = N_("_Convention"), .help = N_("Which colours mean which direction."), .type = PMT_PARAM_CHOICE, .text = "bae",
    .choices = styles },
  { "relief", N_("_Relief"), N_("How steep a step of the depth map is."), PMT_PARAM_DOUBLE, 0.01, 100, 1 },
  { "background", N_("_Background"), N_("Depths below this part of the range are flat (ControlNet 1.0)."), PMT_PARAM_DOUBLE, 0, 1, 0.4 },
  { 0 }
};

/* Sobel differences at (x, y), borders mirrored without repeating them, as OpenCV does. */
static void
slopes (const float *grey, int w, int h, int x, int y, float *dx, float *dy)
{
  const int l = x > 0 ? x - 1 : MIN (1, w - 1), r = x < w - 1 ? x + 1 : MAX (w - 2, 0);
  const float *up = grey + (y > 0 ? y - 1 : MIN (1, h - 1)) * w, *down = grey + (y < h - 1 ? y + 1 : MAX (h - 2, 0)) * w;
  const float *here = grey + y * w;

  *dx = up[r] - up[l] + 2 * (here[r] - here[l]) + down[r] - down[l];
  *dy = down[l] - up[l] + 2 * (down[x] - up[x]) + down[r] - up[r];
}

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  const int w = image->width, h = image->height, style = (int) pmt_param_number (values, "style");
  const float relief = (float) pmt_param_number (values, "relief");
  float *grey = pmt_preprocess_grey (image, error), least = 255, most = 0;

  if (!grey)
    return FALSE;
  if (!pmt_picture_init (out, w, h, 3, error)) {
    free (grey);
    return FALSE;
  }
  for (int i = 0; i < w * h; i++) {
    least = MIN (least, grey[i]);
    most = MAX (most, grey[i]);
  }
  const float background = least + (most - least) * (float) pmt_param_number (values, "background");
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++) {
      float dx, dy, dz = style == STYLE_MIDAS ? (float) (2 * G_PI) : 8; /* 8: the weights of a Sobel kernel's one side, doubled */
      float *rgb = out->data + (size_t) (y * w + x) * 3;
      slopes (grey, w, h, x, y, &dx, &dy);
      dx *= relief;
      dy *= relief;
      if (style == STYLE_MIDAS && grey[y * w + x] < background)
        dx = dy = 0;
      const float length = sqrtf (dx * dx + dy * dy + dz * dz);
      const float n[3] = { dx / length, dy / length, dz / length };
      for (int c = 0; c < 3; c++)
        rgb[c] = floorf (CLAMP (n[style == STYLE_MIDAS ? 2 - c : c] * 127.5f + 127.5f, 0, 255)) / 255;
    }
  free (grey);
  return TRUE;
}

const PmtPreprocessor pmt_preprocessor_normal = {
  .id = "normal",
  .label = N_("Normals from depth"),
  .summary = N_("Which way each surface of a depth map faces, as colours."),
  .controls = "normal",
  .params = params,
  .run = run,
};
