/* SPDX-License-Identifier: GPL-3.0-or-later */
/* [a | b] on the last axis. */
#include "engine/ops/help.h"

typedef struct Concat {
  const PmtKernels *k;
  const float *a, *b;
  float *y;
  size_t ca, cb;
} Concat;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtShape a = call->in[0].shape, b = call->in[1].shape;
  *out = a;
  bool fits = a.rank == b.rank && a.rank >= 1;
  for (int i = 0; fits && i < a.rank - 1; i++)
    fits = a.dim[i] == b.dim[i];
  if (!fits)
    return pmt_shape_error (call, "concat", "they may differ in the last dimension only", error);
  out->dim[a.rank - 1] += b.dim[b.rank - 1];
  return TRUE;
}

static void
range (void *user, size_t begin, size_t end)
{
  const Concat *s = user;
  for (size_t p = begin; p < end; p++) {
    float *y = s->y + p * (s->ca + s->cb);
    memcpy (y, s->a + p * s->ca, s->ca * sizeof (float));
    memcpy (y + s->ca, s->b + p * s->cb, s->cb * sizeof (float));
  }
}

static void
forward (PmtOpCall *call)
{
  Concat s = { NULL, call->in[0].data, call->in[1].data, call->out.data, pmt_width (call->in[0]),
               pmt_width (call->in[1]) };
  pmt_op_parallel (call->ctx, pmt_leading (call->out), PMT_POINTWISE_GRAIN / (s.ca + s.cb) + 1, range, &s);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  size_t at = 0, width = pmt_width (call->out);
  for (int i = 0; i < 2; i++) {
    size_t c = pmt_width (call->in[i]);
    for (size_t p = 0; grad->in[i].data && p < pmt_leading (call->out); p++)
      call->ctx->kernels->axpy (1.0f, grad->out.data + p * width + at, grad->in[i].data + p * c, c);
    at += c;
  }
}

static void
naive (const PmtOpNaive *call)
{
  size_t width = (size_t) call->out_shape.dim[call->out_shape.rank - 1];
  size_t ca = (size_t) call->in_shape[0].dim[call->in_shape[0].rank - 1];
  for (size_t p = 0; p < pmt_leading_of (&call->out_shape); p++)
    for (size_t i = 0; i < width; i++)
      call->out[p * width + i] = i < ca ? call->in[0][p * ca + i] : call->in[1][p * (width - ca) + i - ca];
}

static const PmtOpCase cases[] = {
  { .name = "map", .n_in = 2, .in = { { 4, { 2, 5, 4, 7 } }, { 4, { 2, 5, 4, 3 } } }, .rowwise = 3 },
  { .name = "vector", .n_in = 2, .in = { { 1, { 4 } }, { 1, { 1 } } } },
  { .name = "long", .n_in = 2, .in = { { 3, { 2, 501, 64 } }, { 3, { 2, 501, 33 } } }, .rowwise = 3 },
};

const PmtOp pmt_op_concat = {
  .id = "concat",
  .min_in = 2,
  .max_in = 2,
  .shape = shape,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 1e-7, /* copies; what is left is rounding the random inputs to float */
};

PmtTensor
pmt_concat (PmtContext *ctx, PmtTensor a, PmtTensor b)
{
  return pmt_op_run (ctx, &pmt_op_concat, (PmtTensor[]) { a, b }, 2, NULL);
}
