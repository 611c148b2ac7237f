/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a model without a scheduler_config.json says about its predictions (formats.md 1.4). */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/weights/families.h"

/* Makes *scheduler the family's, changed by what the file says in its metadata or by marker tensors ("v_pred", "ztsnr"). *known is FALSE when
 * nothing tells noise from velocity: SD 2's plain UNets are published as both. `file` may be NULL (nothing more to read), and `traits`
 * too (a plain UNet). PMT_ERROR_UNSUPPORTED for a prediction that the metadata names and nobody here knows. */
gboolean pmt_prediction_adopt (const PmtSafetensors *file, const PmtFamily *family, const PmtUnetTraits *traits, JsonObject **scheduler,
                               gboolean *known, GError **error);

/* The same for a UNet that takes the place of another model's: changes what `scheduler` says of predictions and leaves its other settings.
 * Where the file tells nothing, nothing changes but for SD 2, of which there are two kinds. On failure nothing does either. */
gboolean pmt_prediction_replace (const PmtSafetensors *file, const PmtFamily *family, const PmtUnetTraits *traits, JsonObject *scheduler,
                                 gboolean *known, GError **error);

/* Whether a single file of SD 2 is of the kind that was trained at 512 pixels, not at 768: that predicts noise, not velocity, as do the
 * inpainting and depth networks made from it; or its name says so. `prediction` NULL: not known. */
gboolean pmt_prediction_is_small_sd2 (const char *path, PmtUnetUse use, const char *prediction);

/* What running a UNet has shown, for all of this process, by whatever tells one file from another. Any thread. */
void pmt_prediction_remember (const char *identity, gboolean epsilon);
gboolean pmt_prediction_recall (const char *identity, gboolean *epsilon);
