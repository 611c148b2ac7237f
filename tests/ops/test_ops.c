/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One test per operation and property; every test walks all of the operation's cases. */
#include <math.h>
#include <string.h>

#include "engine/base/threads.h"
#include "engine/ops/ops.h"
#include "engine/tensor/tape.h"
#include "tests/ops/harness.h"

static const PmtOpCase *
case_at (const PmtOp *op, size_t i)
{
  g_test_message ("case %s", op->cases[i].name);
  return &op->cases[i];
}

/* Forward against the naive twin. */
static void
test_forward (gconstpointer user)
{
  const PmtOp *op = user;
  for (size_t i = 0; i < op->n_cases; i++) {
    Sample *s = sample_new (op, case_at (op, i), 0, 1 + i);
    PmtContext *ctx = harness_context ();
    PmtTensor out = sample_run (s, ctx);
    double *want = sample_naive (s, s->wide, &out.shape);
    double error = relative_error (out.data, want, (size_t) pmt_tensor_size (out));
    g_test_message ("relative error %.3g", error);
    g_assert_cmpfloat (error, <=, op->tolerance);
    g_assert_cmpfloat (ctx->flops, >, 0);
    g_free (want);
    harness_context_free (ctx);
    sample_free (s);
  }
}

/* Every level that this machine has against portable C. */
static void
test_levels (gconstpointer user)
{
  const PmtOp *op = user;
  PmtCpuLevel top = pmt_cpu_detect ();
  for (size_t i = 0; i < op->n_cases; i++) {
    Sample *s = sample_new (op, case_at (op, i), 0, 100 + i);
    PmtContext *ctx = harness_context ();
    ctx->kernels = pmt_kernels_get (PMT_CPU_PORTABLE);
    PmtTensor plain = sample_run (s, ctx);
    size_t n = (size_t) pmt_tensor_size (plain);
    double *want = g_new (double, n);
    for (size_t j = 0; j < n; j++)
      want[j] = plain.data[j];
    for (PmtCpuLevel level = PMT_CPU_V2; level <= top; level++) {
      ctx->kernels = pmt_kernels_get (level);
      PmtTensor out = sample_run (s, ctx);
      g_assert_cmpfloat (relative_error (out.data, want, n), <=, op->tolerance);
    }
    g_free (want);
    harness_context_free (ctx);
    sample_free (s);
  }
}

/* One to four rows give, to the bit, the rows that they give alone. */
static void
test_rows (gconstpointer user)
{
  const PmtOp *op = user;
  for (size_t i = 0; i < op->n_cases; i++) {
    const PmtOpCase *def = case_at (op, i);
    if (def->rowwise == 0)
      continue;
    Sample *s = sample_new (op, def, 4, 200 + i);
    PmtTensor whole[PMT_OP_MAX_INPUTS], part[PMT_OP_MAX_INPUTS];
    sample_tensors (s, whole);
    PmtContext *ctx = harness_context ();
    PmtTensor alone[4];
    for (int count = 1; count <= 4; count++)
      for (int row = 0; row < (count == 1 ? 4 : 1); row++) {
        for (int j = 0; j < def->n_in; j++)
          part[j] = def->rowwise >> j & 1 ? pmt_tensor_rows (whole[j], row, count) : whole[j];
        PmtTensor out = pmt_op_run (ctx, op, part, def->n_in, def->params);
        g_assert_no_error (ctx->error);
        g_assert_cmpint (out.shape.dim[0], ==, count);
        if (count == 1) {
          alone[row] = out;
          continue;
        }
        for (int r = 0; r < count; r++) {
          PmtTensor got = pmt_tensor_rows (out, r, 1);
          size_t bytes = (size_t) pmt_tensor_size (got) * sizeof (float);
          g_assert_cmpmem (got.data, bytes, alone[r].data, bytes);
        }
      }
    harness_context_free (ctx);
    sample_free (s);
  }
}

static double
dot_finite (const double *value, const float *weight, size_t n)
{
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    if (isfinite (value[i]))
      sum += value[i] * weight[i];
  return sum;
}

/* (loss(x + h u) - loss(x - h u)) / 2h of the naive twin, x being input i, loss the sum of weight * out. */
static double
difference (const Sample *s, int i, const double *u, const PmtShape *out_shape, const float *weight)
{
  const double h = 1e-5;
  size_t n = (size_t) pmt_shape_size (&s->shape[i]), n_out = (size_t) pmt_shape_size (out_shape);
  double *in[PMT_OP_MAX_INPUTS], loss[2];
  memcpy (in, s->wide, sizeof in);
  in[i] = g_new (double, n);
  for (int side = 0; side < 2; side++) {
    for (size_t j = 0; j < n; j++)
      in[i][j] = s->wide[i][j] + (side ? -h : h) * u[j];
    double *out = sample_naive (s, in, out_shape);
    loss[side] = dot_finite (out, weight, n_out);
    g_free (out);
  }
  g_free (in[i]);
  return (loss[0] - loss[1]) / (2 * h);
}

/* The error of <gradient, u> is measured against |gradient|: what a random direction of unit variance sees of it. */
static void
check_gradient (const Sample *s, int i, PmtTensor gradient, const PmtShape *out_shape, const float *weight)
{
  size_t n = (size_t) pmt_shape_size (&s->shape[i]);
  Random r = { 77 + (uint64_t) i };
  double *u = g_new (double, n);
  for (int trial = 0; trial < 3; trial++) {
    double along = 0, norm = 0;
    for (size_t j = 0; j < n; j++) {
      u[j] = random_normal (&r);
      along += gradient.data[j] * u[j];
      norm += (double) gradient.data[j] * gradient.data[j];
    }
    double fd = difference (s, i, u, out_shape, weight);
    double error = fabs (along - fd) / fmax (sqrt (norm), 1e-3);
    g_test_message ("input %d: %.9g by backward, %.9g by differences, error %.3g", i, along, fd, error);
    g_assert_cmpfloat (error, <, 1e-5);
  }
  g_free (u);
}

static void
test_gradient (gconstpointer user)
{
  const PmtOp *op = user;
  for (size_t c = 0; c < op->n_cases; c++) {
    Sample *s = sample_new (op, case_at (op, c), 0, 300 + c);
    PmtContext *ctx = harness_context ();
    ctx->tape = pmt_tape_new ();
    PmtTensor in[PMT_OP_MAX_INPUTS];
    sample_tensors (s, in);
    for (int i = 0; i < s->def->n_in; i++)
      in[i] = pmt_tape_leaf (ctx->tape, in[i]);
    PmtTensor out = pmt_op_run (ctx, op, in, s->def->n_in, s->def->params);
    g_assert_no_error (ctx->error);

    PmtTensor seed = pmt_tensor_new (ctx, out.shape);
    Random r = { 400 + c };
    for (int64_t j = 0; j < pmt_tensor_size (out); j++)
      seed.data[j] = isfinite (out.data[j]) ? (float) random_normal (&r) : 0;
    pmt_tape_backward (ctx, out, seed);
    g_assert_no_error (ctx->error);
    for (int i = 0; i < s->def->n_in; i++) {
      if (!in[i].data)
        continue;
      PmtTensor gradient = pmt_tape_gradient (ctx->tape, in[i]);
      g_assert_nonnull (gradient.data);
      g_assert_true (pmt_shape_equal (&gradient.shape, &in[i].shape));
      check_gradient (s, i, gradient, &out.shape, seed.data);
    }
    pmt_tape_free (ctx->tape);
    ctx->tape = NULL;
    harness_context_free (ctx);
    sample_free (s);
  }
}

/* An operation without backward must not be recorded as if its gradient were zero. */
static void
test_refused (gconstpointer user)
{
  const PmtOp *op = user;
  Sample *s = sample_new (op, &op->cases[0], 0, 1);
  PmtContext *ctx = harness_context ();
  ctx->tape = pmt_tape_new ();
  PmtTensor in[PMT_OP_MAX_INPUTS];
  sample_tensors (s, in);

  /* Nothing differentiable goes in: it may run. */
  g_assert_nonnull (pmt_op_run (ctx, op, in, s->def->n_in, s->def->params).data);
  in[0] = pmt_tape_leaf (ctx->tape, in[0]);
  g_assert_null (pmt_op_run (ctx, op, in, s->def->n_in, s->def->params).data);
  GError *error = NULL;
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, op->id));
  g_error_free (error);

  pmt_tape_free (ctx->tape);
  ctx->tape = NULL;
  harness_context_free (ctx);
  sample_free (s);
}

/* A dry run touches no data (the addresses here cannot be read), takes the same memory and counts the same cost. */
static void
test_dry (gconstpointer user)
{
  const PmtOp *op = user;
  for (size_t i = 0; i < op->n_cases; i++) {
    Sample *s = sample_new (op, case_at (op, i), 0, 1);
    PmtContext *ctx = harness_context ();
    sample_run (s, ctx);
    size_t peak = pmt_arena_peak (ctx->step), used = pmt_arena_used (ctx->step);
    double cost = ctx->flops;
    harness_context_free (ctx);

    ctx = harness_context ();
    ctx->dry = true;
    PmtTensor in[PMT_OP_MAX_INPUTS];
    sample_tensors (s, in);
    for (int j = 0; j < s->def->n_in; j++)
      if (in[j].data)
        in[j].data = (float *) (uintptr_t) (64 * (j + 1));
    g_assert_nonnull (pmt_op_run (ctx, op, in, s->def->n_in, s->def->params).data);
    g_assert_cmpuint (pmt_arena_peak (ctx->step), ==, peak);
    g_assert_cmpuint (pmt_arena_used (ctx->step), ==, used);
    g_assert_cmpfloat (ctx->flops, ==, cost);
    harness_context_free (ctx);
    sample_free (s);
  }
}

/* A flag that is already set stops the operation, and nothing stays allocated. */
static void
test_cancel (gconstpointer user)
{
  const PmtOp *op = user;
  Sample *s = sample_new (op, &op->cases[0], 0, 1);
  PmtContext *ctx = harness_context ();
  PmtCancel cancel = { false };
  pmt_cancel_request (&cancel);
  ctx->cancel = &cancel;
  PmtTensor in[PMT_OP_MAX_INPUTS];
  sample_tensors (s, in);
  g_assert_null (pmt_op_run (ctx, op, in, s->def->n_in, s->def->params).data);
  g_assert_cmpuint (pmt_arena_used (ctx->step), ==, 0);
  GError *error = NULL;
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
  g_error_free (error);
  harness_context_free (ctx);
  sample_free (s);
}

/* In the memory of an input, and in that of a tensor that is not needed: the same bytes. Places that are too small or that the op reads are refused. */
static void
test_over (gconstpointer user)
{
  const PmtOp *op = user;
  for (size_t i = 0; i < op->n_cases; i++) {
    Sample *s = sample_new (op, &op->cases[i], 0, 300 + i);
    PmtContext *ctx = harness_context ();
    PmtTensor in[PMT_OP_MAX_INPUTS];
    sample_tensors (s, in);
    const PmtTensor want = sample_run (s, ctx);
    const size_t bytes = (size_t) pmt_tensor_size (want) * sizeof (float);
    PmtTensor other = pmt_tensor_new (ctx, PMT_SHAPE1 (pmt_tensor_size (want) + 5));
    size_t used = pmt_arena_used (ctx->step);
    const PmtTensor placed = pmt_op_run_over (ctx, op, other, in, s->def->n_in, s->def->params);
    g_assert_true (placed.data == other.data && pmt_shape_equal (&placed.shape, &want.shape));
    g_assert_cmpmem (placed.data, bytes, want.data, bytes);
    g_assert_cmpuint (pmt_arena_used (ctx->step), ==, used);
    for (int j = 0; j < s->def->n_in; j++)
      if (in[j].data && (op->over >> j & 1) && pmt_shape_equal (&in[j].shape, &want.shape)) {
        const PmtTensor kept = in[j];
        in[j] = pmt_tensor_copy (ctx, kept);
        const PmtTensor over = pmt_op_run_over (ctx, op, in[j], in, s->def->n_in, s->def->params);
        g_assert_no_error (ctx->error);
        g_assert_true (over.data == in[j].data);
        g_assert_cmpmem (over.data, bytes, want.data, bytes);
        in[j] = kept;
      } else if (in[j].data && pmt_tensor_size (in[j]) >= pmt_tensor_size (want)) {
        g_assert_null (pmt_op_run_over (ctx, op, in[j], in, s->def->n_in, s->def->params).data);
        g_assert_error (ctx->error, PMT_ERROR, PMT_ERROR_INTERNAL);
        g_clear_error (&ctx->error);
      }
    other = pmt_tensor_new (ctx, PMT_SHAPE1 (pmt_tensor_size (want) - 1));
    used = pmt_arena_used (ctx->step);
    g_assert_null (pmt_op_run_over (ctx, op, other, in, s->def->n_in, s->def->params).data);
    g_assert_error (ctx->error, PMT_ERROR, PMT_ERROR_INTERNAL);
    g_clear_error (&ctx->error);
    g_assert_cmpuint (pmt_arena_used (ctx->step), ==, used);
    harness_context_free (ctx);
    sample_free (s);
  }
}

extern const PmtOp pmt_op_group_norm;

/* Maps far from zero, and one whose blocks begin far from their mean, on every level: the variance keeps its digits. */
static void
test_far_norm (void)
{
  enum { SIDE = 48, C = 64, GROUPS = 8 };
  static const PmtGroupNormParams params = { GROUPS, 1e-5f, false };
  static const PmtOpCase far = { .name = "far", .n_in = 3, .in = { { 4, { 1, SIDE, SIDE, C } }, { 1, { C } }, { 1, { C } } }, .params = &params };
  const PmtKernels *chosen = harness_kernels;
  for (int kind = 0; kind < 3; kind++) {
    Sample *s = sample_new (&pmt_op_group_norm, &far, 0, 500 + (uint64_t) kind);
    for (int i = 0; i < SIDE * SIDE * C; i++) {
      const float away = kind == 1 ? 1e3f : kind == 2 && i / C % 512 == 0 ? 400.0f : 0.0f; /* 512 positions are a block */
      s->wide[0][i] = s->data[0][i] += away;
    }
    const PmtShape shape = s->shape[0];
    g_autofree double *want = sample_naive (s, s->wide, &shape);
    for (PmtCpuLevel level = PMT_CPU_PORTABLE; level <= chosen->level; level++) {
      PmtContext *ctx = harness_context ();
      ctx->kernels = pmt_kernels_get (level);
      const PmtTensor got = sample_run (s, ctx);
      const double error = relative_error (got.data, want, SIDE * SIDE * C);
      g_test_message ("kind %d, %s: %.3g", kind, pmt_cpu_name (level), error);
      g_assert_cmpfloat (error, <, kind == 1 ? 2e-5 : 1e-6);
      harness_context_free (ctx);
    }
    sample_free (s);
  }
}

static void
add (const char *property, const PmtOp *op, void (*test) (gconstpointer))
{
  g_autofree char *path = g_strdup_printf ("/ops/%s/%s", op->id, property);
  g_test_add_data_func (path, op, test);
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

  g_test_add_func ("/ops/group_norm/far", test_far_norm);
  for (const PmtOp *const *at = pmt_ops; *at; at++) {
    const PmtOp *op = *at;
    g_assert_cmpuint (op->n_cases, >, 0);
    add ("forward", op, test_forward);
    add ("levels", op, test_levels);
    add ("dry", op, test_dry);
    add ("cancel", op, test_cancel);
    add ("over", op, test_over);
    add (op->backward ? "gradient" : "refused", op, op->backward ? test_gradient : test_refused);
    unsigned rowwise = 0;
    for (size_t i = 0; i < op->n_cases; i++)
      rowwise |= op->cases[i].rowwise;
    if (rowwise)
      add ("rows", op, test_rows);
  }
  return g_test_run ();
}
