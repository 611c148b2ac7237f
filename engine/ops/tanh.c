/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hyperbolic tangent. For small tensors: latents that are to be kept in range. */
#include <math.h>

#include "engine/ops/help.h"

static void
apply (const float *x, float *y, size_t n)
{
  for (size_t i = 0; i < n; i++)
    y[i] = tanhf (x[i]);
}

static void
grad_of (const float *x, const float *dy, float *dx, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    const float t = tanhf (x[i]);
    dx[i] += dy[i] * (1.0f - t * t);
  }
}

static void
forward (PmtOpCall *call)
{
  pmt_unary_forward (call, apply);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  pmt_unary_backward (call, grad, grad_of);
}

static void
naive (const PmtOpNaive *call)
{
  for (int64_t i = 0, n = pmt_shape_size (&call->out_shape); i < n; i++)
    call->out[i] = tanh (call->in[0][i]);
}

const PmtOp pmt_op_tanh = {
  .id = "tanh",
  .min_in = 1,
  .max_in = 1,
  .shape = pmt_shape_same,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .over = 1,
  .cases = pmt_unary_cases,
  .n_cases = PMT_UNARY_CASES,
  .tolerance = 1e-6,
};

PmtTensor
pmt_tanh (PmtContext *ctx, PmtTensor x)
{
  return pmt_op_run (ctx, &pmt_op_tanh, &x, 1, NULL);
}
