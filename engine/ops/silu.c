/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SiLU: x sigmoid(x) (Elfwing, Uchibe & Doya 2017). */
#include <math.h>

#include "engine/ops/help.h"

static void
forward (PmtOpCall *call)
{
  pmt_unary_forward (call, call->ctx->kernels->silu);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  pmt_unary_backward (call, grad, call->ctx->kernels->silu_grad);
}

static void
naive (const PmtOpNaive *call)
{
  for (int64_t i = 0, n = pmt_shape_size (&call->out_shape); i < n; i++) {
    double x = call->in[0][i];
    call->out[i] = x / (1.0 + exp (-x));
  }
}

const PmtOp pmt_op_silu = {
  .id = "silu",
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
pmt_silu (PmtContext *ctx, PmtTensor x)
{
  return pmt_op_run (ctx, &pmt_op_silu, &x, 1, NULL);
}
