/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/kernels/blas.h"

#include <math.h>
#include <string.h>

#include "engine/base/cpu.h"
#include "engine/base/threads.h"
#include "tests/base/patience.h"

static void
fill (float *x, size_t n, uint32_t seed)
{
  for (size_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    x[i] = (float) (seed >> 8) * 0x1p-23f - 1.0f;
  }
}

typedef struct Product {
  PmtGemm g;
  float *a, *b, *c, *before;
  size_t size_c;
} Product;

/* Random matrices with room between their rows. */
static void
product_init (Product *p, int64_t m, int64_t n, int64_t k, bool ta, bool tb, float beta)
{
  PmtGemm g = { .trans_a = ta, .trans_b = tb, .m = m, .n = n, .k = k, .alpha = 0.75f, .beta = beta };
  g.lda = (ta ? m : k) + 3;
  g.ldb = (tb ? k : n) + 1;
  g.ldc = n + 2;
  size_t size_a = (size_t) ((ta ? k : m) * g.lda), size_b = (size_t) ((tb ? n : k) * g.ldb);
  p->size_c = (size_t) (m * g.ldc);
  p->a = g_new (float, size_a);
  p->b = g_new (float, size_b);
  p->c = g_new (float, p->size_c);
  fill (p->a, size_a, 1);
  fill (p->b, size_b, 2);
  fill (p->c, p->size_c, 3);
  if (beta == 0)
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++)
        p->c[i * g.ldc + j] = NAN;
  p->before = g_memdup2 (p->c, p->size_c * sizeof (float));
  g.a = p->a;
  g.b = p->b;
  g.c = p->c;
  p->g = g;
}

static void
product_clear (Product *p)
{
  g_free (p->a);
  g_free (p->b);
  g_free (p->c);
  g_free (p->before);
}

static double
element (const Product *p, int64_t i, int64_t j)
{
  const PmtGemm *g = &p->g;
  double sum = 0;
  for (int64_t x = 0; x < g->k; x++)
    sum += (double) (g->trans_a ? g->a[x * g->lda + i] : g->a[i * g->lda + x]) *
           (g->trans_b ? g->b[j * g->ldb + x] : g->b[x * g->ldb + j]);
  double old = g->beta != 0 ? p->before[i * g->ldc + j] : 0;
  return g->alpha * sum + g->beta * old;
}

static void
product_check (const Product *p)
{
  const PmtGemm *g = &p->g;
  for (int64_t i = 0; i < g->m; i++) {
    for (int64_t j = 0; j < g->n; j++)
      g_assert_cmpfloat_with_epsilon (p->c[i * g->ldc + j], element (p, i, j), 1e-5);
    /* what lies between the rows is not ours */
    size_t gap = (size_t) (i * g->ldc + g->n);
    g_assert_cmpmem (p->c + gap, 2 * sizeof (float), p->before + gap, 2 * sizeof (float));
  }
}

static void
test_products (void)
{
  static const int64_t size[][3] = { { 1, 1, 1 },   { 1, 64, 320 }, { 7, 5, 3 },    { 64, 64, 64 },
                                     { 33, 77, 40 }, { 130, 1, 19 }, { 200, 31, 129 } };
  for (size_t s = 0; s < G_N_ELEMENTS (size); s++)
    for (int form = 0; form < 8; form++) {
      Product p;
      product_init (&p, size[s][0], size[s][1], size[s][2], form & 1, form & 2, form & 4 ? 1.0f : 0.0f);
      g_assert_true (pmt_gemm (NULL, &p.g));
      product_check (&p);
      memcpy (p.c, p.before, p.size_c * sizeof (float));
      pmt_gemm_serial (&p.g);
      product_check (&p);
      product_clear (&p);
    }
}

static void
run_serial (void *user, size_t begin, size_t end)
{
  for (size_t i = begin; i < end; i++)
    pmt_gemm_serial (&((Product *) user)[i].g);
}

/* One thread's products are equal to the bit inside a parallel body and outside, whatever the pool's size. */
static void
test_serial (void)
{
  enum { COPIES = 6 };
  Product p[COPIES + 1];
  int threads = pmt_threads ();
  for (int i = 0; i <= COPIES; i++)
    product_init (&p[i], 61, 333, 80, false, true, 0);
  pmt_threads_set (2);
  g_assert_true (pmt_parallel_for (NULL, COPIES, 1, run_serial, p));
  pmt_gemm_serial (&p[COPIES].g);
  g_assert_cmpint (pmt_threads (), ==, 2);
  pmt_threads_set (threads);
  for (int i = 1; i <= COPIES; i++)
    g_assert_cmpmem (p[i].c, p[i].size_c * sizeof (float), p[0].c, p[0].size_c * sizeof (float));
  product_check (&p[0]);
  for (int i = 0; i <= COPIES; i++)
    product_clear (&p[i]);
}

/* The same bytes each time, at any pool size. */
static void
test_repeat (void)
{
  int threads = pmt_threads ();
  for (int n = 1; n <= 3; n++) {
    pmt_threads_set (n);
    Product p, q;
    product_init (&p, 300, 257, 190, false, true, 0);
    product_init (&q, 300, 257, 190, false, true, 0);
    g_assert_true (pmt_gemm (NULL, &p.g));
    g_assert_true (pmt_gemm (NULL, &q.g));
    g_assert_cmpmem (p.c, p.size_c * sizeof (float), q.c, q.size_c * sizeof (float));
    product_clear (&p);
    product_clear (&q);
  }
  pmt_threads_set (threads);
}

/* Products of several bands, by rows and by columns; a sample of the elements, the bands' edges among them. */
static void
test_bands (void)
{
  static const int64_t size[][3] = { { 3001, 700, 1500 }, { 700, 3001, 1500 } };
  for (size_t s = 0; s < G_N_ELEMENTS (size); s++)
    for (int form = 0; form < 4; form++) {
      Product p;
      product_init (&p, size[s][0], size[s][1], size[s][2], form & 1, form & 2, 1);
      g_assert_true (pmt_gemm (NULL, &p.g));
      for (int64_t i = 0; i < p.g.m; i += i % 64 == 63 ? 1 : 21)
        for (int64_t j = 0; j < p.g.n; j += j % 64 == 63 ? 1 : 63)
          g_assert_cmpfloat_with_epsilon (p.c[i * p.g.ldc + j], element (&p, i, j), 1e-4);
      product_clear (&p);
    }
}

typedef struct Stop {
  PmtCancel cancel;
  gint64 asked; /* microseconds */
} Stop;

static gpointer
stop_soon (gpointer user)
{
  Stop *stop = user;
  g_usleep (60000);
  stop->asked = g_get_monotonic_time ();
  pmt_cancel_request (&stop->cancel);
  return NULL;
}

/* A product of some seconds stops within a band. The bound is that of the whole program, half a second, since other work may have
 * the processors. */
static void
test_cancel (void)
{
  enum { ROWS = 20000, N = 1024, K = 4096, TIMES = 40 };
  Stop stop = { 0 };
  g_autofree float *a = g_new0 (float, (size_t) ROWS * K);
  g_autofree float *b = g_new0 (float, (size_t) N * K);
  g_autofree float *c = g_new0 (float, (size_t) ROWS * N);
  PmtGemm g = { .trans_b = true, .m = ROWS, .n = N, .k = K, .alpha = 1, .a = a, .lda = K, .b = b, .ldb = K, .c = c, .ldc = N };
  GThread *thread = g_thread_new ("stop", stop_soon, &stop);
  int times = 0;
  while (times < TIMES && pmt_gemm (&stop.cancel, &g))
    times++;
  gint64 after = g_get_monotonic_time ();
  g_thread_join (thread);
  g_assert_cmpint (times, <, TIMES);
  g_test_message ("stopped after %.1f ms", (double) (after - stop.asked) / 1000);
  g_assert_cmpint (after - stop.asked, <, 500000 * pmt_test_patience ());
  g_assert_false (pmt_gemm (&stop.cancel, &g));
}

static void
test_library (void)
{
  GError *error = NULL;
  g_assert_true (pmt_blas_check (&error));
  g_assert_no_error (error);
  g_assert_nonnull (strstr (pmt_blas_config (), "OpenBLAS"));
  g_test_message ("%s, core %s", pmt_blas_config (), pmt_blas_core ());
}

int
main (int argc, char **argv)
{
  PmtCpuLevel level;
  GError *error = NULL;
  if (!pmt_cpu_select (&level, &error))
    g_error ("%s", error->message);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/blas/library", test_library);
  g_test_add_func ("/blas/values/products", test_products);
  g_test_add_func ("/blas/values/serial", test_serial);
  g_test_add_func ("/blas/repeat", test_repeat);
  g_test_add_func ("/blas/bands", test_bands);
  g_test_add_func ("/blas/cancel", test_cancel);
  return g_test_run ();
}
