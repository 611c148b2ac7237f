/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/ops/help.h"

gboolean
pmt_shape_error (const PmtOpCall *call, const char *op, const char *why, GError **error)
{
  g_autoptr (GString) shapes = g_string_new (NULL);
  for (int i = 0; i < call->n_in; i++) {
    char text[PMT_SHAPE_TEXT];
    g_string_append_printf (shapes, "%s%s", i ? ", " : "", pmt_shape_text (&call->in[i].shape, text, sizeof text));
  }
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
               _("The operation %s cannot take inputs of shapes %s: %s; the model's files do not fit together or its config "
                 "is wrong."),
               op, shapes->str, why);
  return FALSE;
}

gboolean
pmt_shape_same (const PmtOpCall *call, PmtShape *out, GError **error)
{
  *out = call->in[0].shape;
  return TRUE;
}

bool
pmt_op_parallel (PmtContext *ctx, size_t n, size_t grain, PmtRangeFunc body, void *user)
{
  return pmt_parallel_for (ctx->cancel, n, grain, body, user) || !pmt_context_poll (ctx);
}

bool
pmt_op_gemm (PmtContext *ctx, const PmtGemm *g)
{
  return pmt_gemm (ctx->cancel, g) || !pmt_context_poll (ctx);
}

typedef struct Unary {
  PmtUnaryFunc f;
  PmtUnaryGradFunc grad;
  const float *x, *dy;
  float *y;
} Unary;

static void
unary_range (void *user, size_t begin, size_t end)
{
  Unary *u = user;
  u->f (u->x + begin, u->y + begin, end - begin);
}

void
pmt_unary_forward (PmtOpCall *call, PmtUnaryFunc f)
{
  Unary u = { .f = f, .x = call->in[0].data, .y = call->out.data };
  pmt_op_parallel (call->ctx, (size_t) pmt_tensor_size (call->out), PMT_POINTWISE_GRAIN, unary_range, &u);
}

static void
unary_grad_range (void *user, size_t begin, size_t end)
{
  Unary *u = user;
  u->grad (u->x + begin, u->dy + begin, u->y + begin, end - begin);
}

void
pmt_unary_backward (PmtOpCall *call, PmtOpGrad *grad, PmtUnaryGradFunc f)
{
  if (!grad->in[0].data)
    return;
  Unary u = { .grad = f, .x = call->in[0].data, .dy = grad->out.data, .y = grad->in[0].data };
  pmt_op_parallel (call->ctx, (size_t) pmt_tensor_size (call->out), PMT_POINTWISE_GRAIN, unary_grad_range, &u);
}

typedef struct Accumulate {
  const PmtKernels *k;
  const float *src;
  float *dst;
} Accumulate;

static void
accumulate_range (void *user, size_t begin, size_t end)
{
  Accumulate *a = user;
  a->k->axpy (1.0f, a->src + begin, a->dst + begin, end - begin);
}

void
pmt_accumulate (PmtContext *ctx, PmtTensor src, PmtTensor dst)
{
  Accumulate a = { ctx->kernels, src.data, dst.data };
  pmt_op_parallel (ctx, (size_t) pmt_tensor_size (src), PMT_POINTWISE_GRAIN, accumulate_range, &a);
}

const PmtOpCase pmt_unary_cases[] = {
  { .name = "one", .n_in = 1, .in = { { 1, { 1 } } }, .rowwise = 1 },
  { .name = "odd", .n_in = 1, .in = { { 2, { 3, 37 } } }, .rowwise = 1, .scale = { 3 } },
  { .name = "map", .n_in = 1, .in = { { 4, { 2, 5, 7, 19 } } }, .rowwise = 1 },
  /* several chunks of the parallel loop, tails included */
  { .name = "long", .n_in = 1, .in = { { 3, { 2, 1031, 33 } } }, .rowwise = 1, .scale = { 2 } },
};
G_STATIC_ASSERT (PMT_N (pmt_unary_cases) == PMT_UNARY_CASES);

bool
pmt_op_product (PmtOpCall *call, const PmtProduct *product)
{
  return pmt_product (call->ctx->cancel, product, call->workspace) || !pmt_context_poll (call->ctx);
}

size_t
pmt_op_packed_workspace (PmtTensor w)
{
  return pmt_product_scratch (w.packed->kernels);
}

static size_t
back_bytes (PmtTensor w, int64_t taps)
{
  const PmtPacked *p = w.packed;
  return (pmt_packed_bytes (pmt_packed_back_kernels (p), p->k / taps, taps * p->n) + 63) & ~(size_t) 63;
}

size_t
pmt_op_back_workspace (PmtTensor w, int64_t taps)
{
  return back_bytes (w, taps) + pmt_product_scratch (pmt_packed_back_kernels (w.packed));
}

PmtOpBack
pmt_op_back (PmtOpCall *call, PmtTensor w, int64_t taps)
{
  const PmtPacked *p = w.packed;
  PmtOpBack back = { { pmt_packed_back_kernels (p), pmt_precision_wide (p->precision), p->k / taps, taps * p->n, call->workspace }, (char *) call->workspace + back_bytes (w, taps) };
  pmt_packed_transpose (p, taps, &back.w);
  return back;
}

bool
pmt_op_back_product (PmtOpCall *call, const PmtOpBack *back, PmtProduct product)
{
  product.w = &back->w;
  return pmt_product (call->ctx->cancel, &product, back->scratch) || !pmt_context_poll (call->ctx);
}
