/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Space to depth (Shi et al. 2016, the other way round): every r x r block of pixels becomes one pixel, in torch's order of channels,
 * c r r + dy r + dx. */
#include "engine/ops/help.h"

typedef struct Unshuffle {
  const float *x;
  float *y;
  size_t h, w, c, r; /* of the input */
} Unshuffle;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtTensor x = call->in[0];
  const int64_t r = *(const int64_t *) call->params;
  if (x.shape.rank != 4 || r < 1 || r > 256 || x.shape.dim[1] % r || x.shape.dim[2] % r)
    return pmt_shape_error (call, "pixel_unshuffle", "a map of four dimensions whose sides are multiples of the block's is wanted", error);
  *out = PMT_SHAPE4 (x.shape.dim[0], x.shape.dim[1] / r, x.shape.dim[2] / r, x.shape.dim[3] * r * r);
  return TRUE;
}

static Unshuffle
unshuffle_of (const PmtOpCall *call)
{
  const int64_t *d = call->in[0].shape.dim;
  return (Unshuffle) { call->in[0].data, call->out.data, (size_t) d[1], (size_t) d[2], (size_t) d[3],
                       (size_t) *(const int64_t *) call->params };
}

/* Where the input has value k of output pixel p, both counted over all rows of the batch. */
static size_t
source (const Unshuffle *u, size_t p, size_t k)
{
  const size_t ow = u->w / u->r, oh = u->h / u->r;
  const size_t c = k / (u->r * u->r), dy = k / u->r % u->r, dx = k % u->r;
  const size_t row = p / (oh * ow), y = p / ow % oh * u->r + dy, x = p % ow * u->r + dx;
  return ((row * u->h + y) * u->w + x) * u->c + c;
}

static void
range (void *user, size_t begin, size_t end)
{
  const Unshuffle *u = user;
  const size_t depth = u->c * u->r * u->r;
  for (size_t p = begin; p < end; p++)
    for (size_t k = 0; k < depth; k++)
      u->y[p * depth + k] = u->x[source (u, p, k)];
}

static void
forward (PmtOpCall *call)
{
  Unshuffle u = unshuffle_of (call);
  pmt_op_parallel (call->ctx, pmt_leading (call->out), PMT_POINTWISE_GRAIN / MAX (1, pmt_width (call->out)) + 1, range, &u);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  Unshuffle u = unshuffle_of (call);
  const size_t depth = pmt_width (call->out);
  for (size_t p = 0; grad->in[0].data && p < pmt_leading (call->out); p++)
    for (size_t k = 0; k < depth; k++)
      grad->in[0].data[source (&u, p, k)] += grad->out.data[p * depth + k];
}

static void
naive (const PmtOpNaive *call)
{
  const int64_t *in = call->in_shape[0].dim, r = *(const int64_t *) call->params;
  double *y = call->out;
  for (int64_t n = 0; n < in[0]; n++)
    for (int64_t i = 0; i < in[1] / r; i++)
      for (int64_t j = 0; j < in[2] / r; j++)
        for (int64_t c = 0; c < in[3]; c++)
          for (int64_t dy = 0; dy < r; dy++)
            for (int64_t dx = 0; dx < r; dx++)
              *y++ = call->in[0][((n * in[1] + i * r + dy) * in[2] + j * r + dx) * in[3] + c];
}

static const int64_t one = 1, two = 2, three = 3, eight = 8;

static const PmtOpCase cases[] = {
  { .name = "two", .n_in = 1, .in = { { 4, { 2, 6, 4, 5 } } }, .params = &two, .rowwise = 1 },
  { .name = "three", .n_in = 1, .in = { { 4, { 1, 3, 9, 1 } } }, .params = &three, .rowwise = 1 },
  { .name = "picture", .n_in = 1, .in = { { 4, { 2, 48, 32, 3 } } }, .params = &eight, .rowwise = 1 },
  { .name = "nothing", .n_in = 1, .in = { { 4, { 2, 3, 5, 4 } } }, .params = &one, .rowwise = 1 },
};

const PmtOp pmt_op_pixel_unshuffle = {
  .id = "pixel_unshuffle",
  .min_in = 1,
  .max_in = 1,
  .shape = shape,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 1e-7, /* copies */
  .params_size = sizeof (int64_t),
};

PmtTensor
pmt_pixel_unshuffle (PmtContext *ctx, PmtTensor x, int64_t block)
{
  return pmt_op_run (ctx, &pmt_op_pixel_unshuffle, &x, 1, &block);
}
