/* SPDX-License-Identifier: GPL-3.0-or-later */
/* x times one number. */
#include "engine/ops/help.h"

typedef struct Scale {
  const PmtKernels *k;
  const float *x;
  float *y;
  float factor;
} Scale;

static void
range (void *user, size_t begin, size_t end)
{
  const Scale *s = user;
  s->k->scale (s->x + begin, s->factor, s->y + begin, end - begin);
}

static void
forward (PmtOpCall *call)
{
  Scale s = { call->ctx->kernels, call->in[0].data, call->out.data, *(const float *) call->params };
  pmt_op_parallel (call->ctx, (size_t) pmt_tensor_size (call->out), PMT_POINTWISE_GRAIN, range, &s);
}

static void
backward_range (void *user, size_t begin, size_t end)
{
  const Scale *s = user;
  s->k->axpy (s->factor, s->x + begin, s->y + begin, end - begin);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  Scale s = { call->ctx->kernels, grad->out.data, grad->in[0].data, *(const float *) call->params };
  if (s.y)
    pmt_op_parallel (call->ctx, (size_t) pmt_tensor_size (call->out), PMT_POINTWISE_GRAIN, backward_range, &s);
}

static void
naive (const PmtOpNaive *call)
{
  double factor = *(const float *) call->params;
  for (int64_t i = 0, n = pmt_shape_size (&call->out_shape); i < n; i++)
    call->out[i] = factor * call->in[0][i];
}

static const float half = -0.5f, odd = 0.18215f;

static const PmtOpCase cases[] = {
  { .name = "map", .n_in = 1, .in = { { 4, { 2, 5, 7, 19 } } }, .params = &half, .rowwise = 1 },
  { .name = "one", .n_in = 1, .in = { { 1, { 1 } } }, .params = &odd },
  { .name = "long", .n_in = 1, .in = { { 3, { 2, 1031, 33 } } }, .params = &odd, .rowwise = 1 },
};

const PmtOp pmt_op_scale = {
  .id = "scale",
  .min_in = 1,
  .max_in = 1,
  .shape = pmt_shape_same,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .over = 1,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 2e-7,
  .params_size = sizeof (float),
};

PmtTensor
pmt_scale (PmtContext *ctx, PmtTensor x, float factor)
{
  return pmt_op_run (ctx, &pmt_op_scale, &x, 1, &factor);
}
