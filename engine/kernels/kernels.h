/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loops that are worth compiling for each CPU level, as one table of functions per level.
 *
 * All of them run in the calling thread, hold no state, and give a value that depends on the values of its own row or position only:
 * how a caller cuts its work into calls never changes a byte. Arrays need no alignment; `y` may be `x` where both have the same
 * shape. NaN in gives NaN out. Products are not here: they are in blas.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/cpu.h"

typedef void (*PmtUnaryFunc) (const float *x, float *y, size_t n);                      /* y[i] = f(x[i]) */
typedef void (*PmtUnaryGradFunc) (const float *x, const float *dy, float *dx, size_t n); /* dx[i] += dy[i] f'(x[i]) */

/* What products compute in. Activations and results are f32 in all of them. */
typedef enum { PMT_PRECISION_F32, PMT_PRECISION_BF16, PMT_PRECISION_INT8, PMT_PRECISIONS } PmtPrecision;

/* The inner loops of packed products (packed.h explains the layout). Rows of the left side stand `stride` bytes apart, so that addresses
 * are constants in the loop; a block of k has at most `depth` values. */
enum {
  PMT_PRODUCT_DEPTH_F32 = 256, PMT_PRODUCT_STRIDE_F32 = PMT_PRODUCT_DEPTH_F32 + 16,
  PMT_PRODUCT_DEPTH_BF16 = 512, PMT_PRODUCT_STRIDE_BF16 = PMT_PRODUCT_DEPTH_BF16 + 32,
  PMT_PRODUCT_DEPTH_INT8 = 512, PMT_PRODUCT_HEAD_INT8 = 64, PMT_PRODUCT_STRIDE_INT8 = PMT_PRODUCT_HEAD_INT8 + PMT_PRODUCT_DEPTH_INT8
};
/* The transforms of minimal filtering (winograd.h), of `count` values of each row. A convolution is one of three kinds. */
typedef enum {
  PMT_WINOGRAD_SAME,  /* 4x4 window -> 16 products -> 2x2 outputs */
  PMT_WINOGRAD_TWICE, /* of a map twice as large (nearest neighbour): 3x3 -> 9 -> 2x2 */
  PMT_WINOGRAD_HALF,  /* the way back of it, summed over 2x2: 4x4 -> 9 -> 1 */
  PMT_WINOGRAD_KINDS
} PmtWinogradKind;
/* Most inputs that are quantised together, where products have scales (PmtProductKernels.head). */
enum { PMT_WINOGRAD_BLOCK = 256 };
/* What products become: as the kinds, and PMT_WINOGRAD_TWICE where the larger map ends in the middle of the outputs. */
enum { PMT_WINOGRAD_TWICE_BOTTOM = PMT_WINOGRAD_KINDS, PMT_WINOGRAD_TWICE_RIGHT, PMT_WINOGRAD_TWICE_CORNER, PMT_WINOGRAD_OUTPUTS };
typedef struct PmtWinogradKernels {
  /* The rows of a window -> for each product p its row of a left side at to + p apart (bytes), converted; up to the next multiple of the
   * product's unit filled with 0. NULL in int8 for PMT_WINOGRAD_HALF, as its way back is in bf16. */
  void (*window[PMT_WINOGRAD_KINDS]) (const float *const *from, int64_t count, void *to, size_t apart);
  /* Sums m + p apart (values) of each product p -> each of the outputs, NULL where it is not wanted: bias (NULL: none) plus what they
   * are, or (add) added to what is there. m [.., TILE] has whole tiles' columns. */
  void (*outputs[PMT_WINOGRAD_OUTPUTS]) (const float *m, int64_t apart, const float *bias, bool add, float *const *to, int64_t count);
} PmtWinogradKernels;
typedef struct PmtProductKernels PmtProductKernels;
struct PmtProductKernels {
  int rows, columns; /* most rows, and columns, of a tile */
  int depth, unit;   /* most values of k in a block, a multiple of unit; values of k that are multiplied together */
  size_t value_size, stride; /* bytes */
  size_t head; /* bytes before each block of k in a panel (scales) */
  /* To the left side's type; up to the next multiple of unit filled with 0, or with what meets weights of 0. Where `staged` is set the n values are all of one row's block, and
   * rows that come in parts are put together by `staged` first. */
  void (*convert) (const float *x, void *y, size_t n);
  const PmtProductKernels *staged; /* NULL, or kernels of f32 */
  const PmtProductKernels *back;   /* what the products of the way back compute with; NULL: with these */
  const PmtWinogradKernels *winograd; /* NULL where there are none */
  void (*pack) (const float *w, int64_t n, int64_t k, void *packed); /* one panel: n at most columns */
  void (*unpack) (const void *packed, int64_t n, int64_t k, float *w);
  void (*read) (const void *panel, int64_t k, int64_t column, int64_t count, float *to); /* w[column .. column + count, k] of one panel */
  /* c [rows, columns] = (first: bias or 0; else c) + a b, with b one panel's block; k a multiple of unit. */
  void (*tile) (int rows, const void *a, const void *b, int64_t k, float *c, int64_t ldc, bool first, const float *bias);
};

/* What attention does to panels of `columns` f32 values with a query in each column (attention_tiles.c). Keys are a left side of their own,
 * in tiles: [keys / rows][d / unit][rows][unit], each key to the next multiple of unit and the last tile filled with 0. */
typedef struct PmtAttendKernels {
  /* x [keys, d] with row stride ldx -> that left side. */
  void (*keys) (const float *x, int64_t ldx, int64_t keys, int64_t d, void *left);
  /* logits [keys to the next multiple of rows, columns] = those keys times one panel of queries. */
  void (*logits) (int64_t keys, const void *left, const void *queries, int64_t d, float *logits);
  /* logits [keys, columns] -> 2^(logit - top) as a right side of products, which may lie where the logits do if its values are f32, after
   * raising top [columns] to the largest logit or a little more; sum [columns] = sum shrink + the new ones, with
   * shrink [columns] = 2^(old top - top). True when one of shrink is not 1. NaN stays in its column. */
  bool (*attend) (int64_t keys, const float *logits, float *top, float *sum, float *shrink, void *packed);
  /* Both in one pass (NULL where the level has no such pass), without raising top unless all of it is -infinity: false when weights outgrew it
   * or it is out of range; then top and sum are as they were, and logits and attend do it. Column j sees the first `seen` + j keys. `packed` has
   * room for keys to the next multiple of rows. */
  bool (*weigh) (int64_t keys, int64_t seen, const void *left, const void *queries, int64_t d, float *top, float *sum, void *packed);
  void (*scale_columns) (float *c, int64_t rows, const float *factor); /* c [rows, columns] *= factor [columns] */
  void (*transpose) (const float *x, int64_t ldx, int64_t rows, int64_t columns, float *y, int64_t ldy); /* y[c,r] = x[r,c] */
} PmtAttendKernels;

/* Attention whose products are of bytes (attention_int8.c), for heads of at most PMT_ATTEND_INT8_WIDEST channels. Queries are cut into panels of
 * `columns`, a query in each; keys and values into blocks of `block` keys. Logits are in powers of two. */
enum { PMT_ATTEND_INT8_WIDEST = 256 };
enum { PMT_ATTEND_INT8_COLUMNS = 32 };
typedef struct PmtAttendInt8Step {
  _Alignas (64) float top[PMT_ATTEND_INT8_COLUMNS];                       /* weigh's own, */
  float scale[PMT_ATTEND_INT8_COLUMNS];                                   /* too */
  float factor[PMT_ATTEND_INT8_COLUMNS], shrink[PMT_ATTEND_INT8_COLUMNS]; /* 2^(block's largest logit - about), 2^(old about - new) */
  bool raised;  /* one of shrink is not 1 */
  int64_t keys; /* to the next multiple of rows */
} PmtAttendInt8Step;
typedef struct PmtAttendInt8 {
  int rows, columns, block; /* block: a multiple of rows, which keys are padded to */
  size_t (*keys_size) (int64_t d), (*queries_size) (int64_t d), (*values_size) (int64_t d); /* bytes of a block or panel, a multiple of 64 */
  /* x [n, d] with row stride ldx, n at most columns -> a panel of queries times factor, with a scale each. */
  void (*queries) (const float *x, int64_t ldx, int64_t n, int64_t d, float factor, void *panel);
  /* x [keys, d] - mean [d] -> a block of keys, with one scale. */
  void (*keys) (const float *x, int64_t ldx, int64_t keys, int64_t d, const float *mean, void *block);
  /* x [keys, d] -> a block of values, with a scale per channel; a last channel of ones stands beside them. */
  void (*values) (const float *x, int64_t ldx, int64_t keys, int64_t d, void *block);
  /* Logits of a block of keys and a panel of queries, to logits [block, columns], and what goes with them to `now`. About [columns] (-infinity at
   * first), what that panel's weights are relative to, is raised where the block's largest logit is far above it. Meanwhile what is in logits, of
   * the step `before` (NULL: none), becomes weights 255 2^(logit - its block's largest), as bytes to packed [block / 4][columns][4]. With keys 0
   * that alone. */
  void (*weigh) (int64_t keys, const void *block, const void *panel, int64_t d, float *logits, float *about, PmtAttendInt8Step *now,
                 const PmtAttendInt8Step *before, void *packed);
  /* c [d + 1, columns] += factor [columns] times the sums of that block's values times weights; the last row is of the weights themselves. */
  void (*mix) (int64_t keys, const void *block, int64_t d, const void *packed, const float *factor, float *c);
  void (*scale_columns) (float *c, int64_t rows, const float *factor); /* as above */
  void (*transpose) (const float *x, int64_t ldx, int64_t rows, int64_t columns, float *y, int64_t ldy);
} PmtAttendInt8;

typedef struct PmtKernels {
  PmtCpuLevel level;

  PmtUnaryFunc exp, silu, gelu, quick_gelu;
  PmtUnaryGradFunc silu_grad, gelu_grad, quick_gelu_grad;

  /* x [rows, 2 c] = [a | gate] -> y [rows, c] = a * gelu(gate); the gradient adds to dx [rows, 2 c]. */
  void (*geglu) (const float *x, float *y, size_t rows, size_t c);
  void (*geglu_grad) (const float *x, const float *dy, float *dx, size_t rows, size_t c);

  void (*add) (const float *a, const float *b, float *y, size_t n);             /* y = a + b */
  void (*scale) (const float *x, float factor, float *y, size_t n);             /* y = factor x */
  void (*axpy) (float factor, const float *x, float *y, size_t n);              /* y += factor x */
  void (*mul_add) (const float *a, const float *b, float *y, size_t n);         /* y += a b */
  void (*add_row) (const float *x, const float *v, float *y, size_t rows, size_t c); /* y[r,:] = x[r,:] + v */

  /* Sums over rows, in row order, added to sum [c]: of x [rows, c], of (x - mean[c])^2, and of a b. */
  void (*column_sum) (const float *x, float *sum, size_t rows, size_t c);
  void (*column_square) (const float *x, const float *mean, float *sum, size_t rows, size_t c);
  /* The sums of x - about[c] and of its squares at once. */
  void (*column_moments) (const float *x, const float *about, float *sum, float *square, size_t rows, size_t c);
  void (*column_dot) (const float *a, const float *b, float *sum, size_t rows, size_t c);

  /* y[r,:] = (x[r,:] - mean) * factor + shift, then SiLU when asked; mean, factor, shift [c]. */
  void (*normalize) (const float *x, const float *mean, const float *factor, const float *shift, float *y, size_t rows,
                     size_t c, bool silu);

  /* Each row of x [rows, c] to mean 0 and variance 1 (biased, plus eps), times gamma plus beta [c]. */
  void (*layer_norm) (const float *x, const float *gamma, const float *beta, float eps, float *y, size_t rows, size_t c);
  /* Mean and 1/sqrt(variance + eps) of one row. */
  void (*row_moments) (const float *x, size_t c, float eps, float *mean, float *rstd);

  /* The parts of a softmax whose values come in pieces: the largest (NaN ignored; -inf for none), and y = exp(factor x - top),
   * returning its sum. */
  float (*max) (const float *x, size_t n);
  float (*exp_sum) (const float *x, float factor, float top, float *y, size_t n);
  /* y = softmax(factor x), factor >= 0. All -inf gives NaN, as the limit does not exist. */
  void (*softmax) (const float *x, float factor, float *y, size_t n);

  float (*dot) (const float *a, const float *b, size_t n);

  /* n numbers in half precision, at any address, to float; exact, and NaN stays NaN. */
  void (*widen_f16) (const void *x, float *y, size_t n);

  const PmtProductKernels *product[PMT_PRECISIONS]; /* NULL where the level has none */
  const PmtAttendKernels *attend[PMT_PRECISIONS];   /* where product is; NULL for int8 */
  const PmtAttendInt8 *attend_int8;                 /* NULL where the level has none */
} PmtKernels;

/* The table for a level. A level that was not built (another architecture, an old compiler) gives the next lower one. */
const PmtKernels *pmt_kernels_get (PmtCpuLevel level);
