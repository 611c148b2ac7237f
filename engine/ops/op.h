/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An operation is declared once: shape rule, forward, backward, a naive double-precision twin, and its test cases, in one struct in
 * one file (engine/ops/NAME.c: `const PmtOp pmt_op_NAME`), plus one line in engine/ops/meson.build.
 *
 * From `cases` the harness in tests/ops proves for every op: each CPU level equals portable C within `tolerance`; forward equals
 * the naive twin; backward equals directional finite differences of the naive twin; one to four rows in a batch give, to the bit,
 * the rows they give alone. */
#pragma once

#include "engine/tensor/context.h"

#define PMT_OP_MAX_INPUTS 8

/* One call of an operation. Absent optional inputs are PMT_NO_TENSOR. */
typedef struct PmtOpCall {
  PmtContext *ctx;
  int n_in;
  PmtTensor in[PMT_OP_MAX_INPUTS];
  const void *params; /* the op's own struct, e.g. PmtConv2dParams */
  PmtTensor out;      /* allocated before forward */
  void *workspace;    /* workspace() bytes, 64-byte aligned, contents undefined */
} PmtOpCall;

/* What backward is given beside the call: d loss / d out, and for each input a place to ADD its gradient, or PMT_NO_TENSOR where none
 * is wanted. */
typedef struct PmtOpGrad {
  PmtTensor out;
  PmtTensor in[PMT_OP_MAX_INPUTS];
} PmtOpGrad;

/* The naive twin's view of a call: doubles, same shapes. */
typedef struct PmtOpNaive {
  int n_in;
  const double *in[PMT_OP_MAX_INPUTS]; /* NULL = absent */
  PmtShape in_shape[PMT_OP_MAX_INPUTS];
  const void *params;
  double *out;
  PmtShape out_shape;
} PmtOpNaive;

typedef struct PmtOpCase {
  const char *name;
  int n_in;
  PmtShape in[PMT_OP_MAX_INPUTS]; /* rank 0 = input absent */
  const void *params;
  unsigned rowwise; /* bit i set: input i has the batch on its first axis (the others are shared weights) */
  float scale[PMT_OP_MAX_INPUTS]; /* standard deviation of random inputs; 0 means 1 */
} PmtOpCase;

typedef struct PmtOp {
  const char *id;
  int min_in, max_in;
  /* Fills out_shape from call->in and call->params, or sets a PMT_ERROR_INPUT that names the shapes. */
  gboolean (*shape) (const PmtOpCall *call, PmtShape *out_shape, GError **error);
  size_t (*workspace) (const PmtOpCall *call);          /* NULL = none */
  double (*flops) (const PmtOpCall *call);              /* NULL = one per output value */
  double (*bytes) (const PmtOpCall *call);              /* that have to be read and written; NULL = all inputs and the output, each once */
  void (*forward) (PmtOpCall *call);                    /* may fail only by pmt_context_fail (cancel) */
  void (*naive) (const PmtOpNaive *call);
  /* call->workspace is backward_workspace() bytes here. */
  void (*backward) (PmtOpCall *call, PmtOpGrad *grad);  /* NULL = not differentiable: recording it on a tape is refused */
  const PmtOpCase *cases;
  size_t n_cases;
  double tolerance; /* forward against naive: max|a-b| / max|b| */
  size_t (*backward_workspace) (const PmtOpCall *call); /* NULL = none */
  unsigned packed;    /* bit i set: input i may be a packed weight */
  unsigned over;      /* bit i set: the output may take input i's memory, where both have the same shape */
  size_t params_size; /* bytes of the params struct, so that a tape can keep a copy; 0 when the op has none */
} PmtOp;

/* Runs an operation: checks shapes, allocates output and workspace from ctx->step, polls cancel, counts flops and bytes, records on the tape.
 * Returns PMT_NO_TENSOR if ctx has failed or fails. */
PmtTensor pmt_op_run (PmtContext *ctx, const PmtOp *op, const PmtTensor *in, int n_in, const void *params);
/* The same with the result in the memory of `place`, whose values nobody needs any more: a tensor at least as large that is none of the
 * inputs, or one of op->over. PMT_NO_TENSOR gives new memory; so does a context with a tape, which needs everything. */
PmtTensor pmt_op_run_over (PmtContext *ctx, const PmtOp *op, PmtTensor place, const PmtTensor *in, int n_in, const void *params);

/* All operations, from the build's list; NULL-terminated. */
extern const PmtOp *const pmt_ops[];
