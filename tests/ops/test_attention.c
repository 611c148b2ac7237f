/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the cases of the attention operations do not show: the fused way equals the three steps, bad values stay where they are. */
#include <math.h>

#include "engine/base/threads.h"
#include "engine/kernels/packed.h"
#include "engine/ops/ops.h"
#include "tests/ops/harness.h"

static PmtTensor
random_wide (PmtContext *ctx, int64_t tokens, int64_t width, uint64_t seed)
{
  PmtTensor t = pmt_tensor_new (ctx, PMT_SHAPE3 (2, tokens, width));
  Random r = { seed };
  for (int64_t i = 0; i < pmt_tensor_size (t); i++)
    t.data[i] = (float) random_normal (&r);
  return t;
}

static PmtTensor
random_tensor (PmtContext *ctx, int64_t tokens, uint64_t seed)
{
  return random_wide (ctx, tokens, 24, seed);
}

/* 1100 keys are three tiles, the last one short; 300 queries two blocks. */
static void
test_steps (gconstpointer user)
{
  PmtAttentionParams p = { 3, GPOINTER_TO_INT (user) };
  PmtContext *ctx = harness_context ();
  PmtTensor q = random_tensor (ctx, 300, 1), k = random_tensor (ctx, 1100, 2), v = random_tensor (ctx, 1100, 3);
  PmtTensor fused = pmt_attention (ctx, q, k, v, p);
  PmtTensor steps = pmt_attention_mix (ctx, pmt_softmax (ctx, pmt_attention_logits (ctx, q, k, p)), v, p);
  g_assert_no_error (ctx->error);
  for (int64_t i = 0; i < pmt_tensor_size (fused); i++)
    g_assert_cmpfloat_with_epsilon (fused.data[i], steps.data[i], 2e-6);
  harness_context_free (ctx);
}

/* A NaN among the queries spoils that query's head alone, one among the values that channel's column. */
static void
test_nan (gconstpointer user)
{
  PmtAttentionParams p = { 3, false, (PmtPrecision) GPOINTER_TO_INT (user) };
  PmtContext *ctx = harness_context ();
  PmtTensor q = random_tensor (ctx, 40, 1), k = random_tensor (ctx, 600, 2), v = random_tensor (ctx, 600, 3);
  q.data[(5 * 24) + 9] = NAN;                 /* row 0, query 5, head 1 */
  v.data[((600 + 7) * 24) + 20] = NAN;        /* row 1, key 7, channel 20 */
  PmtTensor out = pmt_attention (ctx, q, k, v, p);
  g_assert_no_error (ctx->error);
  for (int64_t i = 0; i < pmt_tensor_size (out); i++) {
    int64_t row = i / (40 * 24), query = i / 24 % 40, channel = i % 24;
    bool spoilt = row == 0 ? query == 5 && channel / 8 == 1 : channel == 20;
    g_assert_cmpint (isnan (out.data[i]) != 0, ==, spoilt);
  }
  harness_context_free (ctx);
}

/* Logits far beyond what exp can hold: the largest one wins, in whatever tile it is. */
static void
test_far (void)
{
  PmtAttentionParams p = { 1, false };
  PmtContext *ctx = harness_context ();
  PmtTensor q = random_tensor (ctx, 3, 1), k = random_tensor (ctx, 1300, 2), v = random_tensor (ctx, 1300, 3);
  for (int64_t i = 0; i < pmt_tensor_size (q); i++)
    q.data[i] *= 1e5f;
  PmtTensor out = pmt_attention (ctx, q, k, v, p);
  g_assert_no_error (ctx->error);
  for (int row = 0; row < 2; row++)
    for (int i = 0; i < 3; i++) {
      const float *query = q.data + (row * 3 + i) * 24;
      int winner = 0;
      double top = -INFINITY;
      for (int j = 0; j < 1300; j++) {
        double dot = 0;
        for (int c = 0; c < 24; c++)
          dot += (double) query[c] * k.data[(row * 1300 + j) * 24 + c];
        if (dot > top)
          top = dot, winner = j;
      }
      for (int c = 0; c < 24; c++)
        g_assert_cmpfloat (out.data[(row * 3 + i) * 24 + c], ==, v.data[(row * 1300 + winner) * 24 + c]);
    }
  harness_context_free (ctx);
}

/* What is kept of a value, beside the largest of its channel: all that is tested of it in f32 and bf16. */
static double
value_error (PmtPrecision precision)
{
  return precision == PMT_PRECISION_INT8 ? 0.5 / 127 + 1e-6 : 1e-6;
}

/* One key whose logit is so far above all others that its value is the result, wherever it lies: among the first, which what follows is relative
 * to, among those, or in later steps; with logits that whole numbers and fractions fit beside each other, and such that do not. */
static void
test_winner (gconstpointer user)
{
  static const int winners[] = { 0, 13, 40, 700, 1299 };
  static const float sizes[] = { 60, 900, 1e4f, 3e6f };
  const PmtAttentionParams p = { 1, false, (PmtPrecision) GPOINTER_TO_INT (user) };
  const double error = value_error (p.precision);
  for (size_t n = 0; n < G_N_ELEMENTS (winners) * G_N_ELEMENTS (sizes); n++) {
    const int winner = winners[n / G_N_ELEMENTS (sizes)];
    PmtContext *ctx = harness_context ();
    PmtTensor q = random_tensor (ctx, 33, 1), k = random_tensor (ctx, 1300, 2), v = random_tensor (ctx, 1300, 3);
    for (int64_t i = 0; i < pmt_tensor_size (q); i++)
      q.data[i] = sizes[n % G_N_ELEMENTS (sizes)];
    for (int64_t i = 0; i < pmt_tensor_size (k); i++) {
      k.data[i] = i / 24 % 1300 == winner ? 1.0f : 0.25f * tanhf (k.data[i]);
      v.data[i] = rintf (32 * tanhf (v.data[i])) / 32; /* what bf16 holds */
    }
    PmtTensor out = pmt_attention (ctx, q, k, v, p);
    g_assert_no_error (ctx->error);
    for (int64_t i = 0; i < pmt_tensor_size (out); i++)
      g_assert_cmpfloat_with_epsilon (out.data[i], v.data[(i / (33 * 24) * 1300 + winner) * 24 + i % 24], error);
    harness_context_free (ctx);
  }
}

/* A query whose first keys all are at -infinity knows no largest logit when the next step begins, and its neighbours do. */
static void
test_lost (gconstpointer user)
{
  enum { QUERIES = 32, KEYS = 1000, LOST = 480 };
  PmtContext *ctx = harness_context ();
  PmtTensor q = random_wide (ctx, QUERIES, 2, 1), k = random_wide (ctx, KEYS, 2, 2), v = random_wide (ctx, KEYS, 2, 3);
  for (int64_t i = 0; i < pmt_tensor_size (q); i += 2) {
    q.data[i] = i / 2 % QUERIES == 0 ? 1e20f : 0;
    q.data[i + 1] = i / 2 % QUERIES == 0 ? 0 : 1;
  }
  for (int64_t i = 0; i < pmt_tensor_size (k); i += 2) {
    const bool lost = i / 2 % KEYS < LOST;
    k.data[i] = lost ? -1e20f : 0;
    k.data[i + 1] = lost ? 10 : 11;
    v.data[i] = lost;
    v.data[i + 1] = !lost;
  }
  PmtTensor out = pmt_attention (ctx, q, k, v, (PmtAttentionParams) { 1, false, (PmtPrecision) GPOINTER_TO_INT (user) });
  g_assert_no_error (ctx->error);
  const double early = LOST * exp (10 / sqrt (2)), late = (KEYS - LOST) * exp (11 / sqrt (2));
  for (int64_t i = 0; i < pmt_tensor_size (out); i += 2) {
    const double share = i / 2 % QUERIES == 0 ? 0 : early / (early + late);
    g_assert_cmpfloat_with_epsilon (out.data[i], share, 0.01);
    g_assert_cmpfloat_with_epsilon (out.data[i + 1], 1 - share, 0.01);
  }
  harness_context_free (ctx);
}

/* Heads of the networks' widths near those of f32: with a prompt's keys, and with more than one step of them. */
static void
test_widths (gconstpointer user)
{
  const PmtPrecision precision = (PmtPrecision) GPOINTER_TO_INT (user);
  static const int64_t widths[] = { 7, 40, 64, 80, 160, 512 }, keys[] = { 1, 12, 77, 500 };
  for (size_t n = 0; n < G_N_ELEMENTS (widths) * G_N_ELEMENTS (keys); n++) {
    const int64_t c = 2 * widths[n / G_N_ELEMENTS (keys)], s = keys[n % G_N_ELEMENTS (keys)];
    PmtContext *ctx = harness_context ();
    PmtTensor q = random_wide (ctx, 45, c, 1), k = random_wide (ctx, s, c, 2), v = random_wide (ctx, s, c, 3);
    PmtTensor want = pmt_attention (ctx, q, k, v, (PmtAttentionParams) { 2, false, PMT_PRECISION_F32 });
    PmtTensor out = pmt_attention (ctx, q, k, v, (PmtAttentionParams) { 2, false, precision });
    double most = 0, error = 0;
    g_assert_no_error (ctx->error);
    for (int64_t i = 0; i < pmt_tensor_size (out); i++) {
      most = fmax (most, fabs (want.data[i]));
      error = fmax (error, fabs (out.data[i] - want.data[i]));
    }
    g_test_message ("%d x %d: %.2e", (int) c, (int) s, error / most);
    g_assert_cmpfloat (error / most, <=, precision == PMT_PRECISION_INT8 && s > 77 ? 4e-2 : 1e-2);
    harness_context_free (ctx);
  }
}

/* In int8, few keys, a mask and wide heads are computed in bf16, others are not. */
static void
test_int8_where (void)
{
  static const struct { int64_t width, keys; bool causal, bf16; } cases[] = {
    { 24, 77, false, true }, { 24, 191, false, true }, { 24, 192, false, false }, { 24, 300, true, true },
    { 512, 300, false, false }, { 514, 300, false, true },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    const int64_t c = cases[i].width, s = cases[i].keys;
    PmtContext *ctx = harness_context ();
    PmtTensor q = random_wide (ctx, 40, c, 1), k = random_wide (ctx, s, c, 2), v = random_wide (ctx, s, c, 3);
    PmtTensor wide = pmt_attention (ctx, q, k, v, (PmtAttentionParams) { 2, cases[i].causal, PMT_PRECISION_BF16 });
    PmtTensor out = pmt_attention (ctx, q, k, v, (PmtAttentionParams) { 2, cases[i].causal, PMT_PRECISION_INT8 });
    g_assert_no_error (ctx->error);
    g_assert_cmpint (memcmp (out.data, wide.data, (size_t) pmt_tensor_size (out) * sizeof (float)) == 0, ==, cases[i].bf16);
    harness_context_free (ctx);
  }
}

/* What int8 must get right though bytes have 255 steps: equal logits are a plain mean; ones beside a large one in their block of keys, each too
 * small for a byte, count as many; and what all keys have in common counts for nothing. */
static void
test_int8_weights (void)
{
  enum { KEYS = 480, WIDTH = 16 };
  for (int kind = 0; kind < 3; kind++) {
    PmtContext *ctx = harness_context ();
    PmtTensor q = random_wide (ctx, 40, WIDTH, 1), k = random_wide (ctx, KEYS, WIDTH, 2), v = random_wide (ctx, KEYS, WIDTH, 3);
    for (int64_t i = 0; i < pmt_tensor_size (k); i++) {
      const int64_t key = i / WIDTH % KEYS;
      k.data[i] = kind == 0 ? 3.0f : kind == 1 ? (key % 96 == 50 ? 1.0f : 0.0f) : k.data[i] + 100.0f * (float) (i % WIDTH);
    }
    for (int64_t i = 0; kind == 1 && i < pmt_tensor_size (q); i++)
      q.data[i] = 6.5f / 4; /* e^6.5 = 665 times the weight of the others, of which there are 95 */
    for (int64_t i = 0; i < pmt_tensor_size (v); i++)
      v.data[i] = kind == 1 ? (i / WIDTH % KEYS % 96 == 50 ? 0.0f : 1.0f) : v.data[i];
    PmtTensor want = pmt_attention (ctx, q, k, v, (PmtAttentionParams) { 1, false, PMT_PRECISION_F32 });
    PmtTensor out = pmt_attention (ctx, q, k, v, (PmtAttentionParams) { 1, false, PMT_PRECISION_INT8 });
    g_assert_no_error (ctx->error);
    for (int64_t i = 0; i < pmt_tensor_size (out); i++)
      g_assert_cmpfloat_with_epsilon (out.data[i], want.data[i], kind == 0 ? 2e-3 : kind == 1 ? 0.1 * want.data[i] : 8e-2);
    harness_context_free (ctx);
  }
}

extern const PmtOp pmt_op_attention;

/* Three rows of a case together, and each of them alone on another number of threads: the same bytes. */
static void
check_rows (PmtTensor *in, PmtTensor out, PmtContext *ctx, const PmtAttentionParams *p)
{
  const int threads = pmt_threads ();
  for (int row = 0; row < 3; row++) {
    PmtTensor alone[3];
    pmt_threads_set (row + 1);
    for (int i = 0; i < 3; i++)
      alone[i] = pmt_tensor_rows (in[i], row, 1);
    PmtTensor part = pmt_op_run (ctx, &pmt_op_attention, alone, 3, p), whole = pmt_tensor_rows (out, row, 1);
    const size_t bytes = (size_t) pmt_tensor_size (part) * sizeof (float);
    g_assert_cmpmem (part.data, bytes, whole.data, bytes);
  }
  pmt_threads_set (threads);
}

/* Every case in bf16 or int8: near the naive twin, and not as near as f32 is. */
static void
test_rounded (gconstpointer user)
{
  const PmtPrecision precision = (PmtPrecision) GPOINTER_TO_INT (user);
  const bool have = pmt_product_kernels (harness_kernels, precision) != NULL;
  for (size_t i = 0; i < pmt_op_attention.n_cases; i++) {
    const PmtOpCase *def = &pmt_op_attention.cases[i];
    Sample *s = sample_new (&pmt_op_attention, def, 3, 60 + i);
    PmtAttentionParams p = *(const PmtAttentionParams *) def->params;
    PmtContext *ctx = harness_context ();
    PmtTensor in[PMT_OP_MAX_INPUTS];
    p.precision = precision;
    sample_tensors (s, in);
    PmtTensor out = pmt_op_run (ctx, &pmt_op_attention, in, 3, &p);
    if (have) {
      g_assert_no_error (ctx->error);
      double *want = sample_naive (s, s->wide, &out.shape), error = relative_error (out.data, want, (size_t) pmt_tensor_size (out));
      g_test_message ("%s: %.2e", def->name, error);
      const bool bytes = precision == PMT_PRECISION_INT8 && def->in[1].dim[1] > 77 && !p.causal;
      g_assert_cmpfloat (error, <=, def->scale[0] > 1 ? 5e-2 : bytes ? 4e-2 : 1e-2);
      g_assert_cmpfloat (error, >, 1e-4);
      check_rows (in, out, ctx, &p);
      g_free (want);
    } else {
      GError *error = NULL;
      g_assert_true (pmt_context_take_error (ctx, &error));
      g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
      g_assert_nonnull (strstr (error->message, "has no such products; ask for f32"));
      g_error_free (error);
    }
    harness_context_free (ctx);
    sample_free (s);
  }
}

int
main (int argc, char **argv)
{
  GError *error = NULL;
  PmtCpuLevel level;
  if (!pmt_cpu_select (&level, &error))
    g_error ("%s", error->message);
  harness_kernels = pmt_kernels_get (level);
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/attention/steps", GINT_TO_POINTER (false), test_steps);
  g_test_add_data_func ("/attention/steps-causal", GINT_TO_POINTER (true), test_steps);
  g_test_add_data_func ("/attention/nan", GINT_TO_POINTER (PMT_PRECISION_F32), test_nan);
  g_test_add_data_func ("/attention/winner", GINT_TO_POINTER (PMT_PRECISION_F32), test_winner);
  g_test_add_data_func ("/attention/lost", GINT_TO_POINTER (PMT_PRECISION_F32), test_lost);
  if (pmt_product_kernels (harness_kernels, PMT_PRECISION_BF16)) {
    g_test_add_data_func ("/attention/nan-bf16", GINT_TO_POINTER (PMT_PRECISION_BF16), test_nan);
    g_test_add_data_func ("/attention/winner-bf16", GINT_TO_POINTER (PMT_PRECISION_BF16), test_winner);
    g_test_add_data_func ("/attention/lost-bf16", GINT_TO_POINTER (PMT_PRECISION_BF16), test_lost);
    g_test_add_data_func ("/attention/widths-bf16", GINT_TO_POINTER (PMT_PRECISION_BF16), test_widths);
  }
  if (pmt_product_kernels (harness_kernels, PMT_PRECISION_INT8)) {
    g_test_add_data_func ("/attention/nan-int8", GINT_TO_POINTER (PMT_PRECISION_INT8), test_nan);
    g_test_add_data_func ("/attention/winner-int8", GINT_TO_POINTER (PMT_PRECISION_INT8), test_winner);
    g_test_add_data_func ("/attention/widths-int8", GINT_TO_POINTER (PMT_PRECISION_INT8), test_widths);
  }
  if (harness_kernels->attend_int8) {
    g_test_add_func ("/attention/int8-where", test_int8_where);
    g_test_add_func ("/attention/int8-weights", test_int8_weights);
  }
  g_test_add_func ("/attention/far", test_far);
  g_test_add_data_func ("/attention/bf16", GINT_TO_POINTER (PMT_PRECISION_BF16), test_rounded);
  g_test_add_data_func ("/attention/int8", GINT_TO_POINTER (PMT_PRECISION_INT8), test_rounded);
  return g_test_run ();
}
