/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/kernels/packed.h"
#include "engine/ops/op.h"
#include "engine/tensor/tape.h"

G_STATIC_ASSERT (PMT_OP_MAX_INPUTS == PMT_TAPE_MAX_INPUTS);

static double
flops_of (const PmtOpCall *call, const PmtOp *op)
{
  return op->flops ? op->flops (call) : (double) pmt_tensor_size (call->out);
}

static double
tensor_bytes (PmtTensor t)
{
  const double value = t.packed ? (double) t.packed->kernels->value_size : (double) sizeof (float);
  return value * (double) pmt_tensor_size (t);
}

static double
bytes_of (const PmtOpCall *call, const PmtOp *op)
{
  if (op->bytes)
    return op->bytes (call);
  double bytes = tensor_bytes (call->out);
  for (int i = 0; i < call->n_in; i++)
    bytes += tensor_bytes (call->in[i]);
  return bytes;
}

/* Tells whoever counts and watches. */
static void
count (const PmtOpCall *call, const PmtOp *op)
{
  PmtContext *ctx = call->ctx;
  ctx->flops += flops_of (call, op);
  ctx->bytes += bytes_of (call, op);
  ctx->op = op->id;
  ctx->op_shape = call->out.shape;
}

static void
run_backward (PmtContext *ctx, const PmtTapeEntry *entry, PmtTensor out_grad, const PmtTensor *in_grad)
{
  const PmtOp *op = entry->what;
  PmtOpCall call = { .ctx = ctx, .n_in = entry->n_in, .params = entry->params, .out = entry->out };
  PmtOpGrad grad = { .out = out_grad };
  for (int i = 0; i < entry->n_in; i++) {
    call.in[i] = entry->in[i];
    grad.in[i] = in_grad[i];
  }
  PmtArenaMark mark = pmt_arena_mark (ctx->step);
  size_t bytes = op->backward_workspace ? op->backward_workspace (&call) : 0;
  if (bytes > 0)
    call.workspace = pmt_arena_alloc (ctx->step, bytes, &ctx->error);
  if (!ctx->error && !ctx->dry)
    op->backward (&call, &grad);
  /* As much work as forward: what products give back to activations, their weights being constants, is one product of the same size. */
  if (!ctx->error)
    count (&call, op);
  pmt_arena_release (ctx->step, mark);
  if (ctx->on_op && !ctx->error)
    ctx->on_op (ctx->on_op_user, ctx);
}

/* FALSE when the call depends on a leaf and the op has no backward. */
static gboolean
record (PmtOpCall *call, const PmtOp *op)
{
  PmtTapeEntry entry = { .backward = run_backward, .what = op, .n_in = call->n_in, .out = call->out };
  bool depends = false;
  for (int i = 0; i < call->n_in; i++) {
    entry.in[i] = call->in[i];
    depends |= call->in[i].data && call->in[i].node != 0;
  }
  if (depends && !op->backward) {
    pmt_context_fail (call->ctx, PMT_ERROR_UNSUPPORTED,
                      "The operation %s cannot be differentiated; use a method that needs no gradient here.", op->id);
    return FALSE;
  }
  call->out.node = pmt_tape_record (call->ctx->tape, &entry, call->params, op->params_size);
  return TRUE;
}

/* Required inputs are there, and the shapes fit. */
static gboolean
check (PmtOpCall *call, const PmtOp *op, PmtShape *out_shape)
{
  PmtContext *ctx = call->ctx;
  g_assert (call->n_in >= op->min_in && call->n_in <= op->max_in);
  for (int i = 0; i < op->min_in; i++)
    if (!call->in[i].data) {
      pmt_context_fail (ctx, PMT_ERROR_INTERNAL, "The operation %s was called without its input %d.", op->id, i + 1);
      return FALSE;
    }
  for (int i = 0; i < call->n_in; i++)
    if (call->in[i].packed && !(op->packed >> i & 1)) {
      pmt_context_fail (ctx, PMT_ERROR_INTERNAL, "The operation %s cannot read a packed weight.", op->id);
      return FALSE;
    }
  return op->shape (call, out_shape, &ctx->error);
}

/* The result's tensor: in the place that is given, where there is one and it is good for that. */
static PmtTensor
result (const PmtOpCall *call, const PmtOp *op, PmtTensor place, PmtShape shape)
{
  PmtContext *ctx = call->ctx;
  if (!place.data || ctx->tape)
    return pmt_tensor_new (ctx, shape);
  const size_t size = (size_t) pmt_shape_size (&shape);
  bool fits = !place.packed && size <= (size_t) pmt_tensor_size (place);
  for (int i = 0; i < call->n_in; i++) {
    const PmtTensor *in = &call->in[i];
    const bool apart = !in->data || in->packed || place.data + size <= in->data || in->data + pmt_tensor_size (*in) <= place.data;
    fits = fits && (apart || ((op->over >> i & 1) && in->data == place.data && pmt_shape_equal (&in->shape, &shape)));
  }
  if (!fits) {
    pmt_context_fail (ctx, PMT_ERROR_INTERNAL, "The operation %s cannot put its result into the place it was given.", op->id);
    return PMT_NO_TENSOR;
  }
  return (PmtTensor) { place.data, shape, 0, NULL };
}

PmtTensor
pmt_op_run (PmtContext *ctx, const PmtOp *op, const PmtTensor *in, int n_in, const void *params)
{
  return pmt_op_run_over (ctx, op, PMT_NO_TENSOR, in, n_in, params);
}

PmtTensor
pmt_op_run_over (PmtContext *ctx, const PmtOp *op, PmtTensor place, const PmtTensor *in, int n_in, const void *params)
{
  if (ctx->error || pmt_context_poll (ctx))
    return PMT_NO_TENSOR;

  PmtOpCall call = { .ctx = ctx, .n_in = n_in, .params = params };
  for (int i = 0; i < n_in; i++)
    call.in[i] = in[i];
  PmtShape out_shape = { 0 };
  if (!check (&call, op, &out_shape))
    return PMT_NO_TENSOR;

  PmtArenaMark before = pmt_arena_mark (ctx->step);
  call.out = result (&call, op, place, out_shape);
  PmtArenaMark scratch = pmt_arena_mark (ctx->step);
  size_t bytes = call.out.data && op->workspace ? op->workspace (&call) : 0;
  if (bytes > 0)
    call.workspace = pmt_arena_alloc (ctx->step, bytes, &ctx->error);
  if (!ctx->error && !ctx->dry)
    op->forward (&call);
  pmt_arena_release (ctx->step, scratch);
  if (!ctx->error)
    count (&call, op);

  if (ctx->error || pmt_context_poll (ctx) || (ctx->tape && !record (&call, op))) {
    pmt_arena_release (ctx->step, before);
    return PMT_NO_TENSOR;
  }
  if (ctx->on_op)
    ctx->on_op (ctx->on_op_user, ctx);
  return call.out;
}
