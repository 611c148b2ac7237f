/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operations on packed weights, in every precision of the level: against the naive twin on equally rounded inputs (int8: on its weights, loosely), rows as they are
 * alone, and the gradient against that of the plain weight. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/kernels/packed.h"
#include "engine/ops/ops.h"
#include "engine/tensor/tape.h"
#include "tests/kernels/rounded.h"
#include "tests/ops/harness.h"

/* Packs input 1, and makes of inputs 0 and 1 what products then see: of the weight what was packed. */
static PmtPacked
pack (Sample *s, const PmtProductKernels *kernels, PmtPrecision precision, PmtPackedForm form)
{
  const int64_t n = s->shape[1].dim[0], k = pmt_shape_size (&s->shape[1]) / n;
  PmtPacked packed = { .kernels = kernels, .precision = precision, .n = n, .k = k, .form = form };
  packed.data = aligned_alloc (64, (pmt_packed_size (&packed) + 63) & ~(size_t) 63);
  pmt_packed_fill (&packed, s->data[1]);
  pmt_packed_read (&packed, s->data[1]);
  for (int64_t j = 0; j < n * k; j++)
    s->wide[1][j] = s->data[1][j];
  for (int64_t j = 0; j < pmt_shape_size (&s->shape[0]); j++)
    s->wide[0][j] = s->data[0][j] = rounded (s->data[0][j], precision);
  return packed;
}

static PmtTensor
with (PmtTensor weight, const PmtPacked *packed)
{
  weight.data = packed->data;
  weight.packed = packed;
  return weight;
}

extern const PmtOp pmt_op_add, pmt_op_conv2d, pmt_op_linear, pmt_op_linear_geglu;

typedef void (*Check) (Sample *s, const PmtPacked *packed, PmtPrecision precision);

/* Whether a convolution can be packed for minimal filtering. */
static bool
has_form (const PmtOpCase *def, const PmtProductKernels *kernels, PmtPackedForm form)
{
  const PmtConv2dParams *p = def->params;
  return form == PMT_PACKED_ROWS || (kernels->winograd && p->stride == 1 && def->in[1].dim[1] == 3 && def->in[1].dim[2] == 3 &&
                                      p->twice == (form == PMT_PACKED_TWICE));
}

static void
each_case (const PmtOp *op, PmtPackedForm form, Check check)
{
  for (PmtPrecision precision = 0; precision < PMT_PRECISIONS; precision++) {
    const PmtProductKernels *kernels = pmt_product_kernels (harness_kernels, precision);
    for (size_t i = 0; kernels && i < op->n_cases; i++) {
      if (!has_form (&op->cases[i], kernels, form))
        continue;
      Sample *s = sample_new (op, &op->cases[i], op->cases[i].rowwise ? 3 : 0, 40 + i);
      PmtPacked packed = pack (s, kernels, precision, form);
      g_test_message ("%s %s, %s", op->id, op->cases[i].name, pmt_precision_name (precision));
      check (s, &packed, precision);
      free (packed.data);
      sample_free (s);
    }
  }
}

/* int8 rounds the left side by itself, and minimal filtering rounds sums of it and (int8) of weights that none of nine taps stand for. */
static double
tolerance_of (const PmtOp *op, const PmtPacked *packed)
{
  if (packed->precision == PMT_PRECISION_INT8)
    return packed->form ? 0.03 : 0.02;
  return packed->form && packed->precision == PMT_PRECISION_BF16 ? 0.012 : op->tolerance;
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
  g_assert_cmpfloat (relative_error (out.data, want, (size_t) pmt_tensor_size (out)), <=, tolerance_of (s->op, packed));
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

/* Random, as products see it. */
static PmtTensor
seed_like (PmtContext *ctx, PmtTensor out, PmtPrecision precision)
{
  PmtTensor seed = pmt_tensor_new (ctx, out.shape);
  GRand *rand = g_rand_new_with_seed (12);
  for (int64_t i = 0; i < pmt_tensor_size (seed); i++)
    seed.data[i] = rounded ((float) g_rand_double_range (rand, -1, 1), precision);
  g_rand_free (rand);
  return seed;
}

/* d <out, a random seed> / d x with that weight, in doubles. */
static double *
gradient (Sample *s, const PmtPacked *packed, PmtPrecision precision)
{
  PmtTensor in[PMT_OP_MAX_INPUTS];
  PmtContext *ctx = harness_context ();
  sample_tensors (s, in);
  if (packed)
    in[1] = with (in[1], packed);
  ctx->tape = pmt_tape_new ();
  in[0] = pmt_tape_leaf (ctx->tape, in[0]);
  PmtTensor out = pmt_op_run (ctx, s->op, in, s->def->n_in, s->def->params);
  pmt_tape_backward (ctx, out, seed_like (ctx, out, precision));
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

/* As with the plain weight, whose products sum in another order; and the same bytes each time. */
static void
check_gradient (Sample *s, const PmtPacked *packed, PmtPrecision precision)
{
  const int64_t n = pmt_shape_size (&s->shape[0]);
  double *plain = gradient (s, NULL, precision), *got = gradient (s, packed, precision), *again = gradient (s, packed, precision), top = 0;
  for (int64_t i = 0; i < n; i++)
    top = MAX (top, fabs (plain[i]));
  for (int64_t i = 0; i < n; i++) {
    /* int8 goes back in bf16, and so does a gradient between two operations; that one also sees what int8 makes of the product, and minimal filtering
     * rounds sums of the nine taps */
    const bool between = s->op == &pmt_op_linear_geglu, rounds = precision == PMT_PRECISION_INT8 || (precision == PMT_PRECISION_BF16 && between);
    const double tolerance = rounds ? ((between || packed->form) && precision == PMT_PRECISION_INT8 ? 0.02 : 6e-3) : tolerance_of (s->op, packed);
    g_assert_cmpfloat (fabs (plain[i] - got[i]), <=, tolerance * top);
    g_assert_cmpfloat (got[i], ==, again[i]);
  }
  g_free (plain);
  g_free (got);
  g_free (again);
}

/* Twice transposed is the weight itself, to the bit. */
static void
test_transpose (void)
{
  static const int64_t shapes[][3] = { { 33, 1, 7 }, { 5, 9, 3 }, { 64, 9, 40 }, { 31, 4, 300 }, { 1, 1, 1 } };
  for (PmtPrecision precision = 0; precision < PMT_PRECISIONS; precision++) {
    const PmtProductKernels *kernels = pmt_product_kernels (harness_kernels, precision);
    for (size_t i = 0; kernels && precision != PMT_PRECISION_INT8 && i < G_N_ELEMENTS (shapes); i++) { /* int8 becomes bf16 */
      const int64_t n = shapes[i][0], taps = shapes[i][1], c = shapes[i][2], size = n * taps * c;
      g_autofree float *w = g_new (float, size), *turned = g_new (float, size), *back = g_new (float, size);
      PmtPacked packed = { kernels, precision, n, taps * c, aligned_alloc (64, (pmt_packed_bytes (kernels, n, taps * c) + 63) & ~(size_t) 63) };
      PmtPacked other = { kernels, precision, c, taps * n, aligned_alloc (64, (pmt_packed_bytes (kernels, c, taps * n) + 63) & ~(size_t) 63) };
      for (int64_t k = 0; k < size; k++)
        w[k] = rounded ((float) (k % 1013) * 0.37f - 50.0f, precision);
      pmt_packed_fill (&packed, w);
      pmt_packed_transpose (&packed, taps, &other);
      pmt_packed_read (&other, turned);
      for (int64_t o = 0; o < n; o++)
        for (int64_t t = 0; t < taps; t++)
          for (int64_t k = 0; k < c; k++)
            g_assert_cmpfloat (w[(o * taps + t) * c + k], ==, turned[(k * taps + taps - 1 - t) * n + o]);
      pmt_packed_transpose (&other, taps, &packed);
      pmt_packed_read (&packed, back);
      g_assert_cmpmem (w, (size_t) size * sizeof (float), back, (size_t) size * sizeof (float));
      free (packed.data);
      free (other.data);
    }
  }
}

static void
test_linear (void)
{
  each_case (&pmt_op_linear, PMT_PACKED_ROWS, check_forward);
  each_case (&pmt_op_linear, PMT_PACKED_ROWS, check_gradient);
}

/* The very bytes of the two operations one after the other. */
static void
check_gate (Sample *s, const PmtPacked *packed, G_GNUC_UNUSED PmtPrecision precision)
{
  PmtTensor in[PMT_OP_MAX_INPUTS];
  PmtContext *ctx = harness_context ();
  sample_tensors (s, in);
  in[1] = with (in[1], packed);
  const PmtTensor b = s->def->n_in > 2 ? in[2] : PMT_NO_TENSOR;
  const PmtTensor one = pmt_linear_geglu (ctx, in[0], in[1], b), two = pmt_geglu (ctx, pmt_linear (ctx, in[0], in[1], b));
  g_assert_no_error (ctx->error);
  const size_t bytes = (size_t) pmt_tensor_size (two) * sizeof (float);
  g_assert_cmpmem (one.data, bytes, two.data, bytes);
  harness_context_free (ctx);
}

static void
test_linear_geglu (void)
{
  each_case (&pmt_op_linear_geglu, PMT_PACKED_ROWS, check_forward);
  each_case (&pmt_op_linear_geglu, PMT_PACKED_ROWS, check_gradient);
  each_case (&pmt_op_linear_geglu, PMT_PACKED_ROWS, check_gate);
}

static void
test_conv2d (void)
{
  for (PmtPackedForm form = PMT_PACKED_ROWS; form <= PMT_PACKED_TWICE; form++) {
    each_case (&pmt_op_conv2d, form, check_forward);
    each_case (&pmt_op_conv2d, form, check_gradient);
  }
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
  g_test_add_func ("/packed/linear-geglu", test_linear_geglu);
  g_test_add_func ("/packed/conv2d", test_conv2d);
  g_test_add_func ("/packed/transpose", test_transpose);
  g_test_add_func ("/packed/refused", test_refused);
  return g_test_run ();
}
