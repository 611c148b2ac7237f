/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/tensor/context.h"

#include <string.h>

#include "engine/base/threads.h"
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

PmtTensor
pmt_tensor_grow (PmtContext *ctx, PmtTensor t, PmtShape shape)
{
  if (ctx->error || ctx->tape || !t.data)
    return PMT_NO_TENSOR;
  const float *end = pmt_arena_alloc (ctx->step, 0, &ctx->error);
  const ptrdiff_t have = end - t.data; /* rounded up to what the arena hands out */
  const int64_t more = pmt_shape_size (&shape) - have;
  if (have < pmt_tensor_size (t) || have >= pmt_tensor_size (t) + 16)
    return pmt_tensor_new (ctx, shape);
  if (more > 0 && !pmt_tensor_new (ctx, PMT_SHAPE1 (more)).data)
    return PMT_NO_TENSOR;
  return (PmtTensor) { t.data, shape, 0, NULL };
}

typedef struct Move {
  float *to;
  const float *from;
} Move;

static void
move_range (void *user, size_t begin, size_t end)
{
  const Move *m = user;
  memcpy (m->to + begin, m->from + begin, (end - begin) * sizeof (float));
}

/* Values to lower addresses, which may overlap where they come from: in pieces as long as the distance, each shared out among the threads. It is
 * not stopped by a cancel, so that tensors are whole. */
static void
move_down (PmtContext *ctx, PmtTensor to, PmtTensor from)
{
  enum { GRAIN = 1 << 16 };
  const size_t n = (size_t) pmt_tensor_size (to);
  const size_t apart = (size_t) (from.data - to.data);
  if (ctx->dry || n == 0 || apart == 0)
    return;
  if (apart < GRAIN) {
    memmove (to.data, from.data, n * sizeof (float));
  } else {
    for (size_t at = 0; at < n; at += apart)
      pmt_parallel_for (NULL, MIN (apart, n - at), GRAIN, move_range, &(Move) { to.data + at, from.data + at });
  }
  ctx->bytes += 2.0 * sizeof (float) * (double) n;
  ctx->op = "move";
  ctx->op_shape = to.shape;
  if (ctx->on_op)
    ctx->on_op (ctx->on_op_user, ctx);
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
  if (moved.data)
    move_down (ctx, moved, keep);
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
    if (moved.data)
      move_down (ctx, moved, keep[i]);
    keep[i] = moved;
  }
  for (int i = 0; i < n && ctx->error; i++)
    keep[i] = PMT_NO_TENSOR;
  return !ctx->error;
}
