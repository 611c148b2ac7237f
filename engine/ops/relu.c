/* SPDX-License-Identifier: GPL-3.0-or-later */
/* max(x, 0) (Nair & Hinton 2010). At 0 the gradient is 0. */
#include "engine/ops/help.h"

static void
relu (const float *x, float *y, size_t n)
{
  for (size_t i = 0; i < n; i++)
    y[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

static void
relu_grad (const float *x, const float *dy, float *dx, size_t n)
{
  for (size_t i = 0; i < n; i++)
    dx[i] += x[i] > 0.0f ? dy[i] : 0.0f;
}

static void
forward (PmtOpCall *call)
{
  pmt_unary_forward (call, relu);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  pmt_unary_backward (call, grad, relu_grad);
}

static void
naive (const PmtOpNaive *call)
{
  for (int64_t i = 0, n = pmt_shape_size (&call->out_shape); i < n; i++)
    call->out[i] = call->in[0][i] < 0.0 ? 0.0 : call->in[0][i];
}

const PmtOp pmt_op_relu = {
  .id = "relu",
  .min_in = 1,
  .max_in = 1,
  .shape = pmt_shape_same,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .over = 1,
  .cases = pmt_unary_cases,
  .n_cases = PMT_UNARY_CASES,
  .tolerance = 1e-7, /* copies */
};

PmtTensor
pmt_relu (PmtContext *ctx, PmtTensor x)
{
  return pmt_op_run (ctx, &pmt_op_relu, &x, 1, NULL);
}
