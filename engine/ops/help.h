/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What op files share: shape rules' errors, sizes, parallel elementwise loops. Private to engine/ops. */
#pragma once

#include <string.h>

#include "engine/base/threads.h"
#include "engine/kernels/blas.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/packed.h"
#include "engine/ops/ops.h"

#define PMT_N(array) (sizeof (array) / sizeof (array)[0])

/* Values per chunk of an elementwise loop: 64 KB of input, some ten microseconds. */
enum { PMT_POINTWISE_GRAIN = 16384 };

/* Sets PMT_ERROR_INPUT "linear cannot take x 2x3 and w 4x5: why" from the call's input shapes; returns FALSE. */
gboolean pmt_shape_error (const PmtOpCall *call, const char *op, const char *why, GError **error);

/* The last dimension, and the number of positions before it. */
static inline size_t
pmt_width (PmtTensor t)
{
  return (size_t) pmt_tensor_dim (t, -1);
}

/* Size of one row of the batch (everything but axis 0), and of one position's neighbours: positions per row. */
static inline size_t
pmt_row_size (PmtTensor t)
{
  size_t n = 1;
  for (int i = 1; i < t.shape.rank; i++)
    n *= (size_t) t.shape.dim[i];
  return n;
}

static inline size_t
pmt_leading (PmtTensor t)
{
  size_t n = 1;
  for (int i = 0; i < t.shape.rank - 1; i++)
    n *= (size_t) t.shape.dim[i];
  return n;
}

static inline size_t
pmt_leading_of (const PmtShape *s)
{
  size_t n = 1;
  for (int i = 0; i < s->rank - 1; i++)
    n *= (size_t) s->dim[i];
  return n;
}

/* out has the shape of input 0. */
gboolean pmt_shape_same (const PmtOpCall *call, PmtShape *out, GError **error);

/* dst += src over a whole tensor, in parallel. */
void pmt_accumulate (PmtContext *ctx, PmtTensor src, PmtTensor dst);

/* The forward and backward of y[i] = f(x[i]). */
void pmt_unary_forward (PmtOpCall *call, PmtUnaryFunc f);
void pmt_unary_backward (PmtOpCall *call, PmtOpGrad *grad, PmtUnaryGradFunc f);
/* The cases that suit every elementwise operation. */
extern const PmtOpCase pmt_unary_cases[];
enum { PMT_UNARY_CASES = 4 };

/* pmt_parallel_for with the context's flag; a stop becomes the context's error. */
bool pmt_op_parallel (PmtContext *ctx, size_t n, size_t grain, PmtRangeFunc body, void *user);
/* The same for a product. */
bool pmt_op_gemm (PmtContext *ctx, const PmtGemm *g);
/* A product with a packed weight; `product` without w's fields. Its scratch is the call's workspace, of pmt_op_packed_workspace bytes. */
bool pmt_op_product (PmtOpCall *call, const PmtProduct *product);
size_t pmt_op_packed_workspace (PmtTensor w);

/* For gradients by x: the product on the way back reads the transposed weight, made again each time at the beginning of the call's workspace
 * (a small part of the product's work, and no second copy of a network). Behind it is room for the product's scratch: `scratch` of
 * pmt_op_back_product. pmt_op_back_workspace is all of both. */
typedef struct PmtOpBack {
  PmtPacked w;
  void *scratch;
} PmtOpBack;
size_t pmt_op_back_workspace (PmtTensor w, int64_t taps);
PmtOpBack pmt_op_back (PmtOpCall *call, PmtTensor w, int64_t taps);
/* `product` without w: adds to, or (add false) writes, y. */
bool pmt_op_back_product (PmtOpCall *call, const PmtOpBack *back, PmtProduct product);
