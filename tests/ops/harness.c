/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/ops/harness.h"

#include <math.h>

const PmtKernels *harness_kernels;

/* SplitMix64 (Steele, Lea & Flood 2014). */
static double
random_unit (Random *r)
{
  uint64_t z = r->state += UINT64_C (0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C (0x94d049bb133111eb);
  return ((double) ((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

double
random_normal (Random *r)
{
  double radius = sqrt (-2.0 * log (random_unit (r)));
  return radius * cos (2.0 * G_PI * random_unit (r));
}

Sample *
sample_new (const PmtOp *op, const PmtOpCase *def, int64_t rows, uint64_t seed)
{
  Sample *s = g_new0 (Sample, 1);
  s->op = op;
  s->def = def;
  for (int i = 0; i < def->n_in; i++) {
    if (def->in[i].rank == 0)
      continue;
    s->shape[i] = def->in[i];
    if (rows > 0 && (def->rowwise >> i & 1))
      s->shape[i].dim[0] = rows;
    size_t n = (size_t) pmt_shape_size (&s->shape[i]);
    s->data[i] = g_new (float, n);
    s->wide[i] = g_new (double, n);
    /* A stream per input, so that the first rows are the same whatever their number. */
    Random r = { seed * 1000003u + (uint64_t) i * 7919u };
    double scale = def->scale[i] > 0 ? def->scale[i] : 1;
    for (size_t j = 0; j < n; j++) {
      s->data[i][j] = (float) (scale * random_normal (&r));
      s->wide[i][j] = s->data[i][j];
    }
  }
  return s;
}

void
sample_free (Sample *s)
{
  for (int i = 0; i < PMT_OP_MAX_INPUTS; i++) {
    g_free (s->data[i]);
    g_free (s->wide[i]);
  }
  g_free (s);
}

PmtContext *
harness_context (void)
{
  GError *error = NULL;
  PmtContext *ctx = g_new0 (PmtContext, 1);
  ctx->step = pmt_arena_new ("tests", (size_t) 1 << 32, &error);
  g_assert_no_error (error);
  ctx->kernels = harness_kernels;
  return ctx;
}

void
harness_context_free (PmtContext *ctx)
{
  g_assert_no_error (ctx->error);
  pmt_arena_free (ctx->step);
  g_free (ctx);
}

void
sample_tensors (const Sample *s, PmtTensor *in)
{
  for (int i = 0; i < s->def->n_in; i++)
    in[i] = s->data[i] ? (PmtTensor) { s->data[i], s->shape[i], 0, NULL } : PMT_NO_TENSOR;
}

PmtTensor
sample_run (const Sample *s, PmtContext *ctx)
{
  PmtTensor in[PMT_OP_MAX_INPUTS];
  sample_tensors (s, in);
  PmtTensor out = pmt_op_run (ctx, s->op, in, s->def->n_in, s->def->params);
  g_assert_no_error (ctx->error);
  g_assert_nonnull (out.data);
  return out;
}

double *
sample_naive (const Sample *s, double *const *in, const PmtShape *out_shape)
{
  PmtOpNaive call = { .n_in = s->def->n_in, .params = s->def->params, .out_shape = *out_shape };
  for (int i = 0; i < s->def->n_in; i++) {
    call.in[i] = in[i];
    call.in_shape[i] = s->shape[i];
  }
  call.out = g_new (double, (size_t) pmt_shape_size (out_shape));
  s->op->naive (&call);
  return call.out;
}

double
relative_error (const float *a, const double *b, size_t n)
{
  double worst = 0, top = 0;
  for (size_t i = 0; i < n; i++) {
    if (isinf (b[i])) {
      if ((double) a[i] != b[i])
        return INFINITY;
      continue;
    }
    double d = fabs ((double) a[i] - b[i]);
    if (!(d <= worst))
      worst = d; /* also when it is NaN */
    top = fmax (top, fabs (b[i]));
  }
  return top > 0 ? worst / top : worst;
}
