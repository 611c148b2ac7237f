/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random inputs for an operation's cases, and runs of it in float and in double. */
#pragma once

#include "engine/kernels/kernels.h"
#include "engine/ops/op.h"

/* The level that PENTIMENTO_CPU or the machine chose; main() sets it. */
extern const PmtKernels *harness_kernels;

/* One case with data. Inputs are floats; `wide` holds the same values as doubles. */
typedef struct Sample {
  const PmtOp *op;
  const PmtOpCase *def;
  PmtShape shape[PMT_OP_MAX_INPUTS];
  float *data[PMT_OP_MAX_INPUTS];  /* owned; NULL where the input is absent */
  double *wide[PMT_OP_MAX_INPUTS]; /* owned */
} Sample;

/* rows > 0 replaces the batch size of the inputs that have one. */
Sample *sample_new (const PmtOp *op, const PmtOpCase *def, int64_t rows, uint64_t seed);
void sample_free (Sample *s);

/* A context over an arena of its own. */
PmtContext *harness_context (void);
void harness_context_free (PmtContext *ctx); /* checks that no error is left in it */

/* The case's inputs as tensors; absent ones are PMT_NO_TENSOR. */
void sample_tensors (const Sample *s, PmtTensor *in);
/* Forward in ctx; asserts that it worked. */
PmtTensor sample_run (const Sample *s, PmtContext *ctx);
/* The naive twin on `in` (s->wide, or a changed copy): a new array of the size of `out_shape`. */
double *sample_naive (const Sample *s, double *const *in, const PmtShape *out_shape);

/* max|a-b| / max|b| over the finite values of b; infinities must agree in place and sign (else the result is infinite). */
double relative_error (const float *a, const double *b, size_t n);

/* Repeatable normal values. */
typedef struct Random {
  uint64_t state;
} Random;
double random_normal (Random *r);
