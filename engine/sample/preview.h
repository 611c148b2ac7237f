/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small pictures of unfinished latents: each latent pixel's channels, put through one linear map to red, green and blue. Costs next to
 * nothing, and shows composition and colours. */
#pragma once

#include "engine/sample/model.h"

enum { PMT_PREVIEW_CHANNELS = 16, PMT_PREVIEW_SIDE = 256 };

typedef struct PmtPreviewMap {
  int channels; /* 0 = there is none for this model */
  float factor[PMT_PREVIEW_CHANNELS][3], bias[3]; /* latent as the UNet has it -> red, green, blue in [-1, 1] */
} PmtPreviewMap;

/* From the model folder's pentimento.json ("preview": {"factors": [[r, g, b], one for each channel], "bias": [r, g, b]}), else its
 * family's. A family of its own without that file has none: no picture is better than a wrong one. PMT_ERROR_FORMAT when the file's
 * numbers are not such. */
gboolean pmt_preview_map (const PmtModel *model, PmtPreviewMap *map, GError **error);

/* Size of the preview of a latent: the latent's own, or every k-th pixel where a side would be over PMT_PREVIEW_SIDE. */
void pmt_preview_size (int latent_width, int latent_height, int *width, int *height);
/* latent [h, w, channels] -> rgb [height, width, 3] of that size. */
void pmt_preview_draw (const PmtPreviewMap *map, const float *latent, int latent_width, int latent_height, uint8_t *rgb);
