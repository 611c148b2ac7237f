/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layer normalisation over the last axis (Ba, Kiros & Hinton 2016). */
#include <math.h>

#include "engine/ops/help.h"

typedef struct Norm {
  const PmtKernels *k;
  const float *x, *gamma, *beta, *dy;
  float *y;
  float eps;
  size_t c;
} Norm;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtTensor x = call->in[0], gamma = call->in[1], beta = call->in[2];
  if (x.shape.rank < 1 || gamma.shape.rank != 1 || beta.shape.rank != 1 ||
      gamma.shape.dim[0] != pmt_tensor_dim (x, -1) || beta.shape.dim[0] != pmt_tensor_dim (x, -1))
    return pmt_shape_error (call, "layer_norm", "scale and shift are not one value per channel", error);
  *out = x.shape;
  return TRUE;
}

static double
flops (const PmtOpCall *call)
{
  return 8.0 * (double) pmt_tensor_size (call->out);
}

static Norm
norm_of (const PmtOpCall *call)
{
  return (Norm) { .k = call->ctx->kernels, .x = call->in[0].data, .gamma = call->in[1].data, .beta = call->in[2].data,
                  .y = call->out.data, .eps = *(const float *) call->params, .c = pmt_width (call->in[0]) };
}

static void
range (void *user, size_t begin, size_t end)
{
  const Norm *n = user;
  n->k->layer_norm (n->x + begin * n->c, n->gamma, n->beta, n->eps, n->y + begin * n->c, end - begin, n->c);
}

static void
forward (PmtOpCall *call)
{
  Norm n = norm_of (call);
  pmt_op_parallel (call->ctx, pmt_leading (call->in[0]), PMT_POINTWISE_GRAIN / n.c + 1, range, &n);
}

/* dx += rstd (e - mean(e) - h mean(e h)) with h = (x - mean) rstd, e = gamma dy. */
static void
backward_range (void *user, size_t begin, size_t end)
{
  const Norm *n = user;
  for (size_t r = begin; r < end; r++) {
    const float *x = n->x + r * n->c, *dy = n->dy + r * n->c;
    float mean, rstd;
    n->k->row_moments (x, n->c, n->eps, &mean, &rstd);
    double total = 0, total_h = 0;
    for (size_t i = 0; i < n->c; i++) {
      double e = (double) n->gamma[i] * dy[i];
      total += e;
      total_h += e * ((x[i] - mean) * rstd);
    }
    for (size_t i = 0; i < n->c; i++) {
      double h = (x[i] - mean) * rstd, e = (double) n->gamma[i] * dy[i];
      n->y[r * n->c + i] += (float) (rstd * (e - total / (double) n->c - h * total_h / (double) n->c));
    }
  }
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  Norm n = norm_of (call);
  n.dy = grad->out.data;
  n.y = grad->in[0].data;
  size_t rows = pmt_leading (call->in[0]);
  if (n.y && !pmt_op_parallel (call->ctx, rows, PMT_POINTWISE_GRAIN / n.c + 1, backward_range, &n))
    return;
  if (grad->in[2].data)
    n.k->column_sum (n.dy, grad->in[2].data, rows, n.c);
  for (size_t r = 0; grad->in[1].data && r < rows; r++) {
    float mean, rstd;
    n.k->row_moments (n.x + r * n.c, n.c, n.eps, &mean, &rstd);
    for (size_t i = 0; i < n.c; i++)
      grad->in[1].data[i] += n.dy[r * n.c + i] * (n.x[r * n.c + i] - mean) * rstd;
  }
}

static void
naive (const PmtOpNaive *call)
{
  const PmtShape *s = &call->in_shape[0];
  size_t c = (size_t) s->dim[s->rank - 1];
  double eps = *(const float *) call->params;
  for (size_t r = 0; r < pmt_leading_of (s); r++) {
    const double *x = call->in[0] + r * c;
    double mean = 0, var = 0;
    for (size_t i = 0; i < c; i++)
      mean += x[i] / (double) c;
    for (size_t i = 0; i < c; i++)
      var += (x[i] - mean) * (x[i] - mean) / (double) c;
    for (size_t i = 0; i < c; i++)
      call->out[r * c + i] = (x[i] - mean) / sqrt (var + eps) * call->in[1][i] + call->in[2][i];
  }
}

static const float eps = 1e-5f;

static const PmtOpCase cases[] = {
  { .name = "tokens", .n_in = 3, .in = { { 3, { 2, 77, 48 } }, { 1, { 48 } }, { 1, { 48 } } }, .params = &eps, .rowwise = 1 },
  { .name = "odd", .n_in = 3, .in = { { 3, { 3, 5, 13 } }, { 1, { 13 } }, { 1, { 13 } } }, .params = &eps, .rowwise = 1, .scale = { 4 } },
  { .name = "vectors", .n_in = 3, .in = { { 2, { 4, 320 } }, { 1, { 320 } }, { 1, { 320 } } }, .params = &eps, .rowwise = 1 },
  { .name = "long", .n_in = 3, .in = { { 3, { 2, 301, 129 } }, { 1, { 129 } }, { 1, { 129 } } }, .params = &eps, .rowwise = 1 },
};

const PmtOp pmt_op_layer_norm = {
  .id = "layer_norm",
  .min_in = 3,
  .max_in = 3,
  .shape = shape,
  .flops = flops,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .over = 1,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 1e-6,
  .params_size = sizeof (float),
};

PmtTensor
pmt_layer_norm (PmtContext *ctx, PmtTensor x, PmtTensor gamma, PmtTensor beta, float epsilon)
{
  return pmt_op_run (ctx, &pmt_op_layer_norm, (PmtTensor[]) { x, gamma, beta }, 3, &epsilon);
}
