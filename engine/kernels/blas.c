/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/kernels/blas.h"

#include <cblas.h>
#include <openblas_config.h>

#include "engine/base/threads.h"

/* 5e9 operations are 50 ms at 100 GFLOP/s, a slow machine's speed. */
static const double BAND_FLOPS = 5e9;
enum { BAND_STEP = 64 };

static void
product (const PmtGemm *g, int64_t begin, int64_t count)
{
  const float *a = g->a + (g->trans_a ? begin : begin * g->lda);
  cblas_sgemm (CblasRowMajor, g->trans_a ? CblasTrans : CblasNoTrans, g->trans_b ? CblasTrans : CblasNoTrans,
               (blasint) count, (blasint) g->n, (blasint) g->k, g->alpha, a, (blasint) g->lda, g->b, (blasint) g->ldb,
               g->beta, g->c + begin * g->ldc, (blasint) g->ldc);
}

bool
pmt_gemm (const PmtCancel *cancel, const PmtGemm *g)
{
  pmt_threads_adopt ();
  double per_row = 2.0 * (double) g->n * (double) g->k;
  int64_t band = per_row > 0 ? (int64_t) MIN (BAND_FLOPS / per_row, 1e9) : g->m;
  band = MAX (BAND_STEP, band / BAND_STEP * BAND_STEP);
  for (int64_t begin = 0; begin < g->m; begin += band) {
    if (pmt_cancelled (cancel))
      return false;
    product (g, begin, MIN (band, g->m - begin));
  }
  return !pmt_cancelled (cancel);
}

void
pmt_gemm_serial (const PmtGemm *g)
{
  PmtThreadsSolo solo = pmt_threads_solo_begin ();
  product (g, 0, g->m);
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
