/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an inpainting ControlNet takes: the picture, and -1 in every channel where it shall be made anew (ControlNet 1.1's
 * gradio_inpaint). */
#include <stdlib.h>

#include "engine/image/preprocessors/common.h"

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  const int n = image->width * image->height;
  guint8 *bytes = pmt_preprocess_bytes (image, error);
  const gboolean good = bytes && pmt_picture_init (out, image->width, image->height, 3, error);

  for (int i = 0; good && i < n; i++)
    for (int c = 0; c < 3; c++)
      out->data[i * 3 + c] = mask->data[i] >= 0.5f ? -1 : (float) bytes[i * 3 + c] / 255;
  free (bytes);
  return good;
}

const PmtPreprocessor pmt_preprocessor_inpaint = {
  .id = "inpaint",
  .label = N_("Inpainting"),
  .summary = N_("The picture with the masked part taken out, for models that fill it."),
  .controls = "inpaint",
  .needs_mask = true,
  .run = run,
};
