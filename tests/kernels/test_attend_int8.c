/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of attention in 8 bits against sums in double precision of the values that bytes can tell apart: which weights come out of a block of
 * keys, what is made of a block of values, and where bad values go. */
#include "engine/kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const PmtAttendInt8 *kernels;

enum { COLUMNS = 32, BLOCK = 96 };

typedef struct Case {
  int64_t n, keys, d; /* queries, keys */
  float *q, *k, *v, *mean;
  void *panel, *block, *values;
  float *logits, about[COLUMNS], *c;
  PmtAttendInt8Step step, after;
  uint8_t *packed; /* [quads of keys][columns][4] */
} Case;

static void
fill (float *x, int64_t n, uint32_t seed)
{
  for (int64_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    x[i] = (float) (seed >> 8) * 0x1p-23f - 1.0f;
  }
}

static void *
memory (size_t bytes)
{
  void *p = aligned_alloc (64, (bytes + 63) & ~(size_t) 63);
  memset (p, 0xff, bytes); /* NaN */
  return p;
}

static void
case_init (Case *c, int64_t n, int64_t keys, int64_t d)
{
  *c = (Case) { n, keys, d, g_new (float, n * d), g_new (float, keys * d), g_new (float, keys * d), g_new (float, d) };
  fill (c->q, n * d, 1);
  fill (c->k, keys * d, 2);
  fill (c->v, keys * d, 3);
  fill (c->mean, d, 4);
  c->panel = memory (kernels->queries_size (d));
  c->block = memory (kernels->keys_size (d));
  c->values = memory (kernels->values_size (d));
  c->logits = memory (BLOCK * COLUMNS * sizeof (float));
  c->c = memory ((size_t) (d + 1) * COLUMNS * sizeof (float));
  c->packed = memory (BLOCK * COLUMNS);
  for (int j = 0; j < COLUMNS; j++)
    c->about[j] = -INFINITY;
}

static void
case_clear (Case *c)
{
  g_free (c->q);
  g_free (c->k);
  g_free (c->v);
  g_free (c->mean);
  free (c->panel);
  free (c->block);
  free (c->values);
  free (c->logits);
  free (c->c);
  free (c->packed);
}

/* True when about was raised. */
static bool
weigh (Case *c, float factor)
{
  kernels->queries (c->q, c->d, c->n, c->d, factor, c->panel);
  kernels->keys (c->k, c->d, c->keys, c->d, c->mean, c->block);
  kernels->weigh (c->keys, c->block, c->panel, c->d, c->logits, c->about, &c->step, NULL, c->packed);
  kernels->weigh (0, c->block, c->panel, c->d, c->logits, c->about, &c->after, &c->step, c->packed);
  g_assert_cmpint (c->step.keys, ==, (c->keys + 11) / 12 * 12);
  g_assert_cmpint (c->after.keys, ==, 0);
  return c->step.raised;
}

static void
mix (Case *c)
{
  kernels->values (c->v, c->d, c->keys, c->d, c->values);
  memset (c->c, 0, (size_t) (c->d + 1) * COLUMNS * sizeof (float));
  kernels->mix (c->keys, c->values, c->d, c->packed, c->step.factor, c->c);
}

static int
weight (const Case *c, int64_t key, int64_t j)
{
  return c->packed[(key / 4 * COLUMNS + j) * 4 + key % 4];
}

/* x rounded to 127 steps of the largest of `count` values that stand `apart`. */
static void
round_values (const float *x, const float *mean, int64_t rows, int64_t d, int64_t first, int64_t apart, double *to)
{
  float most = 0;
  for (int64_t i = first; i < rows * d; i += apart)
    most = fmaxf (most, fabsf (x[i] - (mean ? mean[i % d] : 0)));
  for (int64_t i = first; i < rows * d; i += apart)
    to[i] = (double) most / 127 * rintf ((x[i] - (mean ? mean[i % d] : 0)) * (127 / most));
}

/* logits [keys, n] of rounded queries and keys. */
static double *
oracle (const Case *c, double factor)
{
  g_autofree double *q = g_new (double, c->n * c->d), *k = g_new (double, c->keys * c->d);
  double *logits = g_new (double, c->keys * c->n);
  for (int64_t j = 0; j < c->n; j++)
    round_values (c->q + j * c->d, NULL, 1, c->d, 0, 1, q + j * c->d);
  round_values (c->k, c->mean, c->keys, c->d, 0, 1, k);
  for (int64_t i = 0; i < c->keys; i++)
    for (int64_t j = 0; j < c->n; j++) {
      double sum = 0;
      for (int64_t x = 0; x < c->d; x++)
        sum += q[j * c->d + x] * k[i * c->d + x];
      logits[i * c->n + j] = factor * sum;
    }
  return logits;
}

/* Each byte within one of the weight and the 128th part of a power of two; nothing of what is added before rounding stays on the average. */
static void
check_weights (Case *c, float factor)
{
  g_assert_true (weigh (c, factor));
  g_autofree double *logits = oracle (c, (double) factor);
  double off = 0;
  for (int64_t j = 0; j < c->n; j++) {
    double best = -INFINITY;
    for (int64_t i = 0; i < c->keys; i++)
      best = fmax (best, logits[i * c->n + j]);
    g_assert_cmpfloat_with_epsilon (c->about[j], best, 1e-5 * fabs (best) + 1e-6);
    g_assert_cmpfloat (c->step.factor[j], ==, 1);
    g_assert_cmpfloat (c->step.shrink[j], ==, 0);
    int most = 0;
    for (int64_t i = 0; i < c->keys; i++) {
      const double want = 255 * exp2 (logits[i * c->n + j] - best);
      g_assert_cmpfloat_with_epsilon (weight (c, i, j), want, 1 + 0.006 * want);
      off += weight (c, i, j) - want;
      most = MAX (most, weight (c, i, j));
    }
    g_assert_cmpint (most, ==, 255);
  }
  if (c->n * c->keys > 1000)
    g_assert_cmpfloat (fabs (off) / (double) (c->n * c->keys), <, 0.05);
}

static const int64_t shapes[][3] = { { 1, 1, 1 },   { 3, 5, 7 },   { 32, 96, 40 },  { 31, 95, 64 },  { 32, 13, 3 },  { 17, 12, 80 },
                                     { 32, 90, 4 }, { 9, 11, 160 }, { 32, 96, 256 }, { 30, 61, 255 }, { 32, 33, 41 } };

static void
test_weights (void)
{
  static const float factors[] = { 0.25f, 2, 60 };
  for (gsize s = 0; kernels && s < G_N_ELEMENTS (shapes) * G_N_ELEMENTS (factors); s++) {
    const int64_t *shape = shapes[s / G_N_ELEMENTS (factors)];
    Case c;
    case_init (&c, shape[0], shape[1], shape[2]);
    check_weights (&c, factors[s % G_N_ELEMENTS (factors)] / sqrtf ((float) shape[2]));
    case_clear (&c);
  }
}

/* The weights of one block of keys made beside the logits of another, longer or shorter one: the same bytes as one after the other. */
static void
test_beside (void)
{
  static const int64_t lengths[] = { 96, 17, 96, 60, 60, 1, 84 };
  for (gsize d = 1; kernels && d <= 256; d += 51) {
    g_autofree uint8_t *packed = memory (BLOCK * COLUMNS), *logits = memory (BLOCK * COLUMNS * sizeof (float));
    PmtAttendInt8Step steps[2] = { 0 };
    for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++) {
      Case c, before;
      float about[COLUMNS];
      case_init (&c, 32, lengths[i], (int64_t) d);
      case_init (&before, 32, lengths[i > 0 ? i - 1 : 0], (int64_t) d);
      for (gsize j = 0; j < COLUMNS; j++)
        about[j] = -INFINITY;
      weigh (&c, 1);
      weigh (&before, 1);
      kernels->weigh (c.keys, c.block, c.panel, c.d, (float *) logits, about, &steps[i % 2], &steps[!(i % 2)], packed);
      if (i > 0)
        g_assert_cmpmem (packed, (gsize) (before.keys * COLUMNS) / 4 * 4, before.packed, (gsize) (before.keys * COLUMNS) / 4 * 4);
      g_assert_cmpmem (steps[i % 2].factor, sizeof c.step.factor, c.step.factor, sizeof c.step.factor);
      g_assert_cmpmem (about, sizeof about, c.about, sizeof about);
      case_clear (&c);
      case_clear (&before);
    }
  }
}

/* Exact in whole numbers: what is left are factors in f32. The row behind the channels is the sum of weights. */
static void
test_mix (void)
{
  for (gsize s = 0; kernels && s < G_N_ELEMENTS (shapes); s++) {
    Case c;
    case_init (&c, shapes[s][0], shapes[s][1], shapes[s][2]);
    weigh (&c, 1 / sqrtf ((float) c.d));
    for (int64_t j = 0; j < COLUMNS; j++)
      c.step.factor[j] = exp2f ((float) (j - 10));
    mix (&c);
    g_autofree double *v = g_new (double, c.keys * c.d);
    for (int64_t x = 0; x < c.d; x++)
      round_values (c.v, NULL, c.keys, c.d, x, c.d, v);
    for (int64_t j = 0; j < c.n; j++)
      for (int64_t x = 0; x <= c.d; x++) {
        double sum = 0, size = 0;
        for (int64_t i = 0; i < c.keys; i++) {
          const double value = weight (&c, i, j) * (x < c.d ? v[i * c.d + x] : 1);
          sum += value;
          size += fabs (value);
        }
        g_assert_cmpfloat_with_epsilon (c.c[x * COLUMNS + j], (double) c.step.factor[j] * sum, 1e-6 * (double) c.step.factor[j] * size);
      }
    case_clear (&c);
  }
}

/* Equal logits are equal weights, and what stands beside the keys that are there counts for nothing, whatever its logits. */
static void
test_equal (void)
{
  for (int sign = -1; kernels && sign <= 1; sign++) {
    Case c;
    case_init (&c, 32, 17, 40);
    for (int64_t i = 0; i < c.n * c.d; i++)
      c.q[i] = (float) sign;
    for (int64_t i = 0; i < c.keys * c.d; i++)
      c.k[i] = c.mean[i % c.d] + 1e4f;
    weigh (&c, 1);
    mix (&c);
    for (int64_t j = 0; j < c.n; j++) {
      for (int64_t i = 0; i < c.keys; i++)
        g_assert_cmpint (weight (&c, i, j), ==, 255);
      g_assert_cmpfloat (c.c[c.d * COLUMNS + j], ==, 255 * 17);
    }
    case_clear (&c);
  }
}

/* One key far above all others is all there is. */
static void
test_winner (void)
{
  static const float sizes[] = { 1, 1e3f, 1e9f, 1e18f };
  for (gsize s = 0; kernels && s < G_N_ELEMENTS (sizes); s++) {
    Case c;
    case_init (&c, 32, 96, 40);
    for (int64_t i = 0; i < c.n * c.d; i++)
      c.q[i] = sizes[s];
    for (int64_t i = 0; i < c.keys * c.d; i++)
      c.k[i] = c.mean[i % c.d] + (i / c.d == 77 ? 1.0f : -1.0f);
    weigh (&c, 1);
    for (int64_t i = 0; i < c.keys; i++)
      for (int64_t j = 0; j < c.n; j++)
        g_assert_cmpint (weight (&c, i, j), ==, i == 77 ? 255 : 0);
    case_clear (&c);
  }
}

/* A later block is relative to the earlier one's maximum, until it is too far above. */
static void
test_raise (void)
{
  static const float factors[] = { 1, 30, 70, 200 };
  for (gsize s = 0; kernels && s < G_N_ELEMENTS (factors); s++) {
    Case c;
    case_init (&c, 32, 96, 16);
    for (int64_t i = 0; i < c.n * c.d; i++)
      c.q[i] = 1;
    for (int64_t i = 0; i < c.keys * c.d; i++)
      c.k[i] = c.mean[i % c.d] + (i < c.d ? 0.0625f : -0.0625f);
    g_assert_true (weigh (&c, 1));
    g_assert_cmpfloat_with_epsilon (c.about[5], 1, 1e-5);
    const bool raised = weigh (&c, factors[s]);
    g_assert_cmpint (raised, ==, factors[s] - 1 > 64);
    for (int j = 0; j < COLUMNS; j++) {
      g_assert_cmpfloat_with_epsilon (c.about[j], raised ? factors[s] : 1, 1e-3);
      g_assert_cmpfloat_with_epsilon (log2 ((double) c.step.factor[j]), raised ? 0 : factors[s] - 1, 1e-3);
      g_assert_cmpfloat_with_epsilon (c.step.shrink[j], raised ? exp2 (1 - (double) factors[s]) : 1, 1e-7);
    }
    case_clear (&c);
  }
}

/* Whether the sums of query j and channel x are NaN. */
static bool
spoilt (const Case *c, int64_t j, int64_t x)
{
  return isnan (c->c[x * COLUMNS + j]);
}

static void
check_spoilt (float bad, int where)
{
  enum { QUERY = 5, CHANNEL = 9 };
  Case c;
  case_init (&c, 32, 90, 40);
  (where == 0 ? c.q : where == 1 ? c.k : c.v)[QUERY * c.d + CHANNEL] = bad;
  weigh (&c, 1);
  mix (&c);
  for (int64_t j = 0; j < c.n; j++)
    for (int64_t x = 0; x <= c.d; x++)
      g_assert_cmpint (spoilt (&c, j, x), ==, where == 0 ? j == QUERY : where == 1 ? true : x == CHANNEL);
  case_clear (&c);
}

/* NaN and infinity spoil a query's column, every query where they are in a key, and a channel where they are in a value. */
static void
test_nan (void)
{
  for (int where = 0; kernels && where < 3; where++) {
    check_spoilt (NAN, where);
    check_spoilt (INFINITY, where);
    check_spoilt (-INFINITY, where);
  }
}

int
main (int argc, char **argv)
{
  PmtCpuLevel level;
  GError *error = NULL;
  if (!pmt_cpu_select (&level, &error)) /* first: with PENTIMENTO_CPU set it begins the program anew */
    g_error ("%s", error->message);
  kernels = pmt_kernels_get (level)->attend_int8;
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (kernels != NULL, ==, level == PMT_CPU_V4BF16); /* the tests are empty where there are none */
  g_assert_true (!kernels || (kernels->columns == COLUMNS && kernels->block == BLOCK));
  g_test_add_func ("/attend-int8/weights", test_weights);
  g_test_add_func ("/attend-int8/beside", test_beside);
  g_test_add_func ("/attend-int8/mix", test_mix);
  g_test_add_func ("/attend-int8/equal", test_equal);
  g_test_add_func ("/attend-int8/winner", test_winner);
  g_test_add_func ("/attend-int8/raise", test_raise);
  g_test_add_func ("/attend-int8/nan", test_nan);
  return g_test_run ();
}
