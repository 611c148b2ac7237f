/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/kernels/blas.h"

#include <cblas.h>
#include <openblas_config.h>

#include "engine/base/threads.h"

/* 25 ms at 100 GFLOP/s, a slow machine's speed; much smaller bands would spend their time packing the other matrix again. */
static const double BAND_FLOPS = 2.5e9;
enum { BAND_STEP = 64 };

/* Rows [i, i + m) and columns [j, j + n) of the product. */
static void
product (const PmtGemm *g, int64_t i, int64_t m, int64_t j, int64_t n)
{
  const float *a = g->a + (g->trans_a ? i : i * g->lda), *b = g->b + (g->trans_b ? j * g->ldb : j);
  cblas_sgemm (CblasRowMajor, g->trans_a ? CblasTrans : CblasNoTrans, g->trans_b ? CblasTrans : CblasNoTrans,
               (blasint) m, (blasint) n, (blasint) g->k, g->alpha, a, (blasint) g->lda, b, (blasint) g->ldb, g->beta,
               g->c + i * g->ldc + j, (blasint) g->ldc);
}

bool
pmt_gemm (const PmtCancel *cancel, const PmtGemm *g)
{
  pmt_threads_adopt ();
  /* The longer side is cut, so that the other one, packed anew for every band, is the shorter. */
  bool by_rows = g->m >= g->n;
  int64_t length = by_rows ? g->m : g->n, other = by_rows ? g->n : g->m;
  double each = 2.0 * (double) other * (double) g->k;
  int64_t band = each > 0 ? (int64_t) MIN (BAND_FLOPS / each, 1e9) : length;
  band = MAX (BAND_STEP, band / BAND_STEP * BAND_STEP);
  for (int64_t begin = 0; begin < length; begin += band) {
    if (pmt_cancelled (cancel))
      return false;
    int64_t count = MIN (band, length - begin);
    if (by_rows)
      product (g, begin, count, 0, g->n);
    else
      product (g, 0, g->m, begin, count);
  }
  return !pmt_cancelled (cancel);
}

void
pmt_gemm_serial (const PmtGemm *g)
{
  PmtThreadsSolo solo = pmt_threads_solo_begin ();
  product (g, 0, g->m, 0, g->n);
  pmt_threads_solo_end (solo);
}

gboolean
pmt_blas_check (GError **error)
{
  if (openblas_get_parallel () == OPENBLAS_OPENMP)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               "The OpenBLAS library that was loaded (%s) is not its OpenMP build; install libopenblas0-openmp and make it the "
               "system's choice.",
               openblas_get_config ());
  return FALSE;
}

const char *
pmt_blas_config (void)
{
  return openblas_get_config ();
}

const char *
pmt_blas_core (void)
{
  return openblas_get_corename ();
}
