/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the shapes of a file's tensors say where no config.json is beside it: which spelling its names are in, and its configuration. */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/weights/families.h"
#include "engine/weights/names.h"
#include "engine/weights/source.h"

/* How the component under `prefix` is spelled; FALSE when there is none. `names` is PMT_NAMES_UNET, _VAE, _CLIP_TEXT (which may turn out
 * to be PMT_NAMES_OPEN_CLIP) or _CONTROLNET. */
gboolean pmt_derive_spelling (const PmtSafetensors *file, const char *prefix, PmtNames names, PmtSpelling *spelling);
/* The same under the prefixes that such a component is known to have in files; *prefix is static. */
gboolean pmt_derive_find (const PmtSafetensors *file, PmtNames names, const char **prefix, PmtSpelling *spelling);

/* Of a UNet or a ControlNet; FALSE when it has no first convolution. */
gboolean pmt_derive_traits (PmtWeights *unet, PmtUnetTraits *traits);

/* Newly referenced configs in diffusers' keys. What shapes cannot tell (heads, groups, scaling) is the family's. */
JsonObject *pmt_derive_unet (PmtWeights *unet, const PmtFamily *family);
JsonObject *pmt_derive_controlnet (PmtWeights *controlnet, const PmtFamily *family);
JsonObject *pmt_derive_vae (PmtWeights *vae, const PmtFamily *family);
/* `base` is the text config that says what shapes cannot (a family's text_config or text_2_config). With `drop_last` one layer less than
 * there is: SD 2 takes the text from before OpenCLIP's last one. */
JsonObject *pmt_derive_text (PmtWeights *text, const char *base, gboolean drop_last);
