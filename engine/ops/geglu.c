/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GEGLU (Shazeer 2020): [a | gate] -> a * gelu(gate). */
#include <math.h>

#include "engine/ops/help.h"

typedef struct Glu {
  const PmtKernels *k;
  const float *x, *dy;
  float *y;
  size_t c;
} Glu;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtTensor x = call->in[0];
  if (x.shape.rank < 1 || pmt_tensor_dim (x, -1) % 2 != 0)
    return pmt_shape_error (call, "geglu", "the width does not divide by two", error);
  *out = x.shape;
  out->dim[out->rank - 1] /= 2;
  return TRUE;
}

static void
range (void *user, size_t begin, size_t end)
{
  const Glu *g = user;
  g->k->geglu (g->x + begin * 2 * g->c, g->y + begin * g->c, end - begin, g->c);
}

static void
forward (PmtOpCall *call)
{
  Glu g = { call->ctx->kernels, call->in[0].data, NULL, call->out.data, pmt_width (call->out) };
  pmt_op_parallel (call->ctx, pmt_leading (call->out), PMT_POINTWISE_GRAIN / g.c + 1, range, &g);
}

static void
backward_range (void *user, size_t begin, size_t end)
{
  const Glu *g = user;
  g->k->geglu_grad (g->x + begin * 2 * g->c, g->dy + begin * g->c, g->y + begin * 2 * g->c, end - begin, g->c);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  Glu g = { call->ctx->kernels, call->in[0].data, grad->out.data, grad->in[0].data, pmt_width (call->out) };
  if (g.y)
    pmt_op_parallel (call->ctx, pmt_leading (call->out), PMT_POINTWISE_GRAIN / g.c + 1, backward_range, &g);
}

static void
naive (const PmtOpNaive *call)
{
  size_t c = (size_t) call->out_shape.dim[call->out_shape.rank - 1];
  for (size_t r = 0; r < pmt_leading_of (&call->out_shape); r++)
    for (size_t i = 0; i < c; i++) {
      double a = call->in[0][r * 2 * c + i], gate = call->in[0][r * 2 * c + c + i];
      call->out[r * c + i] = a * 0.5 * gate * erfc (-gate * 0.70710678118654752440);
    }
}

static const PmtOpCase cases[] = {
  { .name = "tokens", .n_in = 1, .in = { { 3, { 2, 17, 96 } } }, .rowwise = 1, .scale = { 2 } },
  { .name = "odd", .n_in = 1, .in = { { 3, { 3, 5, 14 } } }, .rowwise = 1 },
  { .name = "vector", .n_in = 1, .in = { { 1, { 2 } } } },
  { .name = "long", .n_in = 1, .in = { { 3, { 2, 203, 334 } } }, .rowwise = 1 },
};

const PmtOp pmt_op_geglu = {
  .id = "geglu",
  .min_in = 1,
  .max_in = 1,
  .shape = shape,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 1e-6,
};

PmtTensor
pmt_geglu (PmtContext *ctx, PmtTensor x)
{
  return pmt_op_run (ctx, &pmt_op_geglu, &x, 1, NULL);
}
