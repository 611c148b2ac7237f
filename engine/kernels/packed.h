/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Products with a right side that was packed once: y = x w^T + bias with f32 x and y. In f32, and in bf16 (both sides
 * rounded to nearest even), sums are f32; in int8 both sides are quantised by blocks of k (product_int8.h) and blocks are summed in f32. (Goto & van de Geijn 2008; the left side is converted a block at a time, in cache, so that no converted copy of
 * an activation ever exists.)
 *
 * Every value of y is one sum in the order of k: neither the number of rows, nor threads, nor where a row lies changes a byte. So callers may
 * put the rows of a batch into one product. */
#pragma once

#include "engine/base/cancel.h"
#include "engine/kernels/kernels.h"

/* How a weight lies: as the right side of one product, or, of a 3x3 convolution [n, 3, 3, c], transformed as those of several (winograd.h). */
typedef enum {
  PMT_PACKED_ROWS,
  PMT_PACKED_SAME, /* 16 of [n, c]; takes 16/9 of the memory */
  PMT_PACKED_TWICE /* 9 of [n, c], for the convolution of a map made twice as large */
} PmtPackedForm;

typedef struct PmtPacked {
  const PmtProductKernels *kernels;
  PmtPrecision precision;
  int64_t n, k; /* outputs, inputs */
  void *data;   /* pmt_packed_size; not owned. NULL in a dry run */
  PmtPackedForm form;
} PmtPacked;

/* NULL for PMT_PRECISION_F32 where products go through OpenBLAS, and where a precision is missing. */
const PmtProductKernels *pmt_product_kernels (const PmtKernels *kernels, PmtPrecision precision);
/* Those of the level that this process uses. */
const PmtProductKernels *pmt_product_kernels_here (PmtPrecision precision);
/* Whether this process can compute in it: f32 always, bf16 and int8 where the CPU level has their products. */
bool pmt_precision_available (PmtPrecision precision);
const char *pmt_precision_name (PmtPrecision precision); /* "f32", "bf16", "int8" */
bool pmt_precision_find (const char *name, PmtPrecision *precision); /* by that name; false when there is none */
/* What is computed in beside int8 where bits are worth more than time: bf16. The others are their own. */
PmtPrecision pmt_precision_wide (PmtPrecision precision);

/* Memory for a weight of n outputs and k inputs; a multiple of 64. */
size_t pmt_packed_bytes (const PmtProductKernels *kernels, int64_t n, int64_t k);
size_t pmt_packed_size (const PmtPacked *packed); /* the same in its form */
/* From and to w [n, k]. A weight packed in bf16 or int8 comes back rounded. */
void pmt_packed_fill (PmtPacked *packed, const float *w);
/* The same by panels of kernels->columns outputs each, which come in any order, from any thread: panel i from w's rows from i columns on. */
int64_t pmt_packed_panels (const PmtPacked *packed);
void pmt_packed_fill_panel (PmtPacked *packed, int64_t panel, const float *rows);
void pmt_packed_read (const PmtPacked *packed, float *w);
/* What products on the way back use: w's own kernels, and those of bf16 for int8. */
const PmtProductKernels *pmt_packed_back_kernels (const PmtPacked *w);
/* The weight of the product on the way back: from w [n, taps c] to t [c, taps n], packed by pmt_packed_back_kernels, with the taps of a
 * convolution in the opposite order (1 = a plain transpose). The values are w's own to the bit (int8: rounded
 * to bf16). Of a transformed weight it is the transformed one, of the same form. */
void pmt_packed_transpose (const PmtPacked *w, int64_t taps, PmtPacked *t);

typedef struct PmtProduct {
  const PmtPacked *w;
  int64_t m;          /* rows of x and y */
  const float *bias;  /* [n] or NULL */
  bool add;           /* to what y holds, in place of a bias */
  float *y;
  int64_t ldy;        /* row stride in values, at least as many as y has columns */
  /* NULL, or y [m, n / 2] = gate of [a | b], the halves of what would be y: no more than a part of a row of it ever exists. The same bytes as after a
   * product. Where pmt_product_gates says so, without `add`. */
  void (*gate) (const float *x, float *y, size_t rows, size_t c);
  /* Where the rows of x are: either x with its row stride, or a function that puts values [k0, k0 + count) of one row into `to`, already
   * converted (kernels->convert; the kernels are those it is given), for rows that exist nowhere (patches of a convolution). */
  const float *x;
  int64_t ldx;
  void (*row) (const void *user, const PmtProductKernels *kernels, int64_t row, int64_t k0, int64_t count, void *to);
  const void *user;
} PmtProduct;

/* Bytes of scratch memory that a product needs with the present number of threads: 64-byte aligned, contents undefined. */
size_t pmt_product_scratch (const PmtProductKernels *kernels);
/* Whether products with w can have a gate: halves of whole panels, and all of k at once in cache. */
bool pmt_product_gates (const PmtPacked *w);
/* On all threads of the pool, or on the calling one inside a parallel region. False when `cancel` stopped it. */
bool pmt_product (const PmtCancel *cancel, const PmtProduct *product, void *scratch);
