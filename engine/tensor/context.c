/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/tensor/context.h"

#include <string.h>

#include "engine/tensor/tape.h"

void
pmt_context_fail (PmtContext *ctx, PmtError code, const char *format, ...)
{
  if (ctx->error)
    return;
  va_list args;
  va_start (args, format);
  ctx->error = g_error_new_valist (PMT_ERROR, code, format, args);
  va_end (args);
}

gboolean
pmt_context_take_error (PmtContext *ctx, GError **error)
{
  if (!ctx->error)
    return FALSE;
  g_propagate_error (error, g_steal_pointer (&ctx->error));
  return TRUE;
}

bool
pmt_context_poll (PmtContext *ctx)
{
  if (!pmt_cancelled (ctx->cancel))
    return false;
  pmt_context_fail (ctx, PMT_ERROR_CANCELLED, "The work was stopped on request; start it again when you want its result.");
  return true;
}

PmtTensor
pmt_tensor_new (PmtContext *ctx, PmtShape shape)
{
  if (ctx->error)
    return PMT_NO_TENSOR;
  size_t bytes = sizeof (float);
  for (int i = 0; i < shape.rank; i++) {
    g_assert (shape.dim[i] >= 0);
    if (__builtin_mul_overflow (bytes, (size_t) shape.dim[i], &bytes)) {
      char text[PMT_SHAPE_TEXT];
      pmt_context_fail (ctx, PMT_ERROR_MEMORY, "A tensor of %s values is larger than any memory; choose a smaller picture.",
                        pmt_shape_text (&shape, text, sizeof text));
      return PMT_NO_TENSOR;
    }
  }
  float *data = pmt_arena_alloc (ctx->step, bytes, &ctx->error);
  if (!data)
    return PMT_NO_TENSOR;
  return (PmtTensor) { data, shape, 0, NULL };
}

PmtTensor
pmt_tensor_zeros (PmtContext *ctx, PmtShape shape)
{
  PmtTensor t = pmt_tensor_new (ctx, shape);
  if (t.data && !ctx->dry)
    memset (t.data, 0, (size_t) pmt_tensor_size (t) * sizeof (float));
  return t;
}

PmtTensor
pmt_tensor_copy (PmtContext *ctx, PmtTensor t)
{
  if (!t.data)
    return PMT_NO_TENSOR;
  PmtTensor copy = pmt_tensor_new (ctx, t.shape);
  if (!copy.data)
    return PMT_NO_TENSOR;
  if (!ctx->dry)
    memcpy (copy.data, t.data, (size_t) pmt_tensor_size (t) * sizeof (float));
  if (ctx->tape && t.node)
    copy.node = pmt_tape_record_copy (ctx->tape, t, copy);
  return copy;
}

PmtFrame
pmt_frame_open (PmtContext *ctx)
{
  return (PmtFrame) { pmt_arena_mark (ctx->step) };
}

PmtTensor
pmt_frame_close (PmtContext *ctx, PmtFrame frame, PmtTensor keep)
{
  if (ctx->tape)
    return ctx->error ? PMT_NO_TENSOR : keep;
  pmt_arena_release (ctx->step, frame.mark);
  if (ctx->error || !keep.data)
    return PMT_NO_TENSOR;
  /* What lay below the frame before it was opened stays where it is. */
  const float *floor = pmt_arena_alloc (ctx->step, 0, &ctx->error);
  if (keep.data < floor)
    return keep;
  PmtTensor moved = pmt_tensor_new (ctx, keep.shape);
  if (moved.data && !ctx->dry && keep.data != moved.data)
    memmove (moved.data, keep.data, (size_t) pmt_tensor_size (keep) * sizeof (float));
  return moved;
}

bool
pmt_frame_close_several (PmtContext *ctx, PmtFrame frame, PmtTensor *keep, int n)
{
  if (!ctx->tape)
    pmt_arena_release (ctx->step, frame.mark);
  for (int i = 0; i < n && !ctx->tape && !ctx->error; i++) {
    g_assert (i == 0 || keep[i].data > keep[i - 1].data);
    PmtTensor moved = pmt_tensor_new (ctx, keep[i].shape);
    g_assert (ctx->error || moved.data <= keep[i].data);
    if (moved.data && !ctx->dry && keep[i].data != moved.data)
      memmove (moved.data, keep[i].data, (size_t) pmt_tensor_size (keep[i]) * sizeof (float));
    keep[i] = moved;
  }
  for (int i = 0; i < n && ctx->error; i++)
    keep[i] = PMT_NO_TENSOR;
  return !ctx->error;
}
