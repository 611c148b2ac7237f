/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One network run with a clock at each of its operations, and what such a timing is compared with. */
#pragma once

#include "engine/kernels/ceiling.h"
#include "engine/sample/model.h"

/* Kinds of operations. */
enum { PMT_BENCH_CONV, PMT_BENCH_LINEAR, PMT_BENCH_ATTENTION, PMT_BENCH_NORM, PMT_BENCH_REST, PMT_BENCH_KINDS };
extern const char *const pmt_bench_kind_name[PMT_BENCH_KINDS];

enum { PMT_BENCH_UNET, PMT_BENCH_UNET_GRADIENT, PMT_BENCH_VAE_DECODE, PMT_BENCH_TEXT, PMT_BENCH_NETWORKS };
extern const char *const pmt_bench_network_name[PMT_BENCH_NETWORKS];

typedef struct PmtBenchPart {
  double seconds, flop, bytes;
  int calls;
} PmtBenchPart;

/* One network's fastest run. Seconds of a kind reach from the end of the operation before. */
typedef struct PmtBenchTiming {
  PmtBenchPart kind[PMT_BENCH_KINDS], all;
  size_t weights, activations; /* bytes */
  double ready;                /* seconds until the weights were read and packed, where they were not there before; else 0 */
  GArray *ops;                 /* PmtBenchOp (bench-ops.h); pmt_bench_close frees it */
} PmtBenchTiming;

typedef struct PmtBench {
  PmtModel *model;
  PmtContext ctx; /* pmt_bench_open sets it up */
  int width, height, rows, runs, ops;
  bool wanted[PMT_BENCH_NETWORKS];
  PmtBenchTiming timing[PMT_BENCH_NETWORKS];
  PmtCeiling ceiling;
  size_t peak; /* bytes of the process at most, before the last ceiling was measured: that takes memory of its own */
} PmtBench;

/* Kernels and memory for activations; close it after a failure too. */
gboolean pmt_bench_open (PmtBench *b, GError **error);
void pmt_bench_close (PmtBench *b); /* the model is its maker's */
/* What the machine can do in these seconds; the best of all calls stays. */
gboolean pmt_bench_measure_ceiling (PmtBench *b, GError **error);

/* The fastest of b->runs runs of a network into b->timing, with `warm` after one that is not timed: it loads the weights and touches the memory. */
gboolean pmt_bench_time (PmtBench *b, int network, bool warm, GError **error);

double pmt_bench_speed (const PmtBenchPart *part); /* GFLOP/s */
/* The best product of the precision that the network computes in: the UNet's is the model's. */
double pmt_bench_ceiling_of (const PmtBench *b, int network);
