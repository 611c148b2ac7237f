/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times 3x3 convolutions at the sizes of a 512x512 picture (SD 1.5) by form and precision of the weight, one after the other in each round, and says
 * how far from f32 each is (relative, on noise after SiLU): what weight_pool.c's choice of forms rests on.
 * usage: bench-conv [SECONDS-PER-LINE [THREADS [WORD]]], with WORD only the lines that have it; with one thread, times are of the processor. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/threads.h"
#include "engine/kernels/packed.h"
#include "engine/ops/ops.h"
#include "tests/ops/harness.h"

typedef struct Variant {
  PmtPrecision precision;
  bool transformed;
} Variant;
static const Variant variants[] = { { PMT_PRECISION_F32, true }, { PMT_PRECISION_INT8, false }, { PMT_PRECISION_INT8, true }, { PMT_PRECISION_BF16, true } };
enum { VARIANTS = G_N_ELEMENTS (variants), TRUTH = 0 };

typedef struct Shape {
  int64_t side, in, out;
  bool twice;
} Shape;
static const Shape shapes[] = {
  { 64, 320, 320, false },  { 64, 640, 320, false },  { 64, 960, 320, false },   { 32, 320, 640, false },   { 32, 640, 640, false },
  { 32, 960, 640, false },  { 32, 1280, 640, false }, { 32, 1920, 640, false },  { 16, 640, 1280, false },  { 16, 1280, 1280, false },
  { 16, 1920, 1280, false }, { 16, 2560, 1280, false }, { 8, 1280, 1280, false }, { 8, 2560, 1280, false }, { 32, 640, 640, true },
  { 16, 1280, 1280, true }, { 8, 1280, 1280, true },
};

static double
now (void)
{
  struct timespec t;
  clock_gettime (pmt_threads () == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* What is like noise of normal distribution. */
static float
noise (uint32_t *seed)
{
  float sum = 0;
  for (int i = 0; i < 4; i++) {
    *seed = *seed * 1664525u + 1013904223u;
    sum += (float) (*seed >> 8) * 0x1p-24f - 0.5f;
  }
  return sum * 1.7f;
}

static PmtPacked
packed_of (const Shape *s, Variant v, const float *w, PmtArena **arena)
{
  const PmtPackedForm form = !v.transformed ? PMT_PACKED_ROWS : s->twice ? PMT_PACKED_TWICE : PMT_PACKED_SAME;
  PmtPacked packed = { pmt_product_kernels (harness_kernels, v.precision), v.precision, s->out, 9 * s->in, NULL, form };
  GError *error = NULL;
  *arena = pmt_arena_new ("a weight", pmt_packed_size (&packed) + 64, &error); /* with pages as a network's weights have */
  pmt_arena_expect_full (*arena);
  packed.data = error ? NULL : pmt_arena_alloc (*arena, pmt_packed_size (&packed), &error);
  g_assert_no_error (error);
  pmt_packed_fill (&packed, w);
  return packed;
}

static double
run (PmtContext *ctx, PmtTensor x, PmtTensor w, const PmtPacked *packed, PmtTensor bias, PmtConv2dParams p, float *keep)
{
  const PmtArenaMark mark = pmt_arena_mark (ctx->step);
  w.data = packed->data;
  w.packed = packed;
  const double start = now ();
  const PmtTensor y = pmt_conv2d (ctx, x, w, bias, p);
  const double seconds = now () - start;
  g_assert_no_error (ctx->error);
  if (keep)
    memcpy (keep, y.data, (size_t) pmt_tensor_size (y) * sizeof (float));
  pmt_arena_release (ctx->step, mark);
  return seconds;
}

static double
error_of (const float *a, const float *truth, int64_t n)
{
  double error = 0, size = 0;
  for (int64_t i = 0; i < n; i++) {
    error += pow (a[i] - truth[i], 2);
    size += pow (truth[i], 2);
  }
  return sqrt (error / size);
}

static void
bench (const Shape *s, double budget, const char *only)
{
  g_autofree char *name = g_strdup_printf ("%d x %d %s%d to %d", (int) s->side, (int) s->side, s->twice ? "twice " : "", (int) s->in, (int) s->out);
  if (only && !strstr (name, only))
    return;
  const PmtConv2dParams p = { 1, 1, 1, 1, 1, s->twice, false, false };
  const int64_t side = s->twice ? 2 * s->side : s->side, values = side * side * s->out;
  PmtTensor x = { .shape = PMT_SHAPE4 (1, s->side, s->side, s->in) }, w = { .shape = PMT_SHAPE4 (s->out, 3, 3, s->in) }, bias = { .shape = PMT_SHAPE1 (s->out) };
  x.data = g_new (float, pmt_shape_size (&x.shape));
  bias.data = g_new0 (float, s->out);
  g_autofree float *weight = g_new (float, pmt_shape_size (&w.shape)), *out = g_new (float, VARIANTS * values);
  uint32_t seed = 1;
  for (int64_t i = 0; i < pmt_shape_size (&x.shape); i++)
    x.data[i] = noise (&seed);
  harness_kernels->silu (x.data, x.data, (size_t) pmt_shape_size (&x.shape));
  for (int64_t i = 0; i < pmt_shape_size (&w.shape); i++)
    weight[i] = noise (&seed);
  PmtContext *ctx = harness_context ();
  PmtPacked packed[VARIANTS];
  PmtArena *arena[VARIANTS];
  double best[VARIANTS];
  for (int v = 0; v < VARIANTS; v++) {
    packed[v] = packed_of (s, variants[v], weight, &arena[v]);
    best[v] = run (ctx, x, w, &packed[v], bias, p, out + v * values);
  }
  for (double start = now (); now () - start < budget;)
    for (int v = TRUTH + 1; v < VARIANTS; v++)
      best[v] = MIN (best[v], run (ctx, x, w, &packed[v], bias, p, NULL));
  printf ("%-26s", name);
  for (int v = TRUTH + 1; v < VARIANTS; v++)
    printf ("  %s %s %7.3f ms %.4f", pmt_precision_name (variants[v].precision), variants[v].transformed ? "transformed" : "plain", 1e3 * best[v],
            error_of (out + v * values, out, values));
  printf ("  %.2f x\n", best[1] / best[2]);
  for (int v = 0; v < VARIANTS; v++)
    pmt_arena_free (arena[v]);
  g_free (x.data);
  g_free (bias.data);
  harness_context_free (ctx);
}

int
main (int argc, char **argv)
{
  PmtCpuLevel level;
  GError *error = NULL;
  if (!pmt_cpu_select (&level, &error))
    g_error ("%s", error->message);
  harness_kernels = pmt_kernels_get (level);
  if (!pmt_product_kernels (harness_kernels, PMT_PRECISION_INT8))
    g_error ("this machine computes no products in int8");
  if (argc > 2)
    pmt_threads_set (atoi (argv[2]));
  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    bench (&shapes[i], argc > 1 ? g_ascii_strtod (argv[1], NULL) : 0.5, argc > 3 ? argv[3] : NULL);
  return 0;
}
