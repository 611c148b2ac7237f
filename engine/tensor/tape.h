/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reverse-mode differentiation (Linnainmaa 1970) over what ran: every recorded call knows its inputs, its output and how to turn
 * the output's gradient into theirs.
 *
 *   ctx.tape = pmt_tape_new ();
 *   x = pmt_tape_leaf (ctx.tape, x);                  what to differentiate by
 *   loss = …operations of ctx on x…
 *   pmt_tape_backward (&ctx, loss, seed);             seed = d/d loss, or PMT_NO_TENSOR for ones
 *   g = pmt_tape_gradient (ctx.tape, x);
 *
 * While ctx.tape is set nothing recorded may be released from ctx.step or written to. Gradients are allocated from ctx.step too, so
 * one mark before and one release after frees all of it. Calls none of whose inputs depends on a leaf are not recorded. Views and
 * row ranges of a recorded tensor share its node. */
#pragma once

#include "engine/tensor/context.h"

#define PMT_TAPE_MAX_INPUTS 8

typedef struct PmtTape PmtTape;
typedef struct PmtTapeEntry PmtTapeEntry;

/* Adds to in_grad[i] (where it is a tensor, of in[i]'s shape) the gradient that out_grad (out's shape) means for input i. */
typedef void (*PmtTapeBackward) (PmtContext *ctx, const PmtTapeEntry *entry, PmtTensor out_grad, const PmtTensor *in_grad);

struct PmtTapeEntry {
  PmtTapeBackward backward;
  const void *what; /* whatever `backward` wants to know; borrowed */
  int n_in;
  PmtTensor in[PMT_TAPE_MAX_INPUTS];
  PmtTensor out;
  void *params; /* the tape's own copy */
};

PmtTape *pmt_tape_new (void);
void pmt_tape_free (PmtTape *tape); /* NULL is fine */

/* The same tensor, marked as one to differentiate by. */
PmtTensor pmt_tape_leaf (PmtTape *tape, PmtTensor t);

/* Records a call and returns the node for its output, 0 when no input depends on a leaf. `params` (params_size bytes, 0 for none) is
 * copied. */
int32_t pmt_tape_record (PmtTape *tape, const PmtTapeEntry *entry, const void *params, size_t params_size);
/* out = in, at another place. */
int32_t pmt_tape_record_copy (PmtTape *tape, PmtTensor in, PmtTensor out);

/* Runs backward from `of`. `seed` has its shape; PMT_NO_TENSOR stands for ones. Errors go to ctx (memory, cancel, an `of` that depends
 * on no leaf). Gradients of an earlier call are forgotten. */
void pmt_tape_backward (PmtContext *ctx, PmtTensor of, PmtTensor seed);

/* The gradient at a leaf or any recorded tensor after pmt_tape_backward; shaped as `t`. PMT_NO_TENSOR where none arrived. */
PmtTensor pmt_tape_gradient (const PmtTape *tape, PmtTensor t);
