/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense f32 tensors as plain values.
 *
 * Pictures and feature maps are NHWC [rows, height, width, channels]; token sequences are [rows, tokens, width]. The last dimension
 * is contiguous and so is everything else: a tensor is one block. The struct is passed by value and owns nothing; the memory
 * belongs to the arena (or weight set) it came from. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PMT_MAX_RANK 4

typedef struct PmtShape {
  int rank;
  int64_t dim[PMT_MAX_RANK];
} PmtShape;

typedef struct PmtTensor {
  float *data;    /* NULL = no tensor (absent optional input, or after an error) */
  PmtShape shape;
  int32_t node;   /* place on the tape that made it; 0 = not differentiated, below 0 = one of ctx->parameters */
  const struct PmtPacked *packed; /* a weight that products alone can read (kernels/packed.h): `data` is not floats; NULL for all others */
} PmtTensor;

#define PMT_NO_TENSOR ((PmtTensor) { NULL, { 0, { 0 } }, 0, NULL })

#define PMT_SHAPE1(a) ((PmtShape) { 1, { (a) } })
#define PMT_SHAPE2(a, b) ((PmtShape) { 2, { (a), (b) } })
#define PMT_SHAPE3(a, b, c) ((PmtShape) { 3, { (a), (b), (c) } })
#define PMT_SHAPE4(a, b, c, d) ((PmtShape) { 4, { (a), (b), (c), (d) } })

static inline int64_t
pmt_shape_size (const PmtShape *s)
{
  int64_t n = 1;
  for (int i = 0; i < s->rank; i++)
    n *= s->dim[i];
  return n;
}

/* Number of values; 0 for PMT_NO_TENSOR. */
static inline int64_t
pmt_tensor_size (PmtTensor t)
{
  return t.data ? pmt_shape_size (&t.shape) : 0;
}

static inline int64_t
pmt_tensor_dim (PmtTensor t, int axis)
{
  return t.shape.dim[axis < 0 ? t.shape.rank + axis : axis];
}

bool pmt_shape_equal (const PmtShape *a, const PmtShape *b);
/* "2x64x64x320" into buf; returns buf. */
const char *pmt_shape_text (const PmtShape *s, char *buf, size_t size);
#define PMT_SHAPE_TEXT 96

/* The same memory seen with another shape of equal size (an assert otherwise: sizes are our own arithmetic). */
PmtTensor pmt_tensor_view (PmtTensor t, PmtShape shape);
/* Rows [begin, begin+count) of the first axis. */
PmtTensor pmt_tensor_rows (PmtTensor t, int64_t begin, int64_t count);

/* Layout at the border to other programs. */
void pmt_nchw_to_nhwc (const float *src, float *dst, int64_t n, int64_t c, int64_t h, int64_t w);
void pmt_nhwc_to_nchw (const float *src, float *dst, int64_t n, int64_t c, int64_t h, int64_t w);
