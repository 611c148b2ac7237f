/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times the operations at the sizes of a 512x512 picture (SD 1.5), beside the speed of bare products and of memory.
 * usage: bench-ops [SECONDS-PER-LINE [THREADS [WORD]]], with WORD only the operations whose line has it
 *
 * With one thread, times are of the processor, so that other work on the machine does not count; else of the clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/threads.h"
#include "engine/kernels/blas.h"
#include "engine/kernels/packed.h"
#include "engine/ops/ops.h"
#include "tests/ops/harness.h"

static double budget = 0.5;
static const char *only;

static double
now (void)
{
  struct timespec t;
  if (pmt_threads () == 1 && clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t) == 0)
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
  return (double) g_get_monotonic_time () * 1e-6;
}

/* Best of as many runs as fit the budget, three at least. */
static double
best (void (*run) (void *), void *user)
{
  double least = 1e30, start = now ();
  for (int i = 0; i < 3 || now () - start < budget; i++) {
    double t = now ();
    run (user);
    least = MIN (least, now () - t);
  }
  return least;
}

static float *
values (size_t n)
{
  float *v = g_new (float, n);
  for (size_t i = 0; i < n; i++)
    v[i] = (float) (i * 2654435761u % 1000) * 1e-3f - 0.5f;
  return v;
}

static void
run_gemm (void *user)
{
  pmt_gemm (NULL, user);
}

static void
bench_gemm (int64_t m, int64_t n, int64_t k)
{
  float *a = values ((size_t) (m * k)), *b = values ((size_t) (n * k)), *c = values ((size_t) (m * n));
  PmtGemm g = { .trans_b = true, .m = m, .n = n, .k = k, .alpha = 1, .a = a, .lda = k, .b = b, .ldb = k, .c = c, .ldc = n };
  double flop = 2e-9 * (double) m * (double) n * (double) k, seconds = best (run_gemm, &g);
  printf ("gemm %6ld x %5ld x %5ld            %8.3f ms  %6.1f GFLOP/s\n", (long) m, (long) n, (long) k,
          seconds * 1e3, flop / seconds);
  g_free (a);
  g_free (b);
  g_free (c);
}

typedef struct PackedRun {
  PmtProduct product;
  void *scratch;
} PackedRun;

static void
run_product (void *user)
{
  PackedRun *r = user;
  pmt_product (NULL, &r->product, r->scratch);
}

/* The speed of packed products in a precision, which others are measured by. */
static void
bench_product (PmtPrecision precision)
{
  enum { M = 1024, N = 640, K = 2880 };
  if (only && !strstr ("product", only))
    return;
  const PmtProductKernels *kernels = pmt_product_kernels (harness_kernels, precision);
  float *x = values (M * K), *w = values (N * K), *y = values (M * N);
  PmtPacked packed = { kernels, precision, N, K, aligned_alloc (64, pmt_packed_bytes (kernels, N, K)) };
  PackedRun r = { { .w = &packed, .m = M, .y = y, .ldy = N, .x = x, .ldx = K }, aligned_alloc (64, pmt_product_scratch (kernels)) };
  pmt_packed_fill (&packed, w);
  const double seconds = best (run_product, &r);
  printf ("product %-4s %5d x %4d x %5d            %8.3f ms  %6.1f GFLOP/s\n", pmt_precision_name (precision), M, N, K, seconds * 1e3,
          2e-9 * M * N * K / seconds);
  free (packed.data);
  free (r.scratch);
  g_free (x);
  g_free (w);
  g_free (y);
}

typedef struct Run {
  PmtContext *ctx;
  const PmtOp *op;
  PmtTensor in[3];
  const void *params;
} Run;

static void
run_op (void *user)
{
  Run *r = user;
  PmtArenaMark mark = pmt_arena_mark (r->ctx->step);
  r->ctx->flops = 0;
  if (!pmt_op_run (r->ctx, r->op, r->in, r->op->max_in, r->params).data)
    g_error ("%s", r->ctx->error->message);
  pmt_arena_release (r->ctx->step, mark);
}

/* Bytes are those of inputs and output, each once. */
static void
bench_op (const char *id, const char *what, const void *params, PmtShape a, PmtShape b, PmtShape c)
{
  if (only && !strstr (id, only) && !strstr (what, only))
    return;
  Run r = { .ctx = harness_context (), .params = params };
  for (const PmtOp *const *at = pmt_ops; *at; at++)
    if (strcmp ((*at)->id, id) == 0)
      r.op = *at;
  PmtShape shape[] = { a, b, c };
  double bytes = 0;
  for (int i = 0; i < 3; i++)
    if (shape[i].rank > 0) {
      r.in[i] = (PmtTensor) { values ((size_t) pmt_shape_size (&shape[i])), shape[i], 0, NULL };
      bytes += 4.0 * (double) pmt_tensor_size (r.in[i]);
    }
  PmtTensor out = pmt_op_run (r.ctx, r.op, r.in, r.op->max_in, params);
  bytes += 4.0 * (double) pmt_tensor_size (out);
  pmt_arena_release (r.ctx->step, 0);
  double seconds = best (run_op, &r);
  printf ("%-16s %-22s %8.3f ms  %6.1f GFLOP/s  %6.1f GB/s\n", id, what, seconds * 1e3, r.ctx->flops / seconds * 1e-9,
          bytes / seconds * 1e-9);
  for (int i = 0; i < 3; i++)
    g_free (r.in[i].data);
  harness_context_free (r.ctx);
}

typedef struct Copy {
  const float *from;
  float *to;
} Copy;

static void
copy_range (void *user, size_t begin, size_t end)
{
  Copy *c = user;
  memcpy (c->to + begin, c->from + begin, (end - begin) * sizeof (float));
}

static void
run_copy (void *user)
{
  pmt_parallel_for (NULL, 64 << 20, 1 << 16, copy_range, user);
}

static void
bench_copy (void)
{
  float *a = values (64 << 20), *b = values (64 << 20);
  Copy copy = { a, b };
  printf ("copy of 256 MB                                  %6.1f GB/s\n", 2 * 0.268435456 / best (run_copy, &copy));
  g_free (a);
  g_free (b);
}

#define S1 PMT_SHAPE1
#define S2 PMT_SHAPE2
#define S3 PMT_SHAPE3
#define S4 PMT_SHAPE4

int
main (int argc, char **argv)
{
  GError *error = NULL;
  PmtCpuLevel level;
  if (!pmt_cpu_select (&level, &error) || !pmt_blas_check (&error))
    g_error ("%s", error->message);
  harness_kernels = pmt_kernels_get (level);
  if (argc > 1)
    budget = g_ascii_strtod (argv[1], NULL);
  if (argc > 2)
    pmt_threads_set (atoi (argv[2]));
  printf ("%s, level %s, %d threads, %s (%s)\n", pmt_cpu_model (), pmt_cpu_name (level), pmt_threads (), pmt_blas_config (),
          pmt_blas_core ());
  only = argc > 3 ? argv[3] : NULL;
  if (!only)
    bench_copy ();

  static const int64_t gemm[][3] = { { 4096, 320, 320 },  { 4096, 2560, 320 }, { 4096, 320, 2880 }, { 1024, 640, 5760 },
                                     { 256, 1280, 11520 }, { 77, 1280, 768 },   { 1, 1280, 320 },    { 64, 4096, 40 } };
  for (size_t i = 0; !only && i < G_N_ELEMENTS (gemm); i++)
    bench_gemm (gemm[i][0], gemm[i][1], gemm[i][2]);

  const PmtShape none = { 0 };
  const PmtConv2dParams three = PMT_CONV_3X3, one = PMT_CONV_1X1;
  bench_op ("conv2d", "64x64x320 3x3 320", &three, S4 (1, 64, 64, 320), S4 (320, 3, 3, 320), S1 (320));
  bench_op ("conv2d", "32x32x640 3x3 640", &three, S4 (1, 32, 32, 640), S4 (640, 3, 3, 640), S1 (640));
  bench_op ("conv2d", "64x64x320 1x1 320", &one, S4 (1, 64, 64, 320), S4 (320, 1, 1, 320), S1 (320));
  bench_op ("conv2d", "256x256x256 3x3 256", &three, S4 (1, 256, 256, 256), S4 (256, 3, 3, 256), S1 (256));
  bench_op ("conv2d", "512x512x128 3x3 128", &three, S4 (1, 512, 512, 128), S4 (128, 3, 3, 128), S1 (128));
  bench_op ("conv2d", "64x64x4 3x3 320", &three, S4 (1, 64, 64, 4), S4 (320, 3, 3, 4), S1 (320));
  bench_op ("linear", "4096x320 to 2560", NULL, S3 (1, 4096, 320), S2 (2560, 320), S1 (2560));

  for (PmtPrecision precision = 0; precision < PMT_PRECISIONS; precision++) {
    if (!pmt_product_kernels (harness_kernels, precision))
      continue;
    const PmtAttentionParams eight = { 8, false, precision }, single = { 1, false, precision };
    bench_product (precision);
    bench_op ("attention", "T 4096 d 40 h 8", &eight, S3 (1, 4096, 320), S3 (1, 4096, 320), S3 (1, 4096, 320));
    bench_op ("attention", "T 1024 d 80 h 8", &eight, S3 (1, 1024, 640), S3 (1, 1024, 640), S3 (1, 1024, 640));
    bench_op ("attention", "T 256 d 160 h 8", &eight, S3 (1, 256, 1280), S3 (1, 256, 1280), S3 (1, 256, 1280));
    bench_op ("attention", "T 4096 S 77 d 40 h 8", &eight, S3 (1, 4096, 320), S3 (1, 77, 320), S3 (1, 77, 320));
    bench_op ("attention", "T 4096 d 512 h 1", &single, S3 (1, 4096, 512), S3 (1, 4096, 512), S3 (1, 4096, 512));
    bench_product (precision);
  }

  const PmtGroupNormParams plain = { 32, 1e-5f, false }, silu = { 32, 1e-5f, true };
  const float eps = 1e-5f;
  bench_op ("group_norm", "64x64x320", &plain, S4 (1, 64, 64, 320), S1 (320), S1 (320));
  bench_op ("group_norm", "512x512x128 silu", &silu, S4 (1, 512, 512, 128), S1 (128), S1 (128));
  bench_op ("layer_norm", "4096x320", &eps, S3 (1, 4096, 320), S1 (320), S1 (320));
  bench_op ("geglu", "4096x2560", NULL, S3 (1, 4096, 2560), none, none);
  bench_op ("silu", "512x512x128", NULL, S4 (1, 512, 512, 128), none, none);
  bench_op ("add", "512x512x128", NULL, S4 (1, 512, 512, 128), S4 (1, 512, 512, 128), none);
  bench_op ("softmax", "8x512x4096", NULL, S4 (1, 8, 512, 4096), none, none);
  bench_op ("concat", "64x64x640 + 320", NULL, S4 (1, 64, 64, 640), S4 (1, 64, 64, 320), none);
  return 0;
}
