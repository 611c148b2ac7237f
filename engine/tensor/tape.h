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
 * row ranges of a recorded tensor share its node. Tensors of ctx->parameters (parameters.h) are leaves of every tape. */
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

/* The same from several values at once: of sum_i <of[i], seeds[i]>. Every of[i] depends on a leaf, and every seed is a tensor. */
void pmt_tape_backward_several (PmtContext *ctx, const PmtTensor *of, const PmtTensor *seeds, int n);

/* The gradient at a leaf or any recorded tensor after pmt_tape_backward; shaped as `t`. PMT_NO_TENSOR where none arrived. */
PmtTensor pmt_tape_gradient (const PmtTape *tape, PmtTensor t);

/* A part of a network that is run again when its gradient is asked for, in place of keeping what it made on the way (Chen et al. 2016,
 * "sublinear memory cost"). `params` is the part's own struct, copied; in[n_in] are its inputs. It must give the same bytes each time,
 * and nothing else that it uses may depend on a leaf; ctx->parameters may be used inside. */
typedef PmtTensor (*PmtTapePart) (PmtContext *ctx, const void *params, const PmtTensor *in);

/* Runs the part: as it is without a tape, and as one entry of the tape with one. It is run again with the weight set of now. */
PmtTensor pmt_tape_checkpoint (PmtContext *ctx, PmtTapePart part, const void *params, size_t params_size, const PmtTensor *in, int n_in);
