/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Number formats of weight files, and their conversion to f32. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  PMT_DTYPE_F32,
  PMT_DTYPE_F16,
  PMT_DTYPE_BF16,
  PMT_DTYPE_F64,
  PMT_DTYPE_I64,
  PMT_DTYPE_I32,
  PMT_DTYPE_I16,
  PMT_DTYPE_I8,
  PMT_DTYPE_U64,
  PMT_DTYPE_U32,
  PMT_DTYPE_U16,
  PMT_DTYPE_U8,
  PMT_DTYPE_BOOL,
  PMT_DTYPE_F8_E4M3,
  PMT_DTYPE_F8_E5M2,
  PMT_DTYPE_C64,
  PMT_DTYPE_OTHER, /* a name that this reader does not know; size 0, its byte count is not checked */
  PMT_DTYPE_Q4_0,  /* blocks of 32 values in GGUF files: quant.h */
  PMT_DTYPE_Q4_1,
  PMT_DTYPE_Q5_0,
  PMT_DTYPE_Q5_1,
  PMT_DTYPE_Q8_0
} PmtDtype;

/* "F16" as files spell it; "?" for PMT_DTYPE_OTHER and formats in blocks. */
const char *pmt_dtype_name (PmtDtype dtype);
/* PMT_DTYPE_OTHER for an unknown name. */
PmtDtype pmt_dtype_from_name (const char *name);
/* Bytes per value; 0 for PMT_DTYPE_OTHER and for formats in blocks. */
size_t pmt_dtype_size (PmtDtype dtype);

/* True for F32, F16, BF16, F64, I64, I32: what pmt_dtype_to_f32 can do. Formats in blocks have a reader of their own (quant.h). */
bool pmt_dtype_is_readable (PmtDtype dtype);

/* n little-endian values at `src` (any alignment) to f32. F16 keeps subnormals, infinities and NaN; F64 and integers round to
 * nearest. `dtype` must be readable. */
void pmt_dtype_to_f32 (PmtDtype dtype, const void *src, size_t n, float *dst);
/* One f32 to f16 bits, round to nearest even, overflow to infinity. */
uint16_t pmt_f16_from_f32 (float value);
