/* SPDX-License-Identifier: GPL-3.0-or-later */
/* 3x3 convolutions with stride 1 by minimal filtering, F(2x2, 3x3) (Winograd 1980; Lavin & Gray 2015): a window of 4x4 positions gives 2x2 outputs
 * by 16 products in place of 36. And the same of a map that is first made twice as large (nearest neighbour): 3x3 positions of the map as it is
 * give 2x2 outputs by 9 products, since neighbours that are equal need only one between them.
 *
 * The weight is transformed when it is packed (packed.h: PmtPackedForm), in f32, and then rounded. Windows are transformed in f32 for a block of them
 * at a time, in cache, and rounded to the left side of the products, whose sums are f32: no transformed copy of a large map ever exists. In bf16 and
 * int8 the sums of windows and weights lose some 4 dB against a convolution that rounds maps and weights themselves; in f32 the error is some 1e-6. In
 * int8 what a window gives of a product is quantised by blocks of at most PMT_WINOGRAD_BLOCK inputs, and so are weights (product_int8.h).
 *
 * Every value of y depends on the values of its own window only, and on neither the number of maps nor of threads, to the bit. What is no number in
 * a map makes no number of the outputs whose 3x3 windows hold it, and infinity as well. */
#pragma once

#include "engine/kernels/packed.h"

typedef struct PmtWinograd {
  const PmtPacked *w;  /* n outputs of k / 9 inputs; not PMT_PACKED_ROWS */
  const float *x;      /* [rows, h, width, k / 9] */
  int64_t rows, h, width;
  int64_t pad_top, pad_left; /* zeros; 1 each for PMT_WINOGRAD_TWICE, where the larger map may lack its last row and column (oh, ow say so) */
  PmtWinogradKind kind;      /* as w's form; PMT_WINOGRAD_HALF goes with the turned PMT_PACKED_TWICE */
  const float *bias;   /* [n] or NULL */
  bool add;            /* to what y holds */
  float *y;            /* [rows, oh, ow, n] */
  int64_t oh, ow;
} PmtWinograd;

/* Bytes of scratch memory with the present number of threads: 64-byte aligned, contents undefined. */
size_t pmt_winograd_scratch (const PmtWinograd *call);
/* On all threads of the pool, or on the calling one inside a parallel region. False when `cancel` stopped it. */
bool pmt_winograd (const PmtCancel *cancel, const PmtWinograd *call, void *scratch);

/* What packed.h does for these forms; of a weight [n, 3, 3, c]. What is read back is what the transformed weight stands for, which rounding of its sums
 * makes a little less than the rounded weight (f32: to 3 ulp of the largest beside it). */
size_t pmt_winograd_bytes (const PmtPacked *packed);
void pmt_winograd_fill_panel (PmtPacked *packed, int64_t panel, const float *rows);
void pmt_winograd_read (const PmtPacked *packed, float *w);
/* t [c, 3, 3, n] of w [n, 3, 3, c], with the taps in the opposite order: the same values in other places, to the bit (int8: rounded to bf16). */
void pmt_winograd_turn (const PmtPacked *w, PmtPacked *t);
