/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operations on packed weights, in every precision of the level: against the naive twin on equally rounded inputs, rows as they are
 * alone, and the gradient against that of the plain weight. */
#include <stdlib.h>
#include <string.h>

#include "engine/kernels/packed.h"
#include "engine/tensor/tape.h"
#include "tests/ops/harness.h"

static float
rounded (float x, PmtPrecision precision)
{
  uint32_t bits;
  if (precision == PMT_PRECISION_F32)
    return x;
  memcpy (&bits, &x, sizeof bits);
  bits = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u;
  memcpy (&x, &bits, sizeof x);
  return x;
}

/* Input 0 and 1 of the sample as products see them. */
static void
round_inputs (Sample *s, PmtPrecision precision)
{
  for (int i = 0; i < 2; i++)
    for (int64_t j = 0; j < pmt_shape_size (&s->shape[i]); j++)
      s->wide[i][j] = s->data[i][j] = rounded (s->data[i][j], precision);
}

static PmtPacked
pack (const Sample *s, const PmtProductKernels *kernels, PmtPrecision precision)
{
  const int64_t n = s->shape[1].dim[0], k = pmt_shape_size (&s->shape[1]) / n;
  PmtPacked packed = { kernels, precision, n, k, aligned_alloc (64, (pmt_packed_bytes (kernels, n, k) + 63) & ~(size_t) 63) };
  pmt_packed_fill (&packed, s->data[1]);
  return packed;
}

static PmtTensor
with (PmtTensor weight, const PmtPacked *packed)
{
  weight.data = packed->data;
  weight.packed = packed;
  return weight;
}

extern const PmtOp pmt_op_add, pmt_op_conv2d, pmt_op_linear;

typedef void (*Check) (Sample *s, const PmtPacked *packed, PmtPrecision precision);

static void
each_case (const PmtOp *op, Check check)
{
  for (PmtPrecision precision = 0; precision < PMT_PRECISIONS; precision++) {
    const PmtProductKernels *kernels = pmt_product_kernels (harness_kernels, precision);
    for (size_t i = 0; kernels && i < op->n_cases; i++) {
      Sample *s = sample_new (op, &op->cases[i], op->cases[i].rowwise ? 3 : 0, 40 + i);
      round_inputs (s, precision);
      PmtPacked packed = pack (s, kernels, precision);
      g_test_message ("%s %s, %s", op->id, op->cases[i].name, pmt_precision_name (precision));
      check (s, &packed, precision);
      free (packed.data);
      sample_free (s);
    }
  }
}

static void
check_forward (Sample *s, const PmtPacked *packed, PmtPrecision precision)
{
  PmtTensor in[PMT_OP_MAX_INPUTS];
  PmtContext *ctx = harness_context ();
  sample_tensors (s, in);
  in[1] = with (in[1], packed);
  PmtTensor out = pmt_op_run (ctx, s->op, in, s->def->n_in, s->def->params);
  g_assert_no_error (ctx->error);
  double *want = sample_naive (s, s->wide, &out.shape);
  g_assert_cmpfloat (relative_error (out.data, want, (size_t) pmt_tensor_size (out)), <=, s->op->tolerance);
  for (int row = 0; row < (s->def->rowwise ? 3 : 0); row++) {
    PmtTensor alone[PMT_OP_MAX_INPUTS];
    memcpy (alone, in, sizeof alone);
    alone[0] = pmt_tensor_rows (in[0], row, 1);
    PmtTensor part = pmt_op_run (ctx, s->op, alone, s->def->n_in, s->def->params), whole = pmt_tensor_rows (out, row, 1);
    const size_t bytes = (size_t) pmt_tensor_size (part) * sizeof (float);
    g_assert_cmpmem (part.data, bytes, whole.data, bytes);
  }
  g_free (want);
  harness_context_free (ctx);
}

/* d (sum of out) / d x with that weight, in doubles. */
static double *
gradient (Sample *s, const PmtPacked *packed)
{
  PmtTensor in[PMT_OP_MAX_INPUTS];
  PmtContext *ctx = harness_context ();
  sample_tensors (s, in);
  if (packed)
    in[1] = with (in[1], packed);
  ctx->tape = pmt_tape_new ();
  in[0] = pmt_tape_leaf (ctx->tape, in[0]);
  PmtTensor out = pmt_op_run (ctx, s->op, in, s->def->n_in, s->def->params);
  pmt_tape_backward (ctx, out, PMT_NO_TENSOR);
  PmtTensor g = pmt_tape_gradient (ctx->tape, in[0]);
  g_assert_no_error (ctx->error);
  double *copy = g_new (double, pmt_tensor_size (g));
  for (int64_t i = 0; i < pmt_tensor_size (g); i++)
    copy[i] = g.data[i];
  pmt_tape_free (ctx->tape);
  ctx->tape = NULL;
  harness_context_free (ctx);
  return copy;
}

static void
check_gradient (Sample *s, const PmtPacked *packed, PmtPrecision precision)
{
  const int64_t n = pmt_shape_size (&s->shape[0]);
  double *plain = gradient (s, NULL), *got = gradient (s, packed);
  for (int64_t i = 0; i < n; i++)
    g_assert_cmpfloat (plain[i], ==, got[i]);
  g_free (plain);
  g_free (got);
}

static void
test_linear (void)
{
  each_case (&pmt_op_linear, check_forward);
  each_case (&pmt_op_linear, check_gradient);
}

static void
test_conv2d (void)
{
  each_case (&pmt_op_conv2d, check_forward);
  each_case (&pmt_op_conv2d, check_gradient);
}

/* An operation that reads floats must not be given packed ones. */
static void
test_refused (void)
{
  static float values[64];
  const PmtPacked packed = { .n = 8, .k = 8, .data = values };
  PmtTensor in[2] = { { values, PMT_SHAPE2 (8, 8), 0, NULL }, { values, PMT_SHAPE2 (8, 8), 0, &packed } };
  PmtContext *ctx = harness_context ();
  GError *error = NULL;
  g_assert_null (pmt_op_run (ctx, &pmt_op_add, in, 2, NULL).data);
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INTERNAL);
  g_assert_cmpstr (error->message, ==, "The operation add cannot read a packed weight.");
  g_error_free (error);
  harness_context_free (ctx);
}

int
main (int argc, char **argv)
{
  PmtCpuLevel level;
  g_assert_true (pmt_cpu_select (&level, NULL)); /* first: with PENTIMENTO_CPU set it begins the program anew */
  g_test_init (&argc, &argv, NULL);
  harness_kernels = pmt_kernels_get (level);
  g_test_add_func ("/packed/linear", test_linear);
  g_test_add_func ("/packed/conv2d", test_conv2d);
  g_test_add_func ("/packed/refused", test_refused);
  return g_test_run ();
}
