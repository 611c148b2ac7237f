/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The picture's colours and matter in another order, for ControlNet 1.1's shuffle models, which take the style and not the layout: the
 * picture is looked up through two smooth random maps that spread over all of it. */
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/image/preprocessors/common.h"
#include "engine/image/resize.h"

static const PmtParam params[] = {
  { "seed", N_("Se_ed"), N_("Another seed gives another order."), PMT_PARAM_INT, 0, 4294967295.0, 0 },
  { "cell", N_("_Cell"), N_("Size in pixels of what stays together."), PMT_PARAM_INT, 8, 4096, 256 },
  { 0 }
};

/* A smooth random map [height, width] that uses all of 0..1. malloc'ed. */
static float *
smooth_map (PmtRng *rng, int width, int height, int cell, GError **error)
{
  const int across = width / cell + 3, down = height / cell + 3, n = width * height;
  float *coarse = pmt_pixels_new ((size_t) across * (size_t) down, error), *map = coarse ? pmt_pixels_new ((size_t) n, error) : NULL;
  float least = G_MAXFLOAT, most = -G_MAXFLOAT;

  for (int i = 0; map && i < across * down; i++)
    coarse[i] = pmt_rng_uniform (rng);
  if (map && !pmt_resize (PMT_FILTER_CUBIC, coarse, across, down, 1, map, width, height, error))
    g_clear_pointer (&map, free);
  free (coarse);
  for (int i = 0; map && i < n; i++) {
    least = MIN (least, map[i]);
    most = MAX (most, map[i]);
  }
  for (int i = 0; map && i < n; i++)
    map[i] = most > least ? (map[i] - least) / (most - least) : 0;
  return map;
}

/* Bilinear look-up at (x, y) inside the picture. */
static void
sample (const float *rgb, int w, int h, float x, float y, float *out)
{
  const int x0 = MIN ((int) x, w - 1), y0 = MIN ((int) y, h - 1), x1 = MIN (x0 + 1, w - 1), y1 = MIN (y0 + 1, h - 1);
  const float fx = x - (float) x0, fy = y - (float) y0;

  for (int c = 0; c < 3; c++) {
    const float top = rgb[(y0 * w + x0) * 3 + c] * (1 - fx) + rgb[(y0 * w + x1) * 3 + c] * fx;
    const float bottom = rgb[(y1 * w + x0) * 3 + c] * (1 - fx) + rgb[(y1 * w + x1) * 3 + c] * fx;
    out[c] = (top * (1 - fy) + bottom * fy) / 255;
  }
}

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  const int w = image->width, h = image->height, cell = (int) pmt_param_number (values, "cell");
  PmtRng rng;

  pmt_rng_seed (&rng, (guint64) pmt_param_number (values, "seed"));
  float *rgb = pmt_preprocess_floats (image, error), *xs = rgb ? smooth_map (&rng, w, h, cell, error) : NULL;
  float *ys = xs ? smooth_map (&rng, w, h, cell, error) : NULL;
  const gboolean good = ys && pmt_picture_init (out, w, h, 3, error);
  for (int i = 0; good && i < w * h; i++)
    sample (rgb, w, h, xs[i] * (float) (w - 1), ys[i] * (float) (h - 1), out->data + (size_t) i * 3);
  free (ys);
  free (xs);
  free (rgb);
  return good;
}

const PmtPreprocessor pmt_preprocessor_shuffle = {
  .id = "shuffle",
  .label = N_("Shuffle"),
  .summary = N_("The picture's colours and matter stirred, for models that take over a style."),
  .controls = "shuffle",
  .params = params,
  .run = run,
};
