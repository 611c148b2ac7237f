/* SPDX-License-Identifier: GPL-3.0-or-later */
/* geglu (x W^T + b), the first half of a transformer's feed-forward part. What the product gives is twice as large as anything else in the block
 * and needed for a moment only: with a packed weight it never exists, otherwise it lies in the workspace. */
#include "engine/ops/help.h"

extern const PmtOp pmt_op_linear, pmt_op_geglu;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  if (!pmt_op_linear.shape (call, out, error))
    return FALSE;
  if (out->dim[out->rank - 1] % 2 != 0)
    return pmt_shape_error (call, "linear_geglu", "the outputs do not divide by two", error);
  out->dim[out->rank - 1] /= 2;
  return TRUE;
}

/* What the product gives: without data. */
static PmtTensor
product_of (const PmtOpCall *call)
{
  PmtTensor product = call->out;
  product.data = NULL;
  product.shape.dim[product.shape.rank - 1] *= 2;
  return product;
}

static size_t
product_bytes (const PmtOpCall *call)
{
  return ((size_t) pmt_shape_size (&call->out.shape) * 2 * sizeof (float) + 63) & ~(size_t) 63;
}

static double
flops (const PmtOpCall *call)
{
  return pmt_op_linear.flops (call) + (double) pmt_tensor_size (call->out);
}

static bool
gates (const PmtOpCall *call)
{
  return call->in[1].packed && pmt_product_gates (call->in[1].packed);
}

static size_t
workspace (const PmtOpCall *call)
{
  return pmt_op_linear.workspace (call) + (gates (call) ? 0 : product_bytes (call));
}

/* The product in the workspace, `skip` bytes from its beginning; what the product needs lies behind. */
static PmtTensor
make_product (const PmtOpCall *call, size_t skip)
{
  PmtOpCall linear = *call;
  linear.out = product_of (call);
  linear.out.data = (float *) (void *) ((char *) call->workspace + skip);
  linear.workspace = (char *) call->workspace + skip + product_bytes (call);
  pmt_op_linear.forward (&linear);
  return linear.out;
}

static void
forward (PmtOpCall *call)
{
  const PmtTensor x = call->in[0], w = call->in[1];
  if (gates (call)) {
    pmt_op_product (call, &(PmtProduct) { .w = w.packed, .m = (int64_t) pmt_leading (x), .bias = call->in[2].data, .y = call->out.data,
                                          .ldy = (int64_t) pmt_width (call->out), .x = x.data, .ldx = (int64_t) pmt_width (x),
                                          .gate = call->ctx->kernels->geglu });
    return;
  }
  PmtOpCall geglu = { .ctx = call->ctx, .n_in = 1, .in = { make_product (call, 0) }, .out = call->out };
  if (!call->ctx->error)
    pmt_op_geglu.forward (&geglu);
}

static size_t
backward_workspace (const PmtOpCall *call)
{
  return 2 * product_bytes (call) + MAX (pmt_op_linear.workspace (call), pmt_op_linear.backward_workspace (call));
}

/* The product is made again; behind it lies its gradient. */
static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  PmtTensor d = product_of (call);
  d.data = call->workspace;
  PmtOpCall geglu = { .ctx = call->ctx, .n_in = 1, .in = { make_product (call, product_bytes (call)) }, .out = call->out };
  if (call->ctx->error)
    return;
  memset (d.data, 0, (size_t) pmt_tensor_size (d) * sizeof (float));
  pmt_op_geglu.backward (&geglu, &(PmtOpGrad) { .out = grad->out, .in = { d } });
  PmtOpCall linear = *call;
  linear.out = d;
  linear.workspace = (char *) call->workspace + 2 * product_bytes (call);
  PmtOpGrad back = *grad;
  back.out = d;
  if (!call->ctx->error)
    pmt_op_linear.backward (&linear, &back);
}

static void
naive (const PmtOpNaive *call)
{
  PmtOpNaive linear = *call, geglu = *call;
  linear.out_shape.dim[linear.out_shape.rank - 1] *= 2;
  linear.out = g_new (double, (gsize) pmt_shape_size (&linear.out_shape));
  pmt_op_linear.naive (&linear);
  geglu.n_in = 1;
  geglu.in[0] = linear.out;
  geglu.in_shape[0] = linear.out_shape;
  pmt_op_geglu.naive (&geglu);
  g_free (linear.out);
}

static const PmtOpCase cases[] = {
  { .name = "tokens", .n_in = 3, .in = { { 3, { 2, 77, 48 } }, { 2, { 128, 48 } }, { 1, { 128 } } }, .rowwise = 1, .scale = { 1, .2f } },
  { .name = "no-bias", .n_in = 3, .in = { { 3, { 3, 13, 7 } }, { 2, { 6, 7 } } }, .rowwise = 1 },
  { .name = "no-panels", .n_in = 3, .in = { { 3, { 2, 9, 33 } }, { 2, { 70, 33 } }, { 1, { 70 } } }, .rowwise = 1, .scale = { 1, .2f } },
  /* more than a block of rows, several groups of panels; one block of k and several */
  { .name = "large", .n_in = 3, .in = { { 3, { 2, 157, 320 } }, { 2, { 640, 320 } }, { 1, { 640 } } }, .rowwise = 1, .scale = { 1, .05f } },
  { .name = "deep", .n_in = 3, .in = { { 3, { 1, 30, 700 } }, { 2, { 320, 700 } }, { 1, { 320 } } }, .rowwise = 1, .scale = { 1, .05f } },
  { .name = "deeper", .n_in = 3, .in = { { 3, { 1, 5, 1700 } }, { 2, { 64, 1700 } }, { 1, { 64 } } }, .rowwise = 1, .scale = { 1, .03f } },
};

const PmtOp pmt_op_linear_geglu = {
  .id = "linear_geglu",
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
  .tolerance = 5e-6,
};

PmtTensor
pmt_linear_geglu (PmtContext *ctx, PmtTensor x, PmtTensor w, PmtTensor b)
{
  return pmt_op_run (ctx, &pmt_op_linear_geglu, (PmtTensor[]) { x, w, b }, 3, NULL);
}
