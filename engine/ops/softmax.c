/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Softmax over the last axis. A value of -infinity gives 0; a line of nothing else gives NaN. */
#include <math.h>

#include "engine/ops/help.h"

typedef struct Softmax {
  const PmtKernels *k;
  const float *x, *dy;
  float *y;
  size_t c;
} Softmax;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  *out = call->in[0].shape;
  if (out->rank < 1 || out->dim[out->rank - 1] < 1)
    return pmt_shape_error (call, "softmax", "there is nothing to weigh", error);
  return TRUE;
}

static double
flops (const PmtOpCall *call)
{
  return 10.0 * (double) pmt_tensor_size (call->out);
}

static void
range (void *user, size_t begin, size_t end)
{
  const Softmax *s = user;
  for (size_t r = begin; r < end; r++)
    s->k->softmax (s->x + r * s->c, 1.0f, s->y + r * s->c, s->c);
}

static void
forward (PmtOpCall *call)
{
  Softmax s = { call->ctx->kernels, call->in[0].data, NULL, call->out.data, pmt_width (call->out) };
  pmt_op_parallel (call->ctx, pmt_leading (call->out), PMT_POINTWISE_GRAIN / s.c + 1, range, &s);
}

/* dx += y (dy - sum(dy y)). */
static void
backward_range (void *user, size_t begin, size_t end)
{
  const Softmax *s = user;
  for (size_t r = begin; r < end; r++) {
    const float *y = s->x + r * s->c, *dy = s->dy + r * s->c;
    double total = 0;
    for (size_t i = 0; i < s->c; i++)
      total += (double) dy[i] * y[i];
    for (size_t i = 0; i < s->c; i++)
      s->y[r * s->c + i] += (float) (y[i] * (dy[i] - total));
  }
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  Softmax s = { call->ctx->kernels, call->out.data, grad->out.data, grad->in[0].data, pmt_width (call->out) };
  if (s.y)
    pmt_op_parallel (call->ctx, pmt_leading (call->out), PMT_POINTWISE_GRAIN / s.c + 1, backward_range, &s);
}

static void
naive (const PmtOpNaive *call)
{
  size_t c = (size_t) call->out_shape.dim[call->out_shape.rank - 1];
  for (size_t r = 0; r < pmt_leading_of (&call->out_shape); r++) {
    const double *x = call->in[0] + r * c;
    double *y = call->out + r * c, top = x[0], total = 0;
    for (size_t i = 1; i < c; i++)
      top = MAX (top, x[i]);
    for (size_t i = 0; i < c; i++)
      total += y[i] = exp (x[i] - top);
    for (size_t i = 0; i < c; i++)
      y[i] /= total;
  }
}

static const PmtOpCase cases[] = {
  { .name = "keys", .n_in = 1, .in = { { 4, { 2, 3, 9, 77 } } }, .rowwise = 1, .scale = { 3 } },
  { .name = "one", .n_in = 1, .in = { { 2, { 3, 1 } } }, .rowwise = 1 },
  { .name = "odd", .n_in = 1, .in = { { 3, { 2, 5, 19 } } }, .rowwise = 1, .scale = { 20 } },
  { .name = "long", .n_in = 1, .in = { { 3, { 2, 40, 1030 } } }, .rowwise = 1, .scale = { 2 } },
};

const PmtOp pmt_op_softmax = {
  .id = "softmax",
  .min_in = 1,
  .max_in = 1,
  .shape = shape,
  .flops = flops,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 1e-6,
};

PmtTensor
pmt_softmax (PmtContext *ctx, PmtTensor x)
{
  return pmt_op_run (ctx, &pmt_op_softmax, &x, 1, NULL);
}
