/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Configurations of single-file checkpoints, read off the shapes of their tensors over the family's own config. */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/weights/families.h"
#include "engine/weights/safetensors.h"

/* FALSE when there is no UNet under `prefix`. */
gboolean pmt_derive_traits (const PmtSafetensors *file, const char *prefix, PmtUnetTraits *traits);

/* Newly referenced diffusers-style configs. What shapes cannot tell (heads, groups, scaling) is the family's. NULL when the
 * file has no such component under `prefix`. */
JsonObject *pmt_derive_unet (const PmtSafetensors *file, const char *prefix, const PmtFamily *family);
JsonObject *pmt_derive_vae (const PmtSafetensors *file, const char *prefix, const PmtFamily *family);
JsonObject *pmt_derive_text (const PmtSafetensors *file, const char *prefix, const PmtFamily *family);
