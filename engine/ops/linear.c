/* SPDX-License-Identifier: GPL-3.0-or-later */
/* y = x W^T + b. A packed weight takes all rows at once; otherwise it is one product per row of the batch, since OpenBLAS's bytes depend on
 * how many there are. */
#include "engine/ops/help.h"

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtTensor x = call->in[0], w = call->in[1], b = call->in[2];
  if (x.shape.rank < 1 || w.shape.rank != 2)
    return pmt_shape_error (call, "linear", "x needs a last dimension and the weight is out x in", error);
  if (pmt_tensor_dim (x, -1) != w.shape.dim[1])
    return pmt_shape_error (call, "linear", "the width of x is not the weight's second dimension", error);
  if (b.data && (b.shape.rank != 1 || b.shape.dim[0] != w.shape.dim[0]))
    return pmt_shape_error (call, "linear", "the bias is not one value per output", error);
  *out = x.shape;
  out->dim[out->rank - 1] = w.shape.dim[0];
  return TRUE;
}

static double
flops (const PmtOpCall *call)
{
  return 2.0 * (double) pmt_leading (call->in[0]) * (double) pmt_tensor_size (call->in[1]);
}

typedef struct Bias {
  const float *b;
  float *y;
  size_t width;
} Bias;

static void
bias_range (void *user, size_t begin, size_t end)
{
  Bias *f = user;
  for (size_t i = begin; i < end; i++)
    memcpy (f->y + i * f->width, f->b, f->width * sizeof (float));
}

/* Rows of the batch, and positions in one: a tensor of rank 1 is one position. */
static size_t
batch (PmtTensor t)
{
  return t.shape.rank > 1 ? (size_t) t.shape.dim[0] : 1;
}

static size_t
workspace (const PmtOpCall *call)
{
  return call->in[1].packed ? pmt_op_packed_workspace (call->in[1]) : 0;
}

static void
forward (PmtOpCall *call)
{
  PmtTensor x = call->in[0], w = call->in[1], b = call->in[2];
  if (w.packed) {
    pmt_op_product (call, &(PmtProduct) { .w = w.packed, .m = (int64_t) pmt_leading (x), .bias = b.data, .y = call->out.data,
                                          .ldy = (int64_t) pmt_width (call->out), .x = x.data, .ldx = (int64_t) pmt_width (x) });
    return;
  }
  size_t rows = batch (x), positions = pmt_leading (x) / MAX (1, rows);
  size_t in = pmt_width (x), out = pmt_width (call->out);
  for (size_t r = 0; r < rows; r++) {
    float *y = call->out.data + r * positions * out;
    /* The bias is there first and the product is added to it: no second pass over y. */
    if (b.data) {
      Bias fill = { b.data, y, out };
      if (!pmt_op_parallel (call->ctx, positions, PMT_POINTWISE_GRAIN / out + 1, bias_range, &fill))
        return;
    }
    PmtGemm g = { .trans_b = true, .m = (int64_t) positions, .n = (int64_t) out, .k = (int64_t) in, .alpha = 1,
                  .a = x.data + r * positions * in, .lda = (int64_t) in, .b = w.data, .ldb = (int64_t) in,
                  .beta = b.data ? 1 : 0, .c = y, .ldc = (int64_t) out };
    if (!pmt_op_gemm (call->ctx, &g))
      return;
  }
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  PmtTensor x = call->in[0], w = call->in[1];
  int64_t positions = (int64_t) pmt_leading (x), in = (int64_t) pmt_width (x), out = (int64_t) pmt_width (call->out);
  if (grad->in[0].data && w.packed) {
    const PmtOpBack back = pmt_op_back (call, w, 1);
    if (!pmt_op_back_product (call, &back, (PmtProduct) { .m = positions, .add = true, .y = grad->in[0].data, .ldy = in,
                                                          .x = grad->out.data, .ldx = out }))
      return;
  } else if (grad->in[0].data) {
    PmtGemm g = { .m = positions, .n = in, .k = out, .alpha = 1, .a = grad->out.data, .lda = out, .b = w.data,
                  .ldb = in, .beta = 1, .c = grad->in[0].data, .ldc = in };
    if (!pmt_op_gemm (call->ctx, &g))
      return;
  }
  if (grad->in[1].data) {
    PmtGemm g = { .trans_a = true, .m = out, .n = in, .k = positions, .alpha = 1, .a = grad->out.data, .lda = out,
                  .b = x.data, .ldb = in, .beta = 1, .c = grad->in[1].data, .ldc = in };
    if (!pmt_op_gemm (call->ctx, &g))
      return;
  }
  if (grad->in[2].data)
    call->ctx->kernels->column_sum (grad->out.data, grad->in[2].data, (size_t) positions, (size_t) out);
}

static size_t
backward_workspace (const PmtOpCall *call)
{
  return call->in[1].packed ? pmt_op_back_workspace (call->in[1], 1) : 0;
}

static void
naive (const PmtOpNaive *call)
{
  const double *x = call->in[0], *w = call->in[1], *b = call->in[2];
  size_t positions = pmt_leading_of (&call->in_shape[0]);
  size_t out = (size_t) call->in_shape[1].dim[0], in = (size_t) call->in_shape[1].dim[1];
  for (size_t p = 0; p < positions; p++)
    for (size_t o = 0; o < out; o++) {
      double sum = b ? b[o] : 0;
      for (size_t i = 0; i < in; i++)
        sum += x[p * in + i] * w[o * in + i];
      call->out[p * out + o] = sum;
    }
}

static const PmtOpCase cases[] = {
  { .name = "tokens", .n_in = 3, .in = { { 3, { 2, 77, 48 } }, { 2, { 96, 48 } }, { 1, { 96 } } }, .rowwise = 1 },
  { .name = "no-bias", .n_in = 3, .in = { { 3, { 3, 13, 7 } }, { 2, { 5, 7 } } }, .rowwise = 1 },
  { .name = "vectors", .n_in = 3, .in = { { 2, { 2, 320 } }, { 2, { 129, 320 } }, { 1, { 129 } } }, .rowwise = 1 },
  { .name = "map", .n_in = 3, .in = { { 4, { 2, 9, 11, 65 } }, { 2, { 33, 65 } }, { 1, { 33 } } }, .rowwise = 1 },
  { .name = "one-value", .n_in = 3, .in = { { 3, { 1, 1, 1 } }, { 2, { 1, 1 } }, { 1, { 1 } } }, .rowwise = 1 },
  { .name = "large", .n_in = 3, .in = { { 3, { 2, 257, 320 } }, { 2, { 640, 320 } }, { 1, { 640 } } }, .rowwise = 1 },
  { .name = "deep", .n_in = 3, .in = { { 3, { 1, 5, 1700 } }, { 2, { 64, 1700 } }, { 1, { 64 } } }, .rowwise = 1 },
};

const PmtOp pmt_op_linear = {
  .id = "linear",
  .min_in = 2,
  .max_in = 3,
  .shape = shape,
  .workspace = workspace,
  .flops = flops,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .backward_workspace = backward_workspace,
  .packed = 1 << 1,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 3e-6,
};

PmtTensor
pmt_linear (PmtContext *ctx, PmtTensor x, PmtTensor w, PmtTensor b)
{
  return pmt_linear_over (ctx, PMT_NO_TENSOR, x, w, b);
}

PmtTensor
pmt_linear_over (PmtContext *ctx, PmtTensor place, PmtTensor x, PmtTensor w, PmtTensor b)
{
  return pmt_op_run_over (ctx, &pmt_op_linear, place, (PmtTensor[]) { x, w, b }, 3, NULL);
}
