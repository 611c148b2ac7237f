/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A painted map of regions, its colours moved to the nearest ones that segmentation models know (ADE20K's 150 classes), so that a
 * soft brush or a JPEG does not make classes of its own. */
#include <stdlib.h>

#include "engine/image/ade20k.h"
#include "engine/image/preprocessors/common.h"

static const PmtAdeClass *
nearest (const guint8 *rgb)
{
  const PmtAdeClass *best = NULL;
  int least = G_MAXINT;

  for (int k = 0; k < PMT_ADE_CLASSES; k++) {
    const PmtAdeClass *class = &pmt_ade_classes[k];
    int distance = 0;
    for (int c = 0; c < 3; c++)
      distance += (rgb[c] - class->rgb[c]) * (rgb[c] - class->rgb[c]);
    if (distance < least) {
      least = distance;
      best = class;
    }
  }
  return best;
}

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  const int n = image->width * image->height;
  const PmtAdeClass *class = NULL;
  guint8 *bytes = pmt_preprocess_bytes (image, error);

  if (!bytes)
    return FALSE;
  const gboolean good = pmt_picture_init (out, image->width, image->height, 3, error);
  for (int i = 0; good && i < n; i++) {
    /* painted regions are even: most pixels are their neighbour's colour */
    if (!class || bytes[i * 3] != bytes[i * 3 - 3] || bytes[i * 3 + 1] != bytes[i * 3 - 2] || bytes[i * 3 + 2] != bytes[i * 3 - 1])
      class = nearest (bytes + i * 3);
    for (int c = 0; c < 3; c++)
      out->data[i * 3 + c] = (float) class->rgb[c] / 255;
  }
  free (bytes);
  return good;
}

const PmtPreprocessor pmt_preprocessor_segmentation = {
  .id = "segmentation",
  .label = N_("Segmentation colours"),
  .summary = N_("A map of painted regions, each colour moved to the nearest of the 150 classes that such models know."),
  .controls = "seg",
  .run = run,
};
