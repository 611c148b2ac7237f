/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One axis of a separable resampling: which source values make a destination value, and how much each of them weighs. */
#pragma once

#include "engine/image/resize.h"

/* Destination i is the sum over k < count[i] of weight[i * width + k] times source[first[i] + k]. */
typedef struct PmtResizeAxis {
  int n, width;   /* destination values; most source values of one of them */
  int *first, *count;
  float *weight;
  gboolean same;  /* both lengths are equal: values pass unchanged */
} PmtResizeAxis;

/* From `from` to `to` values, both at least 1; clear it, on failure too (PMT_ERROR_MEMORY). AUTO is BOX where it shrinks and LANCZOS where it
 * grows. */
gboolean pmt_resize_axis_init (PmtResizeAxis *axis, PmtFilter filter, int from, int to, GError **error);
void pmt_resize_axis_clear (PmtResizeAxis *axis);
