/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far what is faster is from f32 over whole runs: other precisions, and methods that leave work out. */
#pragma once

#include "engine/base/cancel.h"
#include "engine/sample/model.h"

typedef struct PmtErrorBench {
  const char *model;   /* as pmt_model_open takes it: it is opened once for each precision */
  const char *methods; /* ids with commas between, each against f32 without it; NULL = deepcache, token-merging and guidance-interval, "" = none */
  int width, height, steps, seeds;
  double guidance;
} PmtErrorBench;

/* Prints the table, or JSON: for each line the mean over seeds 1 to `seeds` of the relative distance of the latent from that of f32,
 * ||x - y|| / ||y||, and the PSNR of the picture (8 bits; ∞ is said to be 999). */
gboolean pmt_bench_error (const PmtErrorBench *bench, bool json, const PmtCancel *cancel, GError **error);
