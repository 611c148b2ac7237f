/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is learned: tensors that outlive tapes. Their gradients add up over as many passes as are run until they are cleared, also out of parts
 * that a tape runs again (tape.h), and wherever in a network they are used.
 *
 *   ctx.parameters = p;
 *   x = pmt_parameters_add (p, "word", shape, 0, &error);       zeros; the caller writes its first values
 *   ctx.tape = pmt_tape_new (); …operations of ctx with x… pmt_tape_backward (&ctx, loss, seed); pmt_tape_free (…)
 *   pmt_parameters_gradient (p, x)                              x's own shape
 *
 * They are f32 and unpacked. While values are used by a recorded call they must not change before its backward has run. */
#pragma once

#include <glib.h>

#include "engine/tensor/tensor.h"

typedef struct PmtParameters PmtParameters;

/* `limit`: bytes for all that is added, 4 floats for each value and 256 bytes for each parameter; 0 = any, for dry runs, in which nothing is
 * touched. NULL + PMT_ERROR_MEMORY. */
PmtParameters *pmt_parameters_new (size_t limit, GError **error);
size_t pmt_parameters_bytes (const PmtParameters *parameters); /* taken so far */
void pmt_parameters_free (PmtParameters *parameters); /* NULL is fine */

/* A further one, zeros, with a gradient and two moments of zeros; `name` is copied, `group` is the caller's (which learning rate it has). PMT_NO_TENSOR +
 * PMT_ERROR_MEMORY. */
PmtTensor pmt_parameters_add (PmtParameters *parameters, const char *name, PmtShape shape, int group, GError **error);

int pmt_parameters_count (const PmtParameters *parameters);
const char *pmt_parameters_name (const PmtParameters *parameters, int i);
int pmt_parameters_group (const PmtParameters *parameters, int i);
PmtTensor pmt_parameters_value (const PmtParameters *parameters, int i);
/* The optimiser's: k 0 or 1, as many floats as values. */
float *pmt_parameters_moment (const PmtParameters *parameters, int i, int k);
int64_t pmt_parameters_size (const PmtParameters *parameters); /* values of all */

/* Where the gradient of `t` adds up: a parameter, or a view or rows of one. */
PmtTensor pmt_parameters_gradient (const PmtParameters *parameters, PmtTensor t);
void pmt_parameters_clear_gradients (PmtParameters *parameters);
/* All gradients times `factor`; the root of their squares' sum. */
void pmt_parameters_scale_gradients (PmtParameters *parameters, float factor);
double pmt_parameters_gradient_norm (const PmtParameters *parameters);
