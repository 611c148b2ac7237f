/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `net image-encoder`: CLIP's image encoder, a file or folder of its own at `path`, or a model's. */
#pragma once

#include "engine/cli/net-io.h"

gboolean pmt_net_image_encoder (const char *path, PmtContext *ctx, const PmtSafetensors *in, PmtNetOut *out, GError **error);
