/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files of a ControlNet or a T2I-Adapter: a diffusers folder, or one file with or without its config.json beside it. */
#pragma once

#include "engine/nets/controlnet.h"
#include "engine/nets/t2i_adapter.h"

/* Opens the weights (headers only) and finds the configuration, from config.json or from the shapes. `base` is the UNet that the network is
 * to be used with: what shapes cannot tell is taken from it; NULL = that of the family that its shapes are of. NULL + error: no such
 * file, no container of tensors, no network of that kind. The weights belong to the caller. */
PmtWeights *pmt_controlnet_open (const char *path, const PmtUnetConfig *base, PmtControlNetConfig *config, GError **error);
PmtWeights *pmt_t2i_open (const char *path, PmtT2iConfig *config, GError **error);
