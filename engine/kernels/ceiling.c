/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/kernels/ceiling.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/error.h"
#include "engine/base/threads.h"
#include "engine/kernels/blas.h"
#include "engine/kernels/ceiling_dnnl.h"
#include "engine/kernels/packed.h"

#define BUDGET 0.05 /* seconds for each shape and kind */

/* Rows, outputs and inputs of an attention's projections, two convolutions, a feed-forward layer and something square. */
static const int64_t shapes[][3] = { { 4096, 320, 320 }, { 1024, 320, 2880 }, { 512, 640, 5760 }, { 512, 5120, 640 }, { 576, 1024, 1024 } };
/* The copy is more than a last-level cache holds, and than any x or y above. */
enum { COPY_VALUES = 24 << 20, MOST_XY = 3 << 20, MOST_W = 640 * 5760 };

typedef struct Bench {
  const PmtCancel *cancel;
  float *x, *w, *y;
  void *packed, *scratch;
  /* what is timed */
  PmtGemm gemm;
  PmtProduct product;
  PmtDnnl *dnnl; /* NULL without the library */
} Bench;

static void
run_gemm (Bench *b)
{
  pmt_gemm (b->cancel, &b->gemm);
}

static void
run_product (Bench *b)
{
  pmt_product (b->cancel, &b->product, b->scratch);
}

static void
run_dnnl (Bench *b)
{
  pmt_dnnl_run (b->dnnl);
}

static void
copy_range (void *user, size_t begin, size_t end)
{
  Bench *b = user;
  memcpy (b->y + begin, b->x + begin, (end - begin) * sizeof (float));
}

static void
run_copy (Bench *b)
{
  pmt_parallel_for (b->cancel, COPY_VALUES, 1 << 16, copy_range, b);
}

/* Seconds of the fastest of as many runs as fit the budget, two at least. */
static double
least_seconds (Bench *b, void (*run) (Bench *))
{
  const double start = pmt_work_clock ();
  double least = G_MAXDOUBLE;
  for (int i = 0; (i < 2 || pmt_work_clock () - start < BUDGET) && !pmt_cancelled (b->cancel); i++) {
    const double begin = pmt_work_clock ();
    run (b);
    least = MIN (least, MAX (pmt_work_clock () - begin, 1e-6));
  }
  return least;
}

static void
raise_to (double *best, double speed)
{
  *best = MAX (*best, speed);
}

static void
measure_shape (Bench *b, PmtCeiling *ceiling, const PmtKernels *kernels, int64_t m, int64_t n, int64_t k)
{
  const double gflop = 2e-9 * (double) m * (double) n * (double) k;
  b->gemm = (PmtGemm) { .trans_b = true, .m = m, .n = n, .k = k, .alpha = 1, .a = b->x, .lda = k, .b = b->w, .ldb = k, .c = b->y, .ldc = n };
  raise_to (&ceiling->openblas, gflop / least_seconds (b, run_gemm));
  for (PmtPrecision precision = 0; precision < PMT_PRECISIONS; precision++) {
    const PmtProductKernels *tiles = pmt_product_kernels (kernels, precision);
    if (b->dnnl && pmt_dnnl_prepare (b->dnnl, precision, m, n, k)) {
      const double seconds = least_seconds (b, run_dnnl);
      if (pmt_dnnl_ready (b->dnnl))
        raise_to (&ceiling->dnnl[precision], gflop / seconds);
    }
    if (!tiles)
      continue;
    PmtPacked packed = { tiles, precision, n, k, b->packed };
    pmt_packed_fill (&packed, b->w);
    b->product = (PmtProduct) { .w = &packed, .m = m, .y = b->y, .ldy = n, .x = b->x, .ldx = k };
    raise_to (&ceiling->tiles[precision], gflop / least_seconds (b, run_product));
  }
}

static float *
take (size_t bytes, bool *good)
{
  float *memory = *good ? aligned_alloc (64, (bytes + 63) & ~(size_t) 63) : NULL;
  *good = memory != NULL;
  return memory;
}

/* Room for the largest weight and the largest scratch memory. */
static void
take_packed (Bench *b, const PmtKernels *kernels, bool *good)
{
  size_t packed = 64, scratch = 64;
  for (PmtPrecision precision = 0; precision < PMT_PRECISIONS; precision++) {
    const PmtProductKernels *tiles = pmt_product_kernels (kernels, precision);
    for (size_t i = 0; tiles && i < G_N_ELEMENTS (shapes); i++)
      packed = MAX (packed, pmt_packed_bytes (tiles, shapes[i][1], shapes[i][2]));
    scratch = tiles ? MAX (scratch, pmt_product_scratch (tiles)) : scratch;
  }
  b->packed = take (packed, good);
  b->scratch = take (scratch, good);
}

gboolean
pmt_ceiling_measure (PmtCeiling *ceiling, const PmtKernels *kernels, bool copy, const PmtCancel *cancel, GError **error)
{
  Bench b = { .cancel = cancel };
  bool good = true;
  const size_t values = copy ? COPY_VALUES : MAX (MOST_XY, MOST_W);
  b.x = take (sizeof (float) * values, &good);
  b.y = take (sizeof (float) * values, &good);
  b.w = take (sizeof (float) * MOST_W, &good);
  take_packed (&b, kernels, &good);
  b.dnnl = good ? pmt_dnnl_new () : NULL;
  if (b.dnnl)
    g_strlcpy (ceiling->dnnl_version, pmt_dnnl_version (b.dnnl), sizeof ceiling->dnnl_version);
  if (good) {
    for (size_t i = 0; i < values; i++)
      b.x[i] = (float) (i * 2654435761u % 1000) * 1e-3f - 0.5f;
    memcpy (b.w, b.x, sizeof (float) * MOST_W);
    for (size_t i = 0; i < G_N_ELEMENTS (shapes); i++)
      measure_shape (&b, ceiling, kernels, shapes[i][0], shapes[i][1], shapes[i][2]);
    if (copy)
      ceiling->copy = MAX (ceiling->copy, 2e-9 * sizeof (float) * COPY_VALUES / least_seconds (&b, run_copy));
  } else {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is too little memory to measure the machine's speed; close other programs."));
  }
  pmt_dnnl_free (b.dnnl);
  free (b.x);
  free (b.y);
  free (b.w);
  free (b.packed);
  free (b.scratch);
  if (good && pmt_cancelled (cancel)) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_CANCELLED, "Cancelled.");
    return FALSE;
  }
  return good;
}

double
pmt_ceiling_product (const PmtCeiling *ceiling, PmtPrecision precision)
{
  const double best = MAX (ceiling->dnnl[precision], ceiling->tiles[precision]);
  return precision == PMT_PRECISION_F32 ? MAX (ceiling->openblas, best) : best;
}
