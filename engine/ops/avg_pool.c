/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Means over windows that lie side by side. The last ones may hang over the edge and then count what they have (torch's ceil_mode). */
#include "engine/ops/help.h"

typedef struct Window {
  int64_t height, width;
} Window;

typedef struct Pool {
  const PmtKernels *k;
  const float *x;
  float *y;
  size_t h, w, oh, ow, c;
  size_t wh, ww; /* the window */
} Pool;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtTensor x = call->in[0];
  const Window *p = call->params;
  if (x.shape.rank != 4 || x.shape.dim[1] < 1 || x.shape.dim[2] < 1 || p->height < 1 || p->width < 1)
    return pmt_shape_error (call, "avg_pool", "a map of four dimensions and a window of at least one pixel are wanted", error);
  *out = PMT_SHAPE4 (x.shape.dim[0], (x.shape.dim[1] - 1) / p->height + 1, (x.shape.dim[2] - 1) / p->width + 1, x.shape.dim[3]);
  return TRUE;
}

static Pool
pool_of (const PmtOpCall *call)
{
  const int64_t *in = call->in[0].shape.dim, *out = call->out.shape.dim;
  const Window *p = call->params;
  return (Pool) { call->ctx->kernels, call->in[0].data, call->out.data, (size_t) in[1], (size_t) in[2], (size_t) out[1],
                  (size_t) out[2], (size_t) in[3], (size_t) p->height, (size_t) p->width };
}

/* The part of the input under output pixel p (counted over all rows of the batch): its first value, and its size. */
static size_t
under (const Pool *p, size_t pixel, size_t *height, size_t *width)
{
  const size_t row = pixel / (p->oh * p->ow), y = pixel / p->ow % p->oh * p->wh, x = pixel % p->ow * p->ww;
  *height = MIN (p->wh, p->h - y);
  *width = MIN (p->ww, p->w - x);
  return ((row * p->h + y) * p->w + x) * p->c;
}

static void
range (void *user, size_t begin, size_t end)
{
  const Pool *p = user;
  for (size_t pixel = begin; pixel < end; pixel++) {
    size_t height, width, first = under (p, pixel, &height, &width);
    float *y = p->y + pixel * p->c;
    memset (y, 0, p->c * sizeof (float));
    for (size_t i = 0; i < height; i++)
      for (size_t j = 0; j < width; j++)
        p->k->add (y, p->x + first + (i * p->w + j) * p->c, y, p->c);
    p->k->scale (y, 1.0f / (float) (height * width), y, p->c);
  }
}

static void
forward (PmtOpCall *call)
{
  Pool p = pool_of (call);
  const size_t work = MIN (p.wh, p.h) * MIN (p.ww, p.w) * p.c;
  pmt_op_parallel (call->ctx, pmt_leading (call->out), PMT_POINTWISE_GRAIN / MAX (1, work) + 1, range, &p);
}

static double
flops (const PmtOpCall *call)
{
  return (double) pmt_tensor_size (call->in[0]);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  Pool p = pool_of (call);
  for (size_t pixel = 0; grad->in[0].data && pixel < pmt_leading (call->out); pixel++) {
    size_t height, width, first = under (&p, pixel, &height, &width);
    for (size_t i = 0; i < height; i++)
      for (size_t j = 0; j < width; j++)
        p.k->axpy (1.0f / (float) (height * width), grad->out.data + pixel * p.c,
                   grad->in[0].data + first + (i * p.w + j) * p.c, p.c);
  }
}

static void
naive (const PmtOpNaive *call)
{
  const int64_t *in = call->in_shape[0].dim, *out = call->out_shape.dim;
  const Window *p = call->params;
  for (int64_t n = 0; n < out[0]; n++)
    for (int64_t i = 0; i < out[1]; i++)
      for (int64_t j = 0; j < out[2]; j++)
        for (int64_t c = 0; c < out[3]; c++) {
          double sum = 0;
          int count = 0;
          for (int64_t y = i * p->height; y < (i + 1) * p->height && y < in[1]; y++)
            for (int64_t x = j * p->width; x < (j + 1) * p->width && x < in[2]; x++, count++)
              sum += call->in[0][((n * in[1] + y) * in[2] + x) * in[3] + c];
          call->out[((n * out[1] + i) * out[2] + j) * out[3] + c] = sum / count;
        }
}

static const Window halves = { 2, 2 }, uneven = { 3, 2 }, whole = { 37, 29 }, larger = { 9, 9 };

static const PmtOpCase cases[] = {
  { .name = "even", .n_in = 1, .in = { { 4, { 2, 6, 8, 5 } } }, .params = &halves, .rowwise = 1 },
  { .name = "odd", .n_in = 1, .in = { { 4, { 2, 7, 5, 11 } } }, .params = &halves, .rowwise = 1 },
  { .name = "uneven", .n_in = 1, .in = { { 4, { 1, 4, 7, 3 } } }, .params = &uneven, .rowwise = 1 },
  { .name = "whole", .n_in = 1, .in = { { 4, { 2, 37, 29, 16 } } }, .params = &whole, .rowwise = 1 },
  { .name = "larger", .n_in = 1, .in = { { 4, { 1, 2, 3, 4 } } }, .params = &larger, .rowwise = 1 },
};

const PmtOp pmt_op_avg_pool = {
  .id = "avg_pool",
  .min_in = 1,
  .max_in = 1,
  .shape = shape,
  .flops = flops,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 2e-6, /* a mean of a thousand near 0 */
  .params_size = sizeof (Window),
};

PmtTensor
pmt_avg_pool (PmtContext *ctx, PmtTensor x, int64_t height, int64_t width)
{
  Window window = { height, width };
  return pmt_op_run (ctx, &pmt_op_avg_pool, &x, 1, &window);
}
