/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packed products against sums in double precision, for every precision that the level has; equal bytes however rows are cut. */
#include "engine/kernels/packed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/threads.h"
#include "tests/kernels/rounded.h"

static const int64_t shapes[][3] = { { 1, 1, 1 },      { 3, 5, 7 },     { 12, 32, 64 },    { 13, 33, 65 },   { 144, 32, 256 },
                                     { 145, 96, 257 }, { 77, 40, 513 }, { 300, 70, 1030 }, { 2, 1280, 320 }, { 5, 4, 2880 } };

static const PmtKernels *
level (void)
{
  PmtCpuLevel cpu;
  GError *error = NULL;
  pmt_cpu_select (&cpu, &error);
  g_assert_no_error (error);
  return pmt_kernels_get (cpu);
}

static void
fill (float *x, size_t n, uint32_t seed)
{
  for (size_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    x[i] = (float) (seed >> 8) * 0x1p-23f - 1.0f;
  }
}

typedef struct Case {
  int64_t m, n, k;
  float *x, *w, *bias, *y;
  PmtPacked packed;
  void *scratch;
} Case;

static void
case_init (Case *c, const PmtProductKernels *kernels, PmtPrecision precision, int64_t m, int64_t n, int64_t k)
{
  *c = (Case) { m, n, k, g_new (float, m * k), g_new (float, n * k), g_new (float, n), g_new (float, m * n) };
  fill (c->x, (size_t) (m * k), 1);
  fill (c->w, (size_t) (n * k), 2);
  fill (c->bias, (size_t) n, 3);
  memset (c->y, 0xff, (size_t) (m * n) * sizeof (float)); /* NaN */
  c->packed = (PmtPacked) { kernels, precision, n, k, aligned_alloc (64, (pmt_packed_bytes (kernels, n, k) + 63) & ~(size_t) 63) };
  c->scratch = aligned_alloc (64, pmt_product_scratch (kernels));
  pmt_packed_fill (&c->packed, c->w);
}

static void
case_clear (Case *c)
{
  g_free (c->x);
  g_free (c->w);
  g_free (c->bias);
  g_free (c->y);
  free (c->packed.data);
  free (c->scratch);
}

static void
check_values (const Case *c, bool bias)
{
  double worst = 0, largest = 0;
  for (int64_t i = 0; i < c->m; i++)
    for (int64_t j = 0; j < c->n; j++) {
      double sum = bias ? c->bias[j] : 0;
      for (int64_t l = 0; l < c->k; l++)
        sum += (double) rounded (c->x[i * c->k + l], c->packed.precision) * rounded (c->w[j * c->k + l], c->packed.precision);
      g_assert_false (isnan (c->y[i * c->n + j]));
      worst = fmax (worst, fabs (sum - c->y[i * c->n + j]));
      largest = fmax (largest, fabs (sum));
    }
  g_assert_cmpfloat (worst, <=, 2e-6 * largest);
}

static void
check_precision (PmtPrecision precision)
{
  const PmtProductKernels *kernels = pmt_product_kernels (level (), precision);
  for (gsize s = 0; kernels && s < G_N_ELEMENTS (shapes); s++) {
    Case c;
    case_init (&c, kernels, precision, shapes[s][0], shapes[s][1], shapes[s][2]);
    for (int bias = 0; bias < 2; bias++) {
      PmtProduct product = { .w = &c.packed, .m = c.m, .bias = bias ? c.bias : NULL, .y = c.y, .ldy = c.n, .x = c.x, .ldx = c.k };
      g_assert_true (pmt_product (NULL, &product, c.scratch));
      check_values (&c, bias);
    }
    case_clear (&c);
  }
}

static void
quantise_rows (float *x, int64_t rows, int64_t k, bool left)
{
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < k; i += PMT_PRODUCT_DEPTH_INT8)
      quantised (x + r * k + i, MIN (PMT_PRODUCT_DEPTH_INT8, k - i), left);
}

/* Against sums in double precision of the values that int8 can tell apart, and those against the values themselves. Half of the cases have
 * a left side above -0.2, as activations have. */
static void
test_int8 (void)
{
  const PmtProductKernels *kernels = pmt_product_kernels (level (), PMT_PRECISION_INT8);
  for (gsize s = 0; kernels && s < G_N_ELEMENTS (shapes); s++) {
    Case c;
    case_init (&c, kernels, PMT_PRECISION_INT8, shapes[s][0], shapes[s][1], shapes[s][2]);
    for (int64_t i = 0; s % 2 && i < c.m * c.k; i++)
      c.x[i] = fmaxf (c.x[i], -0.2f);
    PmtProduct product = { .w = &c.packed, .m = c.m, .bias = c.bias, .y = c.y, .ldy = c.n, .x = c.x, .ldx = c.k };
    g_assert_true (pmt_product (NULL, &product, c.scratch));
    g_autofree double *exact = g_new (double, c.m * c.n);
    double error = 0, size = 0;
    for (int64_t i = 0; i < c.m * c.n; i++) {
      exact[i] = c.bias[i % c.n];
      for (int64_t l = 0; l < c.k; l++)
        exact[i] += (double) c.x[i / c.n * c.k + l] * c.w[i % c.n * c.k + l];
      error += pow (exact[i] - c.y[i], 2);
      size += pow (exact[i], 2);
    }
    g_assert_cmpfloat (sqrt (error), <, 0.012 * sqrt (size));
    g_autofree float *values = g_new (float, c.n * c.k);
    pmt_packed_read (&c.packed, values);
    quantise_rows (c.w, c.n, c.k, false);
    for (int64_t i = 0; i < c.n * c.k; i++)
      g_assert_cmpfloat (values[i], ==, c.w[i]);
    quantise_rows (c.x, c.m, c.k, true);
    check_values (&c, true);
    case_clear (&c);
  }
}

/* What is not a number stays in its row. */
static void
test_nan (void)
{
  for (PmtPrecision precision = 0; precision < PMT_PRECISIONS; precision++) {
    const PmtProductKernels *kernels = pmt_product_kernels (level (), precision);
    Case c;
    if (!kernels)
      continue;
    case_init (&c, kernels, precision, 30, 40, 700);
    c.x[7 * 700 + 650] = NAN;
    PmtProduct product = { .w = &c.packed, .m = c.m, .y = c.y, .ldy = c.n, .x = c.x, .ldx = c.k };
    g_assert_true (pmt_product (NULL, &product, c.scratch));
    for (int64_t i = 0; i < c.m * c.n; i++)
      g_assert_true ((i / c.n == 7) == !!isnan (c.y[i]));
    case_clear (&c);
  }
}

/* Which levels have which products: the other tests are empty where there are none. */
static void
test_there (void)
{
  const PmtKernels *k = level ();
  for (PmtPrecision precision = 0; precision < PMT_PRECISIONS; precision++) {
    const bool simple = k->level == PMT_CPU_PORTABLE || k->level == PMT_CPU_V2;
    const bool wanted = precision == PMT_PRECISION_F32 ? !simple : k->level == PMT_CPU_V4BF16 || k->level == PMT_CPU_NEONBF16;
    g_assert_cmpint (pmt_product_kernels (k, precision) != NULL, ==, wanted);
    g_assert_cmpint (k->attend[precision] != NULL, ==, wanted && precision != PMT_PRECISION_INT8);
  }
  g_assert_cmpint (k->attend_int8 != NULL, ==, k->level == PMT_CPU_V4BF16);
}

static void
test_f32 (void)
{
  check_precision (PMT_PRECISION_F32);
}

static void
test_bf16 (void)
{
  check_precision (PMT_PRECISION_BF16);
}

/* Any rows alone, and any number of threads, give the bytes that all rows give together. */
static void
test_same_bytes (void)
{
  for (PmtPrecision precision = 0; precision < PMT_PRECISIONS; precision++) {
    const PmtProductKernels *kernels = pmt_product_kernels (level (), precision);
    const int64_t m = 301, n = 75, k = 700;
    Case c;
    if (!kernels)
      continue;
    pmt_threads_set (2);
    case_init (&c, kernels, precision, m, n, k);
    PmtProduct all = { .w = &c.packed, .m = m, .bias = c.bias, .y = c.y, .ldy = n, .x = c.x, .ldx = k };
    g_assert_true (pmt_product (NULL, &all, c.scratch));
    g_autofree float *part = g_new (float, m * (n + 3));
    for (int threads = 1; threads <= 2; threads++) {
      pmt_threads_set (threads);
      for (int64_t first = 0; first < m; first += 37) {
        const int64_t rows = MIN (first % 5 + 1 + first / 2, m - first);
        PmtProduct some = { .w = &c.packed, .m = rows, .bias = c.bias, .y = part, .ldy = n + 3, .x = c.x + first * k, .ldx = k };
        g_assert_true (pmt_product (NULL, &some, c.scratch));
        for (int64_t r = 0; r < rows; r++)
          g_assert_cmpmem (part + r * (n + 3), (size_t) n * sizeof (float), c.y + (first + r) * n, (size_t) n * sizeof (float));
      }
    }
    case_clear (&c);
  }
  pmt_threads_set (0);
}

static void
test_read_back (void)
{
  for (PmtPrecision precision = 0; precision < PMT_PRECISIONS; precision++) {
    const PmtProductKernels *kernels = pmt_product_kernels (level (), precision);
    for (gsize s = 0; kernels && precision != PMT_PRECISION_INT8 && s < G_N_ELEMENTS (shapes); s++) { /* int8: test_int8 */
      Case c;
      case_init (&c, kernels, precision, 1, shapes[s][1], shapes[s][2]);
      g_autofree float *back = g_new (float, c.n * c.k);
      pmt_packed_read (&c.packed, back);
      for (int64_t i = 0; i < c.n * c.k; i++)
        g_assert_true (back[i] == rounded (c.w[i], precision));
      case_clear (&c);
    }
  }
}

static void
test_cancel (void)
{
  const PmtProductKernels *kernels = pmt_product_kernels (level (), PMT_PRECISION_F32);
  PmtCancel cancel = { true };
  Case c;
  if (!kernels)
    return; /* the level leaves products to OpenBLAS, whose cancel has a test of its own */
  case_init (&c, kernels, PMT_PRECISION_F32, 10, 10, 10);
  PmtProduct product = { .w = &c.packed, .m = 10, .y = c.y, .ldy = 10, .x = c.x, .ldx = 10 };
  g_assert_false (pmt_product (&cancel, &product, c.scratch));
  case_clear (&c);
}

int
main (int argc, char **argv)
{
  level (); /* first: with PENTIMENTO_CPU set it begins the program anew */
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/packed/there", test_there);
  g_test_add_func ("/packed/f32", test_f32);
  g_test_add_func ("/packed/bf16", test_bf16);
  g_test_add_func ("/packed/int8", test_int8);
  g_test_add_func ("/packed/nan", test_nan);
  g_test_add_func ("/packed/same-bytes", test_same_bytes);
  g_test_add_func ("/packed/read-back", test_read_back);
  g_test_add_func ("/packed/cancel", test_cancel);
  return g_test_run ();
}
