/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cubic resize of a map, of whose result a window is made (Keys 1981): across the rows first, then down. */
#include <math.h>

#include "engine/image/resize_axis.h"
#include "engine/ops/help.h"

typedef struct Resize {
  PmtResizeCubicParams p;
  PmtResizeAxis across, down;
  size_t n, h, w, c;
  const float *x;  /* [n, h, w, c] */
  float *y;        /* [n, rows, columns, c] */
  float *middle;   /* [n, h, columns, c] */
} Resize;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtTensor x = call->in[0];
  const PmtResizeCubicParams *p = call->params;
  if (x.shape.rank != 4 || x.shape.dim[1] < 1 || x.shape.dim[2] < 1 || x.shape.dim[1] > INT32_MAX || x.shape.dim[2] > INT32_MAX)
    return pmt_shape_error (call, "resize_cubic", "the map has four dimensions and at least one pixel", error);
  if (p->top < 0 || p->left < 0 || p->rows < 1 || p->columns < 1 || p->rows > p->height - p->top || p->columns > p->width - p->left)
    return pmt_shape_error (call, "resize_cubic", "the window lies within the result", error);
  *out = PMT_SHAPE4 (x.shape.dim[0], p->rows, p->columns, x.shape.dim[3]);
  return TRUE;
}

static size_t
workspace (const PmtOpCall *call)
{
  const PmtResizeCubicParams *p = call->params;
  const int64_t *in = call->in[0].shape.dim;
  return (size_t) (in[0] * in[1] * p->columns * in[3]) * sizeof (float);
}

static bool
resize_init (Resize *r, PmtOpCall *call)
{
  const int64_t *in = call->in[0].shape.dim;
  GError *error = NULL;
  *r = (Resize) { .p = *(const PmtResizeCubicParams *) call->params, .n = (size_t) in[0], .h = (size_t) in[1], .w = (size_t) in[2], .c = (size_t) in[3],
                  .x = call->in[0].data, .y = call->out.data, .middle = call->workspace };
  if (pmt_resize_axis_init (&r->across, PMT_FILTER_CUBIC, (int) r->w, r->p.width, &error) &&
      pmt_resize_axis_init (&r->down, PMT_FILTER_CUBIC, (int) r->h, r->p.height, &error))
    return true;
  pmt_context_fail (call->ctx, PMT_ERROR_MEMORY, "%s", error->message);
  g_clear_error (&error);
  return false;
}

static void
resize_clear (Resize *r)
{
  pmt_resize_axis_clear (&r->across);
  pmt_resize_axis_clear (&r->down);
}

/* Rows of the maps, all of the batch's. */
static void
rows_across (void *user, size_t begin, size_t end)
{
  const Resize *r = user;
  const size_t columns = (size_t) r->p.columns;
  for (size_t y = begin; y < end; y++)
    for (size_t i = 0; i < columns; i++) {
      const size_t at = (size_t) r->p.left + i;
      const float *weight = r->across.weight + at * (size_t) r->across.width, *from = r->x + (y * r->w + (size_t) r->across.first[at]) * r->c;
      float *to = r->middle + (y * columns + i) * r->c;
      memset (to, 0, r->c * sizeof (float));
      for (int k = 0; k < r->across.count[at]; k++)
        for (size_t c = 0; c < r->c; c++)
          to[c] += weight[k] * from[(size_t) k * r->c + c];
    }
}

static void
rows_down (void *user, size_t begin, size_t end)
{
  const Resize *r = user;
  const size_t rows = (size_t) r->p.rows, values = (size_t) r->p.columns * r->c;
  for (size_t y = begin; y < end; y++) {
    const size_t at = (size_t) r->p.top + y % rows;
    const float *weight = r->down.weight + at * (size_t) r->down.width;
    const float *from = r->middle + (y / rows * r->h + (size_t) r->down.first[at]) * values;
    float *to = r->y + y * values;
    memset (to, 0, values * sizeof (float));
    for (int k = 0; k < r->down.count[at]; k++)
      for (size_t i = 0; i < values; i++)
        to[i] += weight[k] * from[(size_t) k * values + i];
  }
}

static void
forward (PmtOpCall *call)
{
  Resize r;
  if (resize_init (&r, call) && pmt_op_parallel (call->ctx, r.n * r.h, 8, rows_across, &r))
    pmt_op_parallel (call->ctx, r.n * (size_t) r.p.rows, 8, rows_down, &r);
  resize_clear (&r);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  Resize r;
  const PmtKernels *kernels = call->ctx->kernels;
  if (!grad->in[0].data)
    return;
  if (resize_init (&r, call)) {
    const size_t rows = (size_t) r.p.rows, columns = (size_t) r.p.columns, values = columns * r.c;
    memset (r.middle, 0, r.n * r.h * values * sizeof (float));
    for (size_t y = 0; y < r.n * rows; y++) {
      const size_t at = (size_t) r.p.top + y % rows;
      for (int k = 0; k < r.down.count[at]; k++)
        kernels->axpy (r.down.weight[at * (size_t) r.down.width + (size_t) k], grad->out.data + y * values,
                       r.middle + (y / rows * r.h + (size_t) (r.down.first[at] + k)) * values, values);
    }
    for (size_t y = 0; y < r.n * r.h; y++)
      for (size_t i = 0; i < columns; i++) {
        const size_t at = (size_t) r.p.left + i;
        for (int k = 0; k < r.across.count[at]; k++)
          for (size_t c = 0; c < r.c; c++)
            grad->in[0].data[(y * r.w + (size_t) (r.across.first[at] + k)) * r.c + c] +=
              r.across.weight[at * (size_t) r.across.width + (size_t) k] * r.middle[(y * columns + i) * r.c + c];
      }
  }
  resize_clear (&r);
}

/* Weight of source value k for destination i, before the weights of i are made to sum to 1. */
static double
keys (int64_t from, int64_t to, int64_t i, int64_t k)
{
  const double scale = (double) from / (double) to, stretch = scale > 1 ? scale : 1;
  const double x = fabs (((double) k + 0.5 - ((double) i + 0.5) * scale) / stretch);
  if (x < 1)
    return 1.5 * x * x * x - 2.5 * x * x + 1;
  return x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0;
}

static double
sum_of (int64_t from, int64_t to, int64_t i)
{
  double sum = 0;
  for (int64_t k = 0; k < from; k++)
    sum += keys (from, to, i, k);
  return sum;
}

static void
naive (const PmtOpNaive *call)
{
  const PmtResizeCubicParams *p = call->params;
  const int64_t *in = call->in_shape[0].dim, *out = call->out_shape.dim;
  double *to = call->out;
  for (int64_t n = 0; n < out[0]; n++)
    for (int64_t i = 0; i < out[1]; i++)
      for (int64_t j = 0; j < out[2]; j++)
        for (int64_t c = 0; c < out[3]; c++) {
          double sum = 0;
          for (int64_t y = 0; y < in[1]; y++)
            for (int64_t x = 0; x < in[2]; x++)
              sum += keys (in[1], p->height, p->top + i, y) * keys (in[2], p->width, p->left + j, x) * call->in[0][((n * in[1] + y) * in[2] + x) * in[3] + c];
          *to++ = sum / (sum_of (in[1], p->height, p->top + i) * sum_of (in[2], p->width, p->left + j));
        }
}

static const PmtResizeCubicParams larger = { 13, 11, 0, 0, 13, 11 }, smaller = { 5, 4, 0, 0, 5, 4 }, window = { 6, 10, 1, 2, 4, 5 };

static const PmtOpCase cases[] = {
  { .name = "larger", .n_in = 1, .in = { { 4, { 2, 6, 5, 3 } } }, .params = &larger, .rowwise = 1 },
  { .name = "smaller", .n_in = 1, .in = { { 4, { 2, 17, 13, 3 } } }, .params = &smaller, .rowwise = 1 },
  { .name = "window", .n_in = 1, .in = { { 4, { 1, 11, 7, 5 } } }, .params = &window, .rowwise = 1 },
};

const PmtOp pmt_op_resize_cubic = {
  .id = "resize_cubic",
  .min_in = 1,
  .max_in = 1,
  .shape = shape,
  .workspace = workspace,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .backward_workspace = workspace,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 1e-6,
  .params_size = sizeof (PmtResizeCubicParams),
};

PmtTensor
pmt_resize_cubic (PmtContext *ctx, PmtTensor x, PmtResizeCubicParams p)
{
  return pmt_op_run (ctx, &pmt_op_resize_cubic, &x, 1, &p);
}
