/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Number formats of GGUF files, those in blocks among them: some values that share a scale (ggml's quantised types). */
#pragma once

#include "engine/weights/dtype.h"

typedef struct PmtGgmlType {
  const char *name; /* "Q8_0" */
  PmtDtype dtype;   /* PMT_DTYPE_OTHER = its size is known, its values cannot be read */
  int block;        /* values per block */
  int bytes;        /* of a block */
} PmtGgmlType;

/* By the number that GGUF files use; NULL for an unknown one. */
const PmtGgmlType *pmt_ggml_type (uint32_t number);

/* True for PMT_DTYPE_Q4_0 … PMT_DTYPE_Q8_0. */
bool pmt_quant_is (PmtDtype dtype);
/* "Q8_0" */
const char *pmt_quant_name (PmtDtype dtype);
/* Values [begin, begin + count) of the blocks at `src` (any alignment) as f32. */
void pmt_quant_to_f32 (PmtDtype dtype, const void *src, uint64_t begin, uint64_t count, float *dst);
