/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each vector times a number of its own (weights of words). */
#include "engine/ops/help.h"

typedef struct ScaleRows {
  const PmtKernels *k;
  const float *x, *w;
  float *y;
  size_t c;
} ScaleRows;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtTensor x = call->in[0], w = call->in[1];
  *out = x.shape;
  bool fits = x.shape.rank >= 2 && w.shape.rank == x.shape.rank - 1;
  for (int i = 0; fits && i < w.shape.rank; i++)
    fits = w.shape.dim[i] == x.shape.dim[i];
  if (!fits)
    return pmt_shape_error (call, "scale_rows", "the second is not one number per vector of the first", error);
  return TRUE;
}

static void
range (void *user, size_t begin, size_t end)
{
  const ScaleRows *s = user;
  for (size_t p = begin; p < end; p++)
    s->k->scale (s->x + p * s->c, s->w[p], s->y + p * s->c, s->c);
}

static void
forward (PmtOpCall *call)
{
  size_t c = pmt_width (call->out);
  ScaleRows s = { call->ctx->kernels, call->in[0].data, call->in[1].data, call->out.data, c };
  pmt_op_parallel (call->ctx, pmt_leading (call->out), PMT_POINTWISE_GRAIN / MAX (1, c) + 1, range, &s);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  size_t c = pmt_width (call->out), n = pmt_leading (call->out);
  for (size_t p = 0; p < n; p++) {
    const float *dy = grad->out.data + p * c, *x = call->in[0].data + p * c;
    if (grad->in[0].data)
      call->ctx->kernels->axpy (call->in[1].data[p], dy, grad->in[0].data + p * c, c);
    double sum = 0;
    for (size_t i = 0; grad->in[1].data && i < c; i++)
      sum += (double) dy[i] * x[i];
    if (grad->in[1].data)
      grad->in[1].data[p] += (float) sum;
  }
}

static void
naive (const PmtOpNaive *call)
{
  const PmtShape *s = &call->in_shape[0];
  size_t c = (size_t) s->dim[s->rank - 1];
  for (size_t i = 0, n = (size_t) pmt_shape_size (s); i < n; i++)
    call->out[i] = call->in[0][i] * call->in[1][i / c];
}

static const PmtOpCase cases[] = {
  { .name = "tokens", .n_in = 2, .in = { { 3, { 2, 7, 19 } }, { 2, { 2, 7 } } }, .rowwise = 3 },
  { .name = "map", .n_in = 2, .in = { { 4, { 2, 3, 5, 8 } }, { 3, { 2, 3, 5 } } }, .rowwise = 3 },
  { .name = "long", .n_in = 2, .in = { { 3, { 2, 1031, 33 } }, { 2, { 2, 1031 } } }, .rowwise = 3 },
};

const PmtOp pmt_op_scale_rows = {
  .id = "scale_rows",
  .min_in = 2,
  .max_in = 2,
  .shape = shape,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 2e-7,
};

PmtTensor
pmt_scale_rows (PmtContext *ctx, PmtTensor x, PmtTensor w)
{
  return pmt_op_run (ctx, &pmt_op_scale_rows, (PmtTensor[]) { x, w }, 2, NULL);
}
