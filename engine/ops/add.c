/* SPDX-License-Identifier: GPL-3.0-or-later */
/* a + b of equal shapes. */
#include "engine/ops/help.h"

typedef struct Add {
  const PmtKernels *k;
  const float *a, *b;
  float *y;
} Add;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  *out = call->in[0].shape;
  if (!pmt_shape_equal (&call->in[0].shape, &call->in[1].shape))
    return pmt_shape_error (call, "add", "the two shapes differ", error);
  return TRUE;
}

static void
range (void *user, size_t begin, size_t end)
{
  const Add *s = user;
  s->k->add (s->a + begin, s->b + begin, s->y + begin, end - begin);
}

static void
forward (PmtOpCall *call)
{
  Add s = { call->ctx->kernels, call->in[0].data, call->in[1].data, call->out.data };
  pmt_op_parallel (call->ctx, (size_t) pmt_tensor_size (call->out), PMT_POINTWISE_GRAIN, range, &s);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  for (int i = 0; i < 2; i++)
    if (grad->in[i].data)
      pmt_accumulate (call->ctx, grad->out, grad->in[i]);
}

static void
naive (const PmtOpNaive *call)
{
  for (int64_t i = 0, n = pmt_shape_size (&call->out_shape); i < n; i++)
    call->out[i] = call->in[0][i] + call->in[1][i];
}

static const PmtOpCase cases[] = {
  { .name = "map", .n_in = 2, .in = { { 4, { 2, 5, 7, 19 } }, { 4, { 2, 5, 7, 19 } } }, .rowwise = 3 },
  { .name = "vector", .n_in = 2, .in = { { 1, { 3 } }, { 1, { 3 } } } },
  { .name = "long", .n_in = 2, .in = { { 3, { 2, 1031, 33 } }, { 3, { 2, 1031, 33 } } }, .rowwise = 3 },
};

const PmtOp pmt_op_add = {
  .id = "add",
  .min_in = 2,
  .max_in = 2,
  .shape = shape,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .over = 3,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 2e-7,
};

PmtTensor
pmt_add (PmtContext *ctx, PmtTensor a, PmtTensor b)
{
  return pmt_add_over (ctx, PMT_NO_TENSOR, a, b);
}

PmtTensor
pmt_add_over (PmtContext *ctx, PmtTensor place, PmtTensor a, PmtTensor b)
{
  return pmt_op_run_over (ctx, &pmt_op_add, place, (PmtTensor[]) { a, b }, 2, NULL);
}
