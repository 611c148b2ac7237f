/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/ops/conv2d_winograd.h"

#include "engine/kernels/winograd.h"
#include "engine/ops/help.h"

bool
pmt_conv2d_is_winograd (const PmtOpCall *call)
{
  return call->in[1].packed && call->in[1].packed->form != PMT_PACKED_ROWS;
}

static PmtWinograd
forward_of (const PmtOpCall *call)
{
  const PmtConv2dParams *p = call->params;
  const int64_t *in = call->in[0].shape.dim, *out = call->out.shape.dim;
  const PmtPacked *w = call->in[1].packed;
  g_assert (p->stride == 1 && call->in[1].shape.dim[1] == 3 && call->in[1].shape.dim[2] == 3 && p->twice == (w->form == PMT_PACKED_TWICE));
  g_assert (!p->twice || (p->pad_top == 1 && p->pad_left == 1 && p->pad_bottom == 1 && p->pad_right == 1));
  return (PmtWinograd) { .w = w, .x = call->in[0].data, .rows = in[0], .h = in[1], .width = in[2],
                         .pad_top = p->pad_top, .pad_left = p->pad_left, .kind = p->twice ? PMT_WINOGRAD_TWICE : PMT_WINOGRAD_SAME, .bias = call->in[2].data,
                         .y = call->out.data, .oh = out[1], .ow = out[2] };
}

size_t
pmt_conv2d_winograd_workspace (const PmtOpCall *call)
{
  const PmtWinograd forward = forward_of (call);
  return pmt_winograd_scratch (&forward);
}

void
pmt_conv2d_winograd (PmtOpCall *call)
{
  const PmtWinograd forward = forward_of (call);
  if (!pmt_winograd (call->ctx->cancel, &forward, call->workspace))
    pmt_context_poll (call->ctx);
}

/* Without maps; `turned` is the weight, which lies at the beginning of the workspace. */
static PmtWinograd
back_of (const PmtOpCall *call, PmtPacked *turned)
{
  const PmtWinograd forward = forward_of (call);
  const PmtPacked *w = forward.w;
  *turned = (PmtPacked) { pmt_packed_back_kernels (w), pmt_precision_wide (w->precision), w->k / 9, 9 * w->n, call->workspace, w->form };
  return (PmtWinograd) { .w = turned, .rows = forward.rows, .h = forward.oh, .width = forward.ow, .pad_top = 2 - forward.pad_top,
                         .pad_left = 2 - forward.pad_left, .kind = forward.kind == PMT_WINOGRAD_TWICE ? PMT_WINOGRAD_HALF : PMT_WINOGRAD_SAME, .add = true, .oh = forward.h, .ow = forward.width };
}

static size_t
turned_bytes (const PmtPacked *turned)
{
  return (pmt_packed_size (turned) + 63) & ~(size_t) 63;
}

static bool
turns_back (const PmtOpCall *call)
{
  const PmtConv2dParams *p = call->params;
  return !p->odd_height && !p->odd_width;
}

size_t
pmt_conv2d_winograd_back_workspace (const PmtOpCall *call)
{
  if (!turns_back (call))
    return ((size_t) pmt_tensor_size (call->in[1]) * sizeof (float) + 63) & ~(size_t) 63;
  PmtPacked turned;
  const PmtWinograd back = back_of (call, &turned);
  return turned_bytes (&turned) + pmt_winograd_scratch (&back);
}

bool
pmt_conv2d_winograd_back (PmtOpCall *call, PmtOpGrad *grad)
{
  if (!turns_back (call))
    return false;
  PmtPacked turned;
  PmtWinograd back = back_of (call, &turned);
  back.x = grad->out.data;
  back.y = grad->in[0].data;
  pmt_packed_transpose (call->in[1].packed, 9, &turned);
  if (!pmt_winograd (call->ctx->cancel, &back, (char *) call->workspace + turned_bytes (&turned)))
    pmt_context_poll (call->ctx);
  return true;
}

PmtTensor
pmt_conv2d_winograd_plain (PmtOpCall *call)
{
  PmtTensor w = call->in[1];
  w.data = call->workspace;
  w.packed = NULL;
  pmt_packed_read (call->in[1].packed, w.data);
  return w;
}
