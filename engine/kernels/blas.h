/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Matrix products in float. blas.c is the only caller of OpenBLAS. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/cancel.h"
#include "engine/base/error.h"

/* C = alpha op(A) op(B) + beta C, all row-major; ld* are row strides in values.
 * op(A) is [m, k]: A is stored [m, k], or [k, m] when trans_a. op(B) is [k, n]: B is stored [k, n], or [n, k] when trans_b.
 * With beta 0, C may be uninitialised. */
typedef struct PmtGemm {
  bool trans_a, trans_b;
  int64_t m, n, k;
  float alpha;
  const float *a;
  int64_t lda;
  const float *b;
  int64_t ldb;
  float beta;
  float *c;
  int64_t ldc;
} PmtGemm;

/* On all threads of the pool, in bands of rows (or of columns, if there are more of those) that take some 25 ms each at
 * 100 GFLOP/s and whose size depends on m, n and k alone; false when `cancel` stopped it between bands. The bytes of C depend on m, n, k and the thread count: callers who promise rows
 * that are independent of their batch call it once per row of the batch. */
bool pmt_gemm (const PmtCancel *cancel, const PmtGemm *g);

/* On the calling thread alone, whether or not that is inside pmt_parallel_for, with equal bytes in both cases; not banded. */
void pmt_gemm_serial (const PmtGemm *g);

/* TRUE when the loaded OpenBLAS is the OpenMP build, which shares our thread pool. Programs ask once, at start;
 * PMT_ERROR_UNSUPPORTED says which package to install. */
gboolean pmt_blas_check (GError **error);
/* For logs and benches. Static strings of the library. */
const char *pmt_blas_config (void);
const char *pmt_blas_core (void);
