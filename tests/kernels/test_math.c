/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernels of every level that this machine has, against the C library in double. */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "engine/kernels/kernels.h"

typedef double (*Exact) (double x);

static float
from_bits (uint32_t bits)
{
  float f;
  memcpy (&f, &bits, sizeof f);
  return f;
}

/* Distance in units of the last place of the exact value (the smallest subnormal's at least). */
static double
ulps (float got, double want)
{
  if (isnan (want) || isinf (want))
    return (isnan (want) && isnan (got)) || (double) got == want ? 0 : INFINITY;
  if (fabs (want) > FLT_MAX)
    return isinf (got) ? 0 : INFINITY;
  int exponent;
  frexp (want, &exponent);
  double ulp = ldexp (1.0, MAX (exponent - 24, -149));
  return fabs (got - want) / ulp;
}

/* Every level in turn. */
static const PmtKernels *
next_level (const PmtKernels *k)
{
  for (PmtCpuLevel level = k ? k->level + 1 : PMT_CPU_PORTABLE; level <= pmt_cpu_detect (); level++)
    if (pmt_kernels_get (level)->level == level)
      return pmt_kernels_get (level);
  return NULL;
}

#define EACH_LEVEL(k) for (const PmtKernels *k = next_level (NULL); k; k = next_level (k))

static void
test_levels (void)
{
  int count = 0;
  EACH_LEVEL (k) {
    g_test_message ("%s", pmt_cpu_name (k->level));
    count++;
  }
#if defined(__x86_64__)
  g_assert_cmpint (count, ==, (int) pmt_cpu_detect () + 1);
  const PmtCpuLevel last = PMT_CPU_V4BF16;
#elif defined(__aarch64__)
  g_assert_cmpint (count, ==, 2 + (int) pmt_cpu_detect () - PMT_CPU_NEON); /* and portable */
  const PmtCpuLevel last = PMT_CPU_NEONBF16;
#else
  g_assert_cmpint (count, ==, 1);
  const PmtCpuLevel last = PMT_CPU_PORTABLE;
#endif
  g_assert_true (pmt_kernels_get ((PmtCpuLevel) 77) == pmt_kernels_get (last));
}

enum { STEP = 2003, CHUNK = 1027 };

/* f over floats of the whole range, STEP bit patterns apart, in chunks of an odd length. Returns the worst ulps. */
static double
sweep (PmtUnaryFunc f, Exact exact)
{
  float x[CHUNK], y[CHUNK];
  double worst = 0;
  size_t n = 0;
  for (uint64_t bits = 0; bits <= UINT32_MAX; bits += STEP) {
    x[n++] = from_bits ((uint32_t) bits);
    if (n < CHUNK && bits + STEP <= UINT32_MAX)
      continue;
    f (x, y, n);
    for (size_t i = 0; i < n; i++) {
      double u = ulps (y[i], exact (x[i]));
      if (u > worst) {
        worst = u;
        if (isinf (worst))
          g_error ("at %.9g: %.9g instead of %.9g", x[i], y[i], exact (x[i]));
      }
    }
    n = 0;
  }
  return worst;
}

static void
test_exp (void)
{
  EACH_LEVEL (k) {
    double worst = sweep (k->exp, exp);
    g_test_message ("%s: %.3f ulp", pmt_cpu_name (k->level), worst);
    g_assert_cmpfloat (worst, <=, 2.0);
  }
}

static void
test_exp_edges (void)
{
  static const float x[] = { -INFINITY, INFINITY, NAN, 0.0f, -0.0f, 88.72283f, 88.7229f, 1e30f, -1e30f, -87.33655f, -87.4f,
                             -100.0f, -103.2f, -103.98f, -104.5f, 1.0f, FLT_MIN, -FLT_MIN, 1e-45f };
  float y[G_N_ELEMENTS (x)];
  EACH_LEVEL (k) {
    k->exp (x, y, G_N_ELEMENTS (x));
    for (size_t i = 0; i < G_N_ELEMENTS (x); i++)
      if (!(ulps (y[i], exp ((double) x[i])) <= 2.0))
        g_error ("%s: exp(%.9g) gives %.9g", pmt_cpu_name (k->level), x[i], y[i]);
    g_assert_cmpfloat (y[0], ==, 0);
    g_assert_true (isinf (y[1]) && isnan (y[2]) && isinf (y[6]));
    g_assert_cmpfloat (y[3], ==, 1);
  }
}

static double
exact_silu (double x)
{
  return x / (1.0 + exp (-x));
}

static double
exact_gelu (double x)
{
  return 0.5 * x * erfc (-x * 0.70710678118654752440);
}

static double
exact_quick (double x)
{
  return x / (1.0 + exp (-1.702f * x));
}

/* Worst |got - exact| / max(|exact|, |x| / 1000) over [-20, 20] and over far values. */
static double
error_of (PmtUnaryFunc f, Exact exact)
{
  enum { N = 100003 };
  g_autofree float *x = g_new (float, N);
  g_autofree float *y = g_new (float, N);
  for (int i = 0; i < N; i++)
    x[i] = -20.0f + 40.0f * (float) i / (N - 1);
  x[0] = -1000.0f, x[1] = 1000.0f, x[2] = 1e-30f, x[3] = -1e-40f, x[4] = 0.0f;
  f (x, y, N);
  double worst = 0;
  for (int i = 0; i < N; i++) {
    double want = exact (x[i]), bound = fmax (fabs (want), fabs (x[i]) / 1000);
    double e = bound > 0 ? fabs (y[i] - want) / bound : fabs ((double) y[i]);
    worst = fmax (worst, e);
    g_assert_false (isnan (y[i]));
  }
  return worst;
}

static void
test_activations (void)
{
  EACH_LEVEL (k) {
    double silu = error_of (k->silu, exact_silu), gelu = error_of (k->gelu, exact_gelu),
           quick = error_of (k->quick_gelu, exact_quick);
    g_test_message ("%s: silu %.3g, gelu %.3g, quick_gelu %.3g", pmt_cpu_name (k->level), silu, gelu, quick);
    g_assert_cmpfloat (silu, <, 1e-6);
    g_assert_cmpfloat (gelu, <, 1e-6);
    g_assert_cmpfloat (quick, <, 2e-6);
  }
}

/* NaN goes through wherever it stands, in body or tail, and touches no neighbour. */
static void
test_nan (void)
{
  enum { N = 37 };
  EACH_LEVEL (k)
    for (int at = 0; at < N; at++) {
      float x[N], y[N];
      PmtUnaryFunc all[] = { k->exp, k->silu, k->gelu, k->quick_gelu };
      for (size_t f = 0; f < G_N_ELEMENTS (all); f++) {
        for (int i = 0; i < N; i++)
          x[i] = i == at ? NAN : (float) i / 10;
        all[f](x, y, N);
        for (int i = 0; i < N; i++)
          g_assert_cmpint (isnan (y[i]) != 0, ==, i == at);
      }
      k->softmax (x, 1.0f, y, N);
      g_assert_true (isnan (y[0]) && isnan (y[N - 1]));
    }
}

static void
fill (float *x, size_t n, uint32_t seed)
{
  for (size_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    x[i] = (float) (seed >> 8) * 0x1p-23f - 1.0f;
  }
}

/* A value has the same bytes wherever it lies in a call: vector body, tail, any alignment. */
static void
test_cuts (void)
{
  enum { N = 259 };
  float x[N + 1], whole[N], part[N + 1];
  fill (x, N + 1, 5);
  EACH_LEVEL (k) {
    PmtUnaryFunc all[] = { k->exp, k->silu, k->gelu, k->quick_gelu };
    for (size_t f = 0; f < G_N_ELEMENTS (all); f++) {
      all[f](x, whole, N);
      for (size_t cut = 1; cut < 70; cut++) {
        all[f](x, part, cut);
        all[f](x + cut, part + cut, N - cut);
        g_assert_cmpmem (part, sizeof whole, whole, sizeof whole);
      }
      all[f](x, x, 0);
    }
    float sum = k->dot (x, x + 1, N);
    memcpy (part + 1, x + 1, N * sizeof (float));
    g_assert_true (sum == k->dot (x, part + 1, N));
  }
}

static double
sum_of (const float *a, const float *b, size_t n)
{
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += (double) a[i] * b[i];
  return sum;
}

static void
test_reductions (void)
{
  enum { MOST = 1500 };
  float a[MOST], b[MOST], mean, rstd;
  fill (a, MOST, 1);
  fill (b, MOST, 2);
  for (size_t n = 1; n < MOST; n += n < 70 ? 1 : 97) {
    float first_dot = 0, first_mean = 0, first_rstd = 0;
    EACH_LEVEL (k) {
      float dot = k->dot (a, b, n);
      g_assert_cmpfloat_with_epsilon (dot, sum_of (a, b, n), 2e-6 * sqrt ((double) n));
      k->row_moments (a, n, 1e-5f, &mean, &rstd);
      double m = 0, v = 0;
      for (size_t i = 0; i < n; i++)
        m += a[i] / (double) n;
      for (size_t i = 0; i < n; i++)
        v += (a[i] - m) * (a[i] - m) / (double) n;
      g_assert_cmpfloat_with_epsilon (mean, m, 1e-6);
      g_assert_cmpfloat_with_epsilon (rstd * sqrt (v + 1e-5), 1.0, 3e-6 + (n == 1 ? 1e-4 : 0));
      /* Sums have a written order, so they are equal on every level. */
      if (k->level == PMT_CPU_PORTABLE)
        first_dot = dot, first_mean = mean, first_rstd = rstd;
      g_assert_true (dot == first_dot && mean == first_mean && rstd == first_rstd);
    }
  }
}

static void
test_softmax (void)
{
  enum { MOST = 4100 };
  static float x[MOST], y[MOST], first[MOST];
  fill (x, MOST, 3);
  for (size_t n = 1; n < MOST; n += n < 40 ? 1 : 203)
    EACH_LEVEL (k) {
      k->softmax (x, 7.5f, y, n);
      double total = 0, worst = 0, sum = 0;
      for (size_t i = 0; i < n; i++)
        total += exp (7.5 * x[i]);
      for (size_t i = 0; i < n; i++) {
        worst = fmax (worst, fabs (y[i] / (exp (7.5 * x[i]) / total) - 1));
        sum += y[i];
      }
      g_assert_cmpfloat (worst, <, 3e-6);
      g_assert_cmpfloat_with_epsilon (sum, 1.0, 2e-6);
      if (k->level == PMT_CPU_PORTABLE)
        memcpy (first, y, n * sizeof (float));
      g_assert_cmpmem (y, n * sizeof (float), first, n * sizeof (float));
    }
}

/* Masks and far values. */
static void
test_softmax_edges (void)
{
  EACH_LEVEL (k) {
    float masked[20], far[] = { 1e30f, -1e30f, 1e30f }, all[] = { -INFINITY, -INFINITY }, y[20];
    for (int i = 0; i < 20; i++)
      masked[i] = i < 3 ? 1.0f : -INFINITY;
    k->softmax (masked, 1.0f, y, 20);
    for (int i = 0; i < 20; i++)
      g_assert_cmpfloat_with_epsilon (y[i], i < 3 ? 1.0 / 3 : 0, 1e-7);
    k->softmax (far, 1.0f, y, 3);
    g_assert_true (y[0] == 0.5f && y[1] == 0 && y[2] == 0.5f);
    k->softmax (all, 1.0f, y, 2);
    g_assert_true (isnan (y[0]) && isnan (y[1]));
    /* in place */
    k->softmax (masked, 1.0f, masked, 20);
    g_assert_cmpfloat_with_epsilon (masked[2], 1.0 / 3, 1e-7);
  }
}

/* Every number in half precision, at an odd address, in pieces of every length up to a few registers'. */
static void
test_widen (void)
{
  static uint8_t bytes[1 + 2 * 65536];
  static float got[65536];
  for (int i = 0; i < 65536; i++) {
    const uint16_t bits = (uint16_t) i;
    memcpy (bytes + 1 + 2 * i, &bits, sizeof bits);
  }
  EACH_LEVEL (k) {
    for (int i = 0, n = 0; i < 65536; i += n) {
      n = MIN (n % 71 + 1, 65536 - i);
      k->widen_f16 (bytes + 1 + 2 * i, got + i, (size_t) n);
    }
    for (int i = 0; i < 65536; i++) {
      const int exponent = i >> 10 & 31, mantissa = i & 1023;
      const double size = exponent == 31 ? (mantissa ? NAN : INFINITY) : exponent ? ldexp (1024 + mantissa, exponent - 25) : ldexp (mantissa, -24);
      if (isnan (size))
        g_assert_true (isnan (got[i]));
      else
        g_assert_true ((double) got[i] == (i & 0x8000 ? -size : size) && !signbit (got[i]) == !(i & 0x8000));
    }
  }
}

int
main (int argc, char **argv)
{
  PmtCpuLevel level;
  GError *error = NULL;
  if (!pmt_cpu_select (&level, &error))
    g_error ("%s", error->message);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kernels/levels", test_levels);
  g_test_add_func ("/kernels/exp", test_exp);
  g_test_add_func ("/kernels/exp-edges", test_exp_edges);
  g_test_add_func ("/kernels/activations", test_activations);
  g_test_add_func ("/kernels/nan", test_nan);
  g_test_add_func ("/kernels/cuts", test_cuts);
  g_test_add_func ("/kernels/reductions", test_reductions);
  g_test_add_func ("/kernels/softmax", test_softmax);
  g_test_add_func ("/kernels/softmax-edges", test_softmax_edges);
  g_test_add_func ("/kernels/widen", test_widen);
  return g_test_run ();
}
