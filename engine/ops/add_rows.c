/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each row of the batch gets its own vector added at every position (time embeddings). */
#include "engine/ops/help.h"

typedef struct AddRows {
  const PmtKernels *k;
  const float *x, *v;
  float *y;
  size_t positions, c;
} AddRows;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtTensor x = call->in[0], v = call->in[1];
  *out = x.shape;
  if (x.shape.rank < 2 || v.shape.rank != 2 || v.shape.dim[0] != x.shape.dim[0] ||
      v.shape.dim[1] != pmt_tensor_dim (x, -1))
    return pmt_shape_error (call, "add_rows", "the second is not one vector per row of the first", error);
  return TRUE;
}

static void
range (void *user, size_t begin, size_t end)
{
  const AddRows *a = user;
  for (size_t p = begin; p < end; p++)
    a->k->add (a->x + p * a->c, a->v + p / a->positions * a->c, a->y + p * a->c, a->c);
}

static void
forward (PmtOpCall *call)
{
  PmtTensor x = call->in[0];
  size_t c = pmt_width (x);
  AddRows a = { call->ctx->kernels, x.data, call->in[1].data, call->out.data, pmt_row_size (x) / MAX (1, c), c };
  pmt_op_parallel (call->ctx, pmt_leading (x), PMT_POINTWISE_GRAIN / MAX (1, c) + 1, range, &a);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  size_t c = pmt_width (call->out), positions = pmt_row_size (call->out) / MAX (1, c);
  if (grad->in[0].data)
    pmt_accumulate (call->ctx, grad->out, grad->in[0]);
  for (int64_t r = 0; grad->in[1].data && r < call->out.shape.dim[0]; r++)
    call->ctx->kernels->column_sum (grad->out.data + (size_t) r * positions * c, grad->in[1].data + (size_t) r * c,
                                    positions, c);
}

static void
naive (const PmtOpNaive *call)
{
  const PmtShape *s = &call->in_shape[0];
  size_t c = (size_t) s->dim[s->rank - 1], row = (size_t) (pmt_shape_size (s) / s->dim[0]);
  for (size_t i = 0, n = (size_t) pmt_shape_size (s); i < n; i++)
    call->out[i] = call->in[0][i] + call->in[1][i / row * c + i % c];
}

static const PmtOpCase cases[] = {
  { .name = "map", .n_in = 2, .in = { { 4, { 3, 5, 4, 11 } }, { 2, { 3, 11 } } }, .rowwise = 3 },
  { .name = "vectors", .n_in = 2, .in = { { 2, { 2, 9 } }, { 2, { 2, 9 } } }, .rowwise = 3 },
  { .name = "long", .n_in = 2, .in = { { 4, { 2, 37, 29, 64 } }, { 2, { 2, 64 } } }, .rowwise = 3 },
};

const PmtOp pmt_op_add_rows = {
  .id = "add_rows",
  .min_in = 2,
  .max_in = 2,
  .shape = shape,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .over = 1,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 2e-7,
};

PmtTensor
pmt_add_rows (PmtContext *ctx, PmtTensor x, PmtTensor v)
{
  return pmt_add_rows_over (ctx, PMT_NO_TENSOR, x, v);
}

PmtTensor
pmt_add_rows_over (PmtContext *ctx, PmtTensor place, PmtTensor x, PmtTensor v)
{
  return pmt_op_run_over (ctx, &pmt_op_add_rows, place, (PmtTensor[]) { x, v }, 2, NULL);
}
