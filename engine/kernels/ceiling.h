/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What this machine can do at best, measured now: every other speed is worth its ratio to this, since clocks, neighbours and libraries
 * differ from one minute to the next. */
#pragma once

#include "engine/base/cancel.h"
#include "engine/kernels/kernels.h"

typedef struct PmtCeiling {
  double openblas;               /* GFLOP/s of the best f32 product of OpenBLAS */
  double tiles[PMT_PRECISIONS];  /* the same of packed products; 0 where the CPU's level has none */
  double dnnl[PMT_PRECISIONS];   /* the same of oneDNN; 0 where it is absent or has none */
  char dnnl_version[32];         /* "" where it is absent */
  double copy;                   /* GB/s, bytes read and written */
} PmtCeiling;

/* Measures five shapes of the networks with each kind of product, and, with `copy`, a copy of 100 MB, about two seconds on all threads of the pool; what
 * is faster than `ceiling` already says replaces it. Start with zeros and call it before and after what is to be compared. FALSE with
 * PMT_ERROR_MEMORY or PMT_ERROR_CANCELLED. */
gboolean pmt_ceiling_measure (PmtCeiling *ceiling, const PmtKernels *kernels, bool copy, const PmtCancel *cancel, GError **error);

/* The best product in a precision, of whichever kind. */
double pmt_ceiling_product (const PmtCeiling *ceiling, PmtPrecision precision);
