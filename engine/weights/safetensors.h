/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Safetensors files: a strict reader over a read-only mapping, and a small writer.
 *
 * Layout (format description of huggingface/safetensors): 8 bytes header length N, N bytes of JSON, then the data, which the
 * entries must cover without gap or overlap. Whatever breaks a rule of the format is refused at open with PMT_ERROR_FORMAT and
 * a sentence that names the file and the rule; after a successful open every tensor lies inside the mapping. The size is checked
 * at open only: a file that somebody cuts short while it is mapped ends the process with SIGBUS, as with any mapped file. */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/weights/dtype.h"

#define PMT_SAFETENSORS_MAX_RANK 8
#define PMT_SAFETENSORS_MAX_HEADER 100000000u
#define PMT_SAFETENSORS_MAX_TENSORS 100000u

typedef struct PmtSafetensors PmtSafetensors;

typedef struct PmtSafetensor {
  const char *name;
  PmtDtype dtype;
  const char *dtype_name; /* as the file spells it */
  int rank;               /* 0 = scalar */
  int64_t dim[PMT_SAFETENSORS_MAX_RANK];
  uint64_t count;         /* product of dim; 1 for a scalar */
  const void *data;       /* little endian, C order, any alignment; never NULL */
  uint64_t bytes;
  uint64_t offset;        /* of data, from the file's beginning */
} PmtSafetensor;

/* Opens and checks a file. NULL on failure: PMT_ERROR_NOT_FOUND, PMT_ERROR_IO, PMT_ERROR_FORMAT. */
PmtSafetensors *pmt_safetensors_open (const char *path, GError **error);
/* The same over memory, which is copied to nowhere and must outlive the result; `label` (copied) stands for the path in errors. */
PmtSafetensors *pmt_safetensors_open_memory (const void *bytes, size_t size, const char *label, GError **error);
void pmt_safetensors_free (PmtSafetensors *file); /* NULL is fine */

const char *pmt_safetensors_path (const PmtSafetensors *file);
uint64_t pmt_safetensors_size (const PmtSafetensors *file); /* of the whole file, bytes */
/* The header's JSON text, not terminated; owned by the file. */
const char *pmt_safetensors_header (const PmtSafetensors *file, size_t *length);

/* Tensors in order of their data. */
guint pmt_safetensors_count (const PmtSafetensors *file);
const PmtSafetensor *pmt_safetensors_at (const PmtSafetensors *file, guint index);
/* NULL when there is no such tensor. */
const PmtSafetensor *pmt_safetensors_lookup (const PmtSafetensors *file, const char *name);

/* Value of a key of __metadata__; NULL when absent. */
const char *pmt_safetensors_metadata (const PmtSafetensors *file, const char *key);

/* Values [begin, begin+count) of a tensor as f32. PMT_ERROR_UNSUPPORTED naming file, tensor and dtype where it cannot be read. */
gboolean pmt_safetensors_read_f32 (const PmtSafetensors *file, const PmtSafetensor *tensor, uint64_t begin, uint64_t count,
                                   float *dst, GError **error);

/* Tells the system that the mapped pages will not be needed soon; they are read again from the file when touched. */
void pmt_safetensors_drop_pages (const PmtSafetensors *file);

/* What pmt_safetensors_write takes. Data is host order, C order, `dtype` F32, I64, I32 or F16. */
typedef struct PmtSafetensorOut {
  const char *name;
  PmtDtype dtype;
  int rank;
  int64_t dim[PMT_SAFETENSORS_MAX_RANK];
  const void *data;
} PmtSafetensorOut;

/* Writes `path` by way of a temporary file beside it, so that a reader never sees half of it. `metadata` (string -> string) may be
 * NULL. PMT_ERROR_IO, or PMT_ERROR_INPUT for a repeated or empty name. */
gboolean pmt_safetensors_write (const char *path, const PmtSafetensorOut *tensors, guint n_tensors, GHashTable *metadata,
                                GError **error);
