/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tensors from and to safetensors for `net`: NCHW in files, NHWC inside. */
#pragma once

#include "engine/tensor/context.h"
#include "engine/weights/safetensors.h"

/* NULL + PMT_ERROR_INPUT that lists what the file has. */
const PmtSafetensor *pmt_net_find (const PmtSafetensors *file, const char *name, GError **error);
/* The same under any of the names (NULL-terminated); a file's only tensor may have any name. */
const PmtSafetensor *pmt_net_find_any (const PmtSafetensors *file, const char *const *names, GError **error);

/* FALSE + PMT_ERROR_INPUT unless the tensor has `rank`, and dim[i] wherever dim[i] >= 0. */
gboolean pmt_net_check (const PmtSafetensors *file, const PmtSafetensor *tensor, int rank, const int64_t *dim, GError **error);

/* Values in ctx's arena, rank 4 turned to NHWC. Errors are the context's. */
PmtTensor pmt_net_read (PmtContext *ctx, const PmtSafetensors *file, const PmtSafetensor *tensor);

/* Tensor "timestep" for `rows` rows: one value for all of them, or one each. free() them; NULL + error otherwise. */
float *pmt_net_read_timesteps (const PmtSafetensors *file, int64_t rows, GError **error);

/* Outputs, collected and written at the end. Rank 4 is turned to NCHW. */
typedef struct PmtNetOut {
  PmtSafetensorOut tensor[192];
  guint n;
} PmtNetOut;
gboolean pmt_net_add (PmtNetOut *out, const char *name, PmtTensor tensor, GError **error); /* `name` is copied */
gboolean pmt_net_write (PmtNetOut *out, const char *path, GError **error);
void pmt_net_clear (PmtNetOut *out);
