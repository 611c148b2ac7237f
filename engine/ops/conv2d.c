/* SPDX-License-Identifier: GPL-3.0-or-later */
/* 2-D convolution (cross-correlation, as everywhere in this field) over NHWC maps, as matrix products: positions x (kh kw Cin) patches
 * times the weight's rows. Patches are gathered for a band of output rows at a time, so the workspace stays small; a 1x1
 * convolution with stride 1 needs no gathering. With a packed weight nothing is gathered at all: the product converts its blocks of
 * patches straight from the map; and with one that is packed for minimal filtering there are no patches (conv2d_winograd.h). */
#include "engine/ops/conv2d_winograd.h"
#include "engine/ops/help.h"

/* Patches of one band; at least one output row whatever its size. */
enum { BAND_BYTES = 16 << 20, GATHER_GRAIN_BYTES = 256 << 10 };

typedef struct Conv {
  size_t rows, h, w, cin;    /* input, as large as it is made */
  size_t width, image;       /* of it as it is: columns, and values of one map */
  size_t oh, ow, cout;       /* output */
  size_t kh, kw, patch;      /* patch = kh kw cin */
  size_t band;               /* output rows of one image per band */
  PmtConv2dParams p;
  bool direct;               /* positions are patches already */
} Conv;

static Conv
conv_of (const PmtOpCall *call)
{
  PmtTensor x = call->in[0], w = call->in[1];
  Conv c = { .p = *(const PmtConv2dParams *) call->params };
  c.rows = (size_t) x.shape.dim[0], c.h = (size_t) x.shape.dim[1], c.w = (size_t) x.shape.dim[2];
  c.cin = (size_t) x.shape.dim[3];
  c.width = c.w, c.image = c.h * c.w * c.cin;
  if (c.p.twice)
    c.h = 2 * c.h - c.p.odd_height, c.w = 2 * c.w - c.p.odd_width;
  c.cout = (size_t) w.shape.dim[0], c.kh = (size_t) w.shape.dim[1], c.kw = (size_t) w.shape.dim[2];
  c.oh = (size_t) call->out.shape.dim[1], c.ow = (size_t) call->out.shape.dim[2];
  c.patch = c.kh * c.kw * c.cin;
  c.direct = !c.p.twice && c.kh == 1 && c.kw == 1 && c.p.stride == 1 && c.oh == c.h && c.ow == c.w;
  size_t row_bytes = c.ow * c.patch * sizeof (float);
  c.band = c.direct ? c.oh : CLAMP (BAND_BYTES / MAX (1, row_bytes), 1, c.oh);
  return c;
}

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtTensor x = call->in[0], w = call->in[1], b = call->in[2];
  const PmtConv2dParams *p = call->params;
  if (x.shape.rank != 4 || w.shape.rank != 4)
    return pmt_shape_error (call, "conv2d", "the map has four dimensions, and so has the weight", error);
  if (!p->twice && (p->odd_height || p->odd_width))
    return pmt_shape_error (call, "conv2d", "only a map that is made twice as large can lack its last row or column", error);
  if (x.shape.dim[3] != w.shape.dim[3])
    return pmt_shape_error (call, "conv2d", "the map's channels are not the weight's input channels", error);
  if (b.data && (b.shape.rank != 1 || b.shape.dim[0] != w.shape.dim[0]))
    return pmt_shape_error (call, "conv2d", "the bias is not one value per output channel", error);
  if (p->stride < 1 || p->pad_top < 0 || p->pad_left < 0 || p->pad_bottom < 0 || p->pad_right < 0)
    return pmt_shape_error (call, "conv2d", "the stride is at least 1 and no padding is negative", error);
  const int64_t factor = p->twice ? 2 : 1;
  int64_t room_y = factor * x.shape.dim[1] - p->odd_height + p->pad_top + p->pad_bottom - w.shape.dim[1];
  int64_t room_x = factor * x.shape.dim[2] - p->odd_width + p->pad_left + p->pad_right - w.shape.dim[2];
  if (room_y < 0 || room_x < 0)
    return pmt_shape_error (call, "conv2d", "the padded map is smaller than the kernel", error);
  *out = PMT_SHAPE4 (x.shape.dim[0], room_y / p->stride + 1, room_x / p->stride + 1, w.shape.dim[0]);
  return TRUE;
}

static double
flops (const PmtOpCall *call)
{
  return 2.0 * (double) pmt_leading (call->out) * (double) pmt_tensor_size (call->in[1]);
}

static size_t
workspace (const PmtOpCall *call)
{
  Conv c = conv_of (call);
  if (pmt_conv2d_is_winograd (call))
    return pmt_conv2d_winograd_workspace (call);
  if (call->in[1].packed)
    return pmt_op_packed_workspace (call->in[1]);
  return c.direct ? 0 : c.band * c.ow * c.patch * sizeof (float);
}

/* A band's gathering (or, for gradients, scattering): positions count from the band's first. */
typedef struct Gather {
  const Conv *c;
  const float *x; /* one image */
  float *dx;
  float *patches;
  size_t first;   /* position of patches[0] in the image's output */
} Gather;

/* The columns of kernel row ky for output column ox that lie inside the map: [*begin, *end) of kw, *from the map's column there.
 * FALSE when the row lies outside. */
static bool
inside (const Conv *c, size_t oy, size_t ox, size_t ky, ptrdiff_t *y, ptrdiff_t *x, size_t *begin, size_t *end)
{
  *y = (ptrdiff_t) (oy * (size_t) c->p.stride + ky) - c->p.pad_top;
  if (*y < 0 || *y >= (ptrdiff_t) c->h)
    return false;
  ptrdiff_t left = (ptrdiff_t) (ox * (size_t) c->p.stride) - c->p.pad_left;
  ptrdiff_t first = left < 0 ? -left : 0;
  ptrdiff_t last = MIN ((ptrdiff_t) c->kw, (ptrdiff_t) c->w - left);
  if (first >= last)
    return false;
  *x = left + first;
  *begin = (size_t) first;
  *end = (size_t) last;
  return true;
}

/* The pixel that position (y, x) of the map shows. */
static size_t
pixel (const Conv *c, ptrdiff_t y, ptrdiff_t x)
{
  const int shift = c->p.twice;
  return ((size_t) (y >> shift) * c->width + (size_t) (x >> shift)) * c->cin;
}

static void
gather_range (void *user, size_t from, size_t to)
{
  const Gather *g = user;
  const Conv *c = g->c;
  size_t row = c->kw * c->cin;
  for (size_t i = from; i < to; i++) {
    size_t oy = (g->first + i) / c->ow, ox = (g->first + i) % c->ow;
    for (size_t ky = 0; ky < c->kh; ky++) {
      float *dst = g->patches + i * c->patch + ky * row;
      ptrdiff_t y, x;
      size_t begin, end;
      if (!inside (c, oy, ox, ky, &y, &x, &begin, &end)) {
        memset (dst, 0, row * sizeof (float));
        continue;
      }
      /* Neighbouring columns are neighbours in memory: one copy per kernel row. */
      memset (dst, 0, begin * c->cin * sizeof (float));
      const size_t run = c->p.twice ? 1 : end - begin;
      for (size_t kx = begin; kx < end; kx += run)
        memcpy (dst + kx * c->cin, g->x + pixel (c, y, x + (ptrdiff_t) (kx - begin)), run * c->cin * sizeof (float));
      memset (dst + end * c->cin, 0, (c->kw - end) * c->cin * sizeof (float));
    }
  }
}

static void
scatter (const Gather *g, size_t count, const PmtKernels *k)
{
  const Conv *c = g->c;
  size_t row = c->kw * c->cin;
  for (size_t i = 0; i < count; i++) {
    size_t oy = (g->first + i) / c->ow, ox = (g->first + i) % c->ow;
    for (size_t ky = 0; ky < c->kh; ky++) {
      ptrdiff_t y, x;
      size_t begin, end;
      if (!inside (c, oy, ox, ky, &y, &x, &begin, &end))
        continue;
      const size_t run = c->p.twice ? 1 : end - begin;
      for (size_t kx = begin; kx < end; kx += run)
        k->axpy (1.0f, g->patches + i * c->patch + ky * row + kx * c->cin, g->dx + pixel (c, y, x + (ptrdiff_t) (kx - begin)), run * c->cin);
    }
  }
}

static bool
gather (PmtContext *ctx, Gather *g, size_t count)
{
  size_t grain = GATHER_GRAIN_BYTES / (g->c->patch * sizeof (float)) + 1;
  return pmt_op_parallel (ctx, count, grain, gather_range, g);
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

/* The maps that patches are read from. */
typedef struct Maps {
  const Conv *c;
  const float *x;
} Maps;

/* The same where neighbouring columns may show one pixel: one by one. `to` is where value `at` of the kernel row belongs. */
static void
convert_twice (const Conv *c, const PmtProductKernels *kernels, const float *image, ptrdiff_t y, ptrdiff_t x, size_t begin, size_t at, size_t first,
               size_t last, char *to)
{
  for (size_t k = first; k < last;) {
    const size_t kx = k / c->cin, n = MIN ((kx + 1) * c->cin, last) - k;
    kernels->convert (image + pixel (c, y, x + (ptrdiff_t) (kx - begin)) + k % c->cin, to + (k - at) * kernels->value_size, n);
    k += n;
  }
}

/* Values [at, at + count) of kernel row ky of the patch for output (oy, ox) of one image. */
static void
convert_part (const Conv *c, const PmtProductKernels *kernels, const float *image, size_t oy, size_t ox, size_t ky, size_t at, size_t count,
              char *to)
{
  ptrdiff_t y, x;
  size_t begin, end;
  if (!inside (c, oy, ox, ky, &y, &x, &begin, &end)) {
    memset (to, 0, count * kernels->value_size);
    return;
  }
  const size_t first = CLAMP (begin * c->cin, at, at + count), last = CLAMP (end * c->cin, at, at + count);
  memset (to, 0, (first - at) * kernels->value_size);
  if (c->p.twice)
    convert_twice (c, kernels, image, y, x, begin, at, first, last, to);
  else if (last > first)
    kernels->convert (image + pixel (c, y, x) + (first - begin * c->cin), to + (first - at) * kernels->value_size, last - first);
  memset (to + (last - at) * kernels->value_size, 0, (at + count - last) * kernels->value_size);
}

/* PmtProduct's row: values [k0, k0 + count) of the patch at a position. Parts are written in order, so what a conversion puts behind its end
 * is overwritten by the next part. */
static void
convert_patch (const void *user, const PmtProductKernels *kernels, int64_t position, int64_t k0, int64_t count, void *to)
{
  const Maps *maps = user;
  const Conv *c = maps->c;
  const size_t width = c->kw * c->cin, row = (size_t) position / c->ow;
  const float *image = maps->x + row / c->oh * c->image;
  char *out = to;
  for (size_t k = (size_t) k0, end = (size_t) (k0 + count); k < end;) {
    const size_t at = k % width, n = MIN (width - at, end - k);
    convert_part (c, kernels, image, row % c->oh, (size_t) position % c->ow, k / width, at, n, out);
    out += n * kernels->value_size;
    k += n;
  }
  memset (out, 0, (size_t) (kernels->unit - 1) * kernels->value_size); /* rows have room for it */
}

static void
forward_packed (PmtOpCall *call, const Conv *c)
{
  const Maps maps = { c, call->in[0].data };
  PmtProduct product = { .w = call->in[1].packed, .m = (int64_t) (c->rows * c->oh * c->ow), .bias = call->in[2].data,
                         .y = call->out.data, .ldy = (int64_t) c->cout };
  if (c->direct) {
    product.x = call->in[0].data;
    product.ldx = (int64_t) c->cin;
  } else {
    product.row = convert_patch;
    product.user = &maps;
  }
  pmt_op_product (call, &product);
}

static void
forward (PmtOpCall *call)
{
  Conv c = conv_of (call);
  PmtTensor x = call->in[0], w = call->in[1], b = call->in[2];
  if (pmt_conv2d_is_winograd (call)) {
    pmt_conv2d_winograd (call);
    return;
  }
  if (w.packed) {
    forward_packed (call, &c);
    return;
  }
  for (size_t r = 0; r < c.rows; r++)
    for (size_t oy = 0; oy < c.oh; oy += c.band) {
      size_t count = MIN (c.band, c.oh - oy) * c.ow;
      float *y = call->out.data + (r * c.oh + oy) * c.ow * c.cout;
      const float *a = x.data + (r * c.h + oy) * c.w * c.cin;
      if (!c.direct) {
        Gather g = { .c = &c, .x = x.data + r * c.image, .patches = call->workspace, .first = oy * c.ow };
        if (!gather (call->ctx, &g, count))
          return;
        a = call->workspace;
      }
      Bias fill = { b.data, y, c.cout };
      if (b.data && !pmt_op_parallel (call->ctx, count, PMT_POINTWISE_GRAIN / c.cout + 1, bias_range, &fill))
        return;
      PmtGemm g = { .trans_b = true, .m = (int64_t) count, .n = (int64_t) c.cout, .k = (int64_t) c.patch, .alpha = 1,
                    .a = a, .lda = (int64_t) c.patch, .b = w.data, .ldb = (int64_t) c.patch,
                    .beta = b.data ? 1 : 0, .c = y, .ldc = (int64_t) c.cout };
      if (!pmt_op_gemm (call->ctx, &g))
        return;
    }
}

/* With stride 1 the gradient by the map is a convolution itself, of dy by the weight with its taps in the opposite order and its channels
 * exchanged; nothing is gathered or scattered then. This is that convolution. */
static Conv
conv_back (const Conv *c)
{
  return (Conv) { .rows = c->rows, .h = c->oh, .w = c->ow, .width = c->ow, .image = c->oh * c->ow * c->cout, .cin = c->cout, .oh = c->h, .ow = c->w, .cout = c->cin, .kh = c->kh, .kw = c->kw,
                  .patch = c->kh * c->kw * c->cout, .direct = c->direct,
                  .p = { .stride = 1, .pad_top = (int) c->kh - 1 - c->p.pad_top, .pad_left = (int) c->kw - 1 - c->p.pad_left } };
}

static bool
turns_back (const PmtOpCall *call, const Conv *c)
{
  return call->in[1].packed && !c->p.twice && c->p.stride == 1 && c->p.pad_top < (int) c->kh && c->p.pad_left < (int) c->kw;
}

static void
backward_turned (PmtOpCall *call, PmtOpGrad *grad, const Conv *c)
{
  const Conv b = conv_back (c);
  const Maps maps = { &b, grad->out.data };
  const PmtOpBack back = pmt_op_back (call, call->in[1], (int64_t) (c->kh * c->kw));
  PmtProduct product = { .m = (int64_t) (b.rows * b.oh * b.ow), .add = true, .y = grad->in[0].data, .ldy = (int64_t) b.cout };
  if (b.direct) {
    product.x = grad->out.data;
    product.ldx = (int64_t) b.cin;
  } else {
    product.row = convert_patch;
    product.user = &maps;
  }
  pmt_op_back_product (call, &back, product);
}

/* One band of one image: dw += dy^T patches, then patches := dy w, scattered into dx. A packed w comes transposed in `back`. */
static bool
backward_band (PmtOpCall *call, PmtOpGrad *grad, const Conv *c, const PmtOpBack *back, float *patches, size_t r, size_t oy)
{
  size_t count = MIN (c->band, c->oh - oy) * c->ow, image = r * c->image;
  const float *dy = grad->out.data + (r * c->oh + oy) * c->ow * c->cout;
  Gather g = { .c = c, .x = call->in[0].data + image, .patches = patches, .first = oy * c->ow };
  if (grad->in[1].data) {
    PmtGemm dw = { .trans_a = true, .m = (int64_t) c->cout, .n = (int64_t) c->patch, .k = (int64_t) count, .alpha = 1,
                   .a = dy, .lda = (int64_t) c->cout, .b = patches, .ldb = (int64_t) c->patch, .beta = 1,
                   .c = grad->in[1].data, .ldc = (int64_t) c->patch };
    if (!gather (call->ctx, &g, count) || !pmt_op_gemm (call->ctx, &dw))
      return false;
  }
  if (grad->in[2].data)
    call->ctx->kernels->column_sum (dy, grad->in[2].data, count, c->cout);
  if (grad->in[0].data) {
    PmtGemm dp = { .m = (int64_t) count, .n = (int64_t) c->patch, .k = (int64_t) c->cout, .alpha = 1, .a = dy,
                   .lda = (int64_t) c->cout, .b = call->in[1].data, .ldb = (int64_t) c->patch, .beta = 0, .c = patches,
                   .ldc = (int64_t) c->patch };
    const PmtProduct packed = { .m = dp.m, .y = patches, .ldy = dp.ldc, .x = dy, .ldx = dp.lda };
    if (back ? !pmt_op_back_product (call, back, packed) : !pmt_op_gemm (call->ctx, &dp))
      return false;
    g.dx = grad->in[0].data + image;
    scatter (&g, count, call->ctx->kernels);
  }
  return true;
}

/* Where the transposed weight lies, and behind it a band of patches: gathered for the weight's gradient even where forward reads the map
 * itself, then overwritten by their own. */
static size_t
back_room (const PmtOpCall *call, const Conv *c)
{
  if (!call->in[1].packed)
    return 0;
  if (pmt_conv2d_is_winograd (call))
    return pmt_conv2d_winograd_back_workspace (call);
  return pmt_op_back_workspace (call->in[1], turns_back (call, c) ? (int64_t) (c->kh * c->kw) : 1);
}

static size_t
backward_workspace (const PmtOpCall *call)
{
  Conv c = conv_of (call);
  return back_room (call, &c) + c.band * c.ow * c.patch * sizeof (float);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  Conv c = conv_of (call);
  PmtOpGrad rest = *grad;
  PmtOpBack back = { 0 };
  PmtOpCall plain = *call;
  if (grad->in[0].data && pmt_conv2d_is_winograd (call)) {
    if (pmt_conv2d_winograd_back (call, grad))
      rest.in[0] = PMT_NO_TENSOR;
    else
      plain.in[1] = pmt_conv2d_winograd_plain (call);
  } else if (grad->in[0].data && turns_back (call, &c)) {
    backward_turned (call, grad, &c);
    rest.in[0] = PMT_NO_TENSOR;
  } else if (grad->in[0].data && call->in[1].packed) {
    back = pmt_op_back (call, call->in[1], 1);
  }
  if (!rest.in[0].data && !rest.in[1].data && !rest.in[2].data)
    return;
  float *patches = (float *) (void *) ((char *) call->workspace + back_room (call, &c));
  for (size_t r = 0; r < c.rows; r++)
    for (size_t oy = 0; oy < c.oh; oy += c.band)
      if (!backward_band (&plain, &rest, &c, back.scratch ? &back : NULL, patches, r, oy))
        return;
}

static double
naive_at (const PmtOpNaive *call, size_t r, size_t oy, size_t ox, size_t o)
{
  const PmtConv2dParams *p = call->params;
  const int64_t *in = call->in_shape[0].dim, *k = call->in_shape[1].dim;
  double sum = call->in[2] ? call->in[2][o] : 0;
  for (int64_t ky = 0; ky < k[1]; ky++)
    for (int64_t kx = 0; kx < k[2]; kx++) {
      int64_t y = (int64_t) oy * p->stride + ky - p->pad_top, x = (int64_t) ox * p->stride + kx - p->pad_left;
      const int twice = p->twice;
      if (y < 0 || y >= (in[1] << twice) - p->odd_height || x < 0 || x >= (in[2] << twice) - p->odd_width)
        continue;
      y >>= twice, x >>= twice;
      for (int64_t i = 0; i < in[3]; i++)
        sum += call->in[0][(((int64_t) r * in[1] + y) * in[2] + x) * in[3] + i] *
               call->in[1][(((int64_t) o * k[1] + ky) * k[2] + kx) * k[3] + i];
    }
  return sum;
}

static void
naive (const PmtOpNaive *call)
{
  const int64_t *d = call->out_shape.dim;
  double *out = call->out;
  for (int64_t r = 0; r < d[0]; r++)
    for (int64_t y = 0; y < d[1]; y++)
      for (int64_t x = 0; x < d[2]; x++)
        for (int64_t o = 0; o < d[3]; o++)
          *out++ = naive_at (call, (size_t) r, (size_t) y, (size_t) x, (size_t) o);
}

static const PmtConv2dParams same3 = { 1, 1, 1, 1, 1 }, none1 = { 1, 0, 0, 0, 0 }, down = { 2, 1, 1, 1, 1 };
static const PmtConv2dParams down_right = { 2, 0, 0, 1, 1 }, patchify = { 4, 0, 0, 0, 0 }, wide = { 1, 2, 3, 1, 0 };
static const PmtConv2dParams twice = { 1, 1, 1, 1, 1, true, false, false }, twice_odd = { 1, 1, 1, 1, 1, true, true, false };
static const PmtConv2dParams twice_odder = { 1, 1, 1, 1, 1, true, true, true }, twice_down = { 2, 0, 1, 1, 0, true, false, true };

static const PmtOpCase cases[] = {
  { .name = "3x3", .n_in = 3, .in = { { 4, { 2, 9, 7, 5 } }, { 4, { 11, 3, 3, 5 } }, { 1, { 11 } } }, .params = &same3, .rowwise = 1 },
  { .name = "1x1", .n_in = 3, .in = { { 4, { 2, 5, 6, 33 } }, { 4, { 17, 1, 1, 33 } }, { 1, { 17 } } }, .params = &none1, .rowwise = 1 },
  { .name = "no-bias", .n_in = 3, .in = { { 4, { 1, 4, 4, 8 } }, { 4, { 8, 3, 3, 8 } } }, .params = &same3, .rowwise = 1 },
  { .name = "stride-2", .n_in = 3, .in = { { 4, { 2, 9, 8, 6 } }, { 4, { 4, 3, 3, 6 } }, { 1, { 4 } } }, .params = &down, .rowwise = 1 },
  /* the VAE encoder pads below and right only */
  { .name = "stride-2-right", .n_in = 3, .in = { { 4, { 2, 8, 8, 3 } }, { 4, { 5, 3, 3, 3 } }, { 1, { 5 } } }, .params = &down_right, .rowwise = 1 },
  { .name = "patches", .n_in = 3, .in = { { 4, { 1, 8, 12, 3 } }, { 4, { 16, 4, 4, 3 } } }, .params = &patchify, .rowwise = 1 },
  { .name = "uneven-pad", .n_in = 3, .in = { { 4, { 1, 5, 4, 2 } }, { 4, { 3, 2, 5, 2 } }, { 1, { 3 } } }, .params = &wide, .rowwise = 1 },
  { .name = "one-pixel", .n_in = 3, .in = { { 4, { 1, 1, 1, 4 } }, { 4, { 2, 3, 3, 4 } }, { 1, { 2 } } }, .params = &same3, .rowwise = 1 },
  { .name = "twice", .n_in = 3, .in = { { 4, { 2, 5, 7, 9 } }, { 4, { 11, 3, 3, 9 } }, { 1, { 11 } } }, .params = &twice, .rowwise = 1 },
  { .name = "twice-odd", .n_in = 3, .in = { { 4, { 1, 4, 3, 40 } }, { 4, { 35, 3, 3, 40 } }, { 1, { 35 } } }, .params = &twice_odd, .rowwise = 1 },
  { .name = "twice-odder", .n_in = 3, .in = { { 4, { 1, 6, 5, 17 } }, { 4, { 4, 3, 3, 17 } } }, .params = &twice_odder, .rowwise = 1 },
  { .name = "twice-down", .n_in = 3, .in = { { 4, { 1, 6, 5, 3 } }, { 4, { 4, 2, 3, 3 } }, { 1, { 4 } } }, .params = &twice_down, .rowwise = 1 },
  /* several bands */
  { .name = "bands", .n_in = 3, .in = { { 4, { 2, 48, 80, 64 } }, { 4, { 3, 3, 3, 64 } }, { 1, { 3 } } }, .params = &same3, .rowwise = 1 },
};

const PmtOp pmt_op_conv2d = {
  .id = "conv2d",
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
  .params_size = sizeof (PmtConv2dParams),
};

PmtTensor
pmt_conv2d (PmtContext *ctx, PmtTensor x, PmtTensor w, PmtTensor b, PmtConv2dParams p)
{
  return pmt_conv2d_over (ctx, PMT_NO_TENSOR, x, w, b, p);
}

PmtTensor
pmt_conv2d_over (PmtContext *ctx, PmtTensor place, PmtTensor x, PmtTensor w, PmtTensor b, PmtConv2dParams p)
{
  return pmt_op_run_over (ctx, &pmt_op_conv2d, place, (PmtTensor[]) { x, w, b }, 3, &p);
}
