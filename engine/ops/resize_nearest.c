/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nearest-neighbour resize of a map: source index floor(i * in / out), in whole numbers. */
#include "engine/ops/help.h"

typedef struct Size {
  int64_t height, width;
} Size;

typedef struct Resize {
  const float *x;
  float *y;
  size_t h, w, oh, ow, c;
} Resize;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtTensor x = call->in[0];
  const Size *s = call->params;
  if (x.shape.rank != 4 || x.shape.dim[1] < 1 || x.shape.dim[2] < 1 || s->height < 1 || s->width < 1)
    return pmt_shape_error (call, "resize_nearest", "a map of four dimensions goes to at least one pixel", error);
  *out = PMT_SHAPE4 (x.shape.dim[0], s->height, s->width, x.shape.dim[3]);
  return TRUE;
}

static Resize
resize_of (const PmtOpCall *call)
{
  const int64_t *in = call->in[0].shape.dim, *out = call->out.shape.dim;
  return (Resize) { call->in[0].data, call->out.data, (size_t) in[1], (size_t) in[2], (size_t) out[1], (size_t) out[2],
                    (size_t) in[3] };
}

/* Offset of the pixel that output pixel p (counted over all rows of the batch) shows. */
static size_t
source (const Resize *r, size_t p)
{
  size_t row = p / (r->oh * r->ow), y = p / r->ow % r->oh, x = p % r->ow;
  return ((row * r->h + y * r->h / r->oh) * r->w + x * r->w / r->ow) * r->c;
}

static void
range (void *user, size_t begin, size_t end)
{
  const Resize *r = user;
  for (size_t p = begin; p < end; p++)
    memcpy (r->y + p * r->c, r->x + source (r, p), r->c * sizeof (float));
}

static void
forward (PmtOpCall *call)
{
  Resize r = resize_of (call);
  pmt_op_parallel (call->ctx, pmt_leading (call->out), PMT_POINTWISE_GRAIN / MAX (1, r.c) + 1, range, &r);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  Resize r = resize_of (call);
  for (size_t p = 0; grad->in[0].data && p < pmt_leading (call->out); p++)
    call->ctx->kernels->axpy (1.0f, grad->out.data + p * r.c, grad->in[0].data + source (&r, p), r.c);
}

static void
naive (const PmtOpNaive *call)
{
  const int64_t *in = call->in_shape[0].dim, *out = call->out_shape.dim;
  double *y = call->out;
  for (int64_t r = 0; r < out[0]; r++)
    for (int64_t i = 0; i < out[1]; i++)
      for (int64_t j = 0; j < out[2]; j++)
        for (int64_t c = 0; c < out[3]; c++)
          *y++ = call->in[0][((r * in[1] + i * in[1] / out[1]) * in[2] + j * in[2] / out[2]) * in[3] + c];
}

static const Size twice = { 12, 10 }, odd = { 7, 9 }, less = { 2, 3 };

static const PmtOpCase cases[] = {
  { .name = "twice", .n_in = 1, .in = { { 4, { 2, 6, 5, 7 } } }, .params = &twice, .rowwise = 1 },
  { .name = "odd", .n_in = 1, .in = { { 4, { 1, 4, 5, 3 } } }, .params = &odd, .rowwise = 1 },
  { .name = "smaller", .n_in = 1, .in = { { 4, { 2, 5, 8, 2 } } }, .params = &less, .rowwise = 1 },
};

const PmtOp pmt_op_resize_nearest = {
  .id = "resize_nearest",
  .min_in = 1,
  .max_in = 1,
  .shape = shape,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 1e-7, /* copies */
  .params_size = sizeof (Size),
};

PmtTensor
pmt_resize_nearest (PmtContext *ctx, PmtTensor x, int64_t height, int64_t width)
{
  Size size = { height, width };
  return pmt_op_run (ctx, &pmt_op_resize_nearest, &x, 1, &size);
}
