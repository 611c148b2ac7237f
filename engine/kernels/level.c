/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One level's table. The build compiles this file once per level, with that level's -march and with
 *   PMT_LEVEL_TABLE  the table's symbol (pmt_kernels_v3, …)
 *   PMT_LEVEL        its PmtCpuLevel. */
#include "engine/kernels/kernels.h"

#include "engine/kernels/attend.h"
#include "engine/kernels/attend_int8.h"
#include "engine/kernels/pointwise.h"
#include "engine/kernels/product.h"
#include "engine/kernels/product_int8.h"
#include "engine/kernels/reduce.h"
#include "engine/kernels/widen.h"

extern const PmtKernels PMT_LEVEL_TABLE;

const PmtKernels PMT_LEVEL_TABLE = {
  .level = PMT_LEVEL,
  .exp = exp_run,
  .silu = silu,
  .gelu = gelu,
  .quick_gelu = quick_gelu,
  .silu_grad = silu_grad,
  .gelu_grad = gelu_grad,
  .quick_gelu_grad = quick_gelu_grad,
  .geglu = geglu,
  .geglu_grad = geglu_grad,
  .add = add,
  .scale = scale,
  .axpy = axpy,
  .mul_add = mul_add,
  .add_row = add_row,
  .column_sum = column_sum,
  .column_square = column_square,
  .column_moments = column_moments,
  .column_dot = column_dot,
  .normalize = normalize,
  .layer_norm = layer_norm,
  .row_moments = row_moments,
  .max = max_run,
  .exp_sum = exp_sum,
  .softmax = softmax,
  .dot = dot,
  .widen_f16 = widen_f16,
#ifdef PMT_HAVE_PRODUCTS
  .product[PMT_PRECISION_F32] = &product_f32,
  .attend[PMT_PRECISION_F32] = &attend_kernels_f32,
#endif
#ifdef PMT_HAVE_PRODUCTS_BF16
  .product[PMT_PRECISION_BF16] = &product_bf16,
  .attend[PMT_PRECISION_BF16] = &attend_kernels_bf16,
#endif
#ifdef PMT_HAVE_PRODUCTS_INT8
  .product[PMT_PRECISION_INT8] = &product_int8,
#endif
#ifdef PMT_HAVE_ATTEND_INT8
  .attend_int8 = &attend_int8,
#endif
};
