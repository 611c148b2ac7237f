/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `net controlnet` and `net t2i-adapter`: networks that are a file or folder of their own at `path`. */
#pragma once

#include "engine/cli/net-io.h"

gboolean pmt_net_controlnet (const char *path, PmtContext *ctx, const PmtSafetensors *in, PmtNetOut *out, GError **error);
gboolean pmt_net_t2i_adapter (const char *path, PmtContext *ctx, const PmtSafetensors *in, PmtNetOut *out, GError **error);
