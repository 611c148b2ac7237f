/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One network in a file or folder of its own: a UNet, VAE, text encoder or ControlNet, whichever way it is spelled. */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/weights/families.h"
#include "engine/weights/source.h"

/* Opens a safetensors or GGUF file (diffusers' or LDM's names, bare or under one of the usual prefixes, alone or in a whole checkpoint) or a
 * component's folder (config.json and weights). The set answers to diffusers' names. *config (may be NULL) becomes the folder's
 * config.json or one derived from shapes, with what shapes cannot tell taken from `family`; newly referenced. `family` NULL: told by the
 * shapes (for a VAE and CLIP-L, SD 1's). *base (may be NULL) becomes the family that the shapes tell, NULL where they do not. Errors say
 * which file, and what it is when it is no such network. Header only. */
PmtWeights *pmt_weights_open_part (const char *path, PmtNames names, const PmtFamily *family, JsonObject **config, const PmtFamily **base,
                                   GError **error);
