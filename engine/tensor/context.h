/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every operation is given: memory, kernels, the cancel flag, and the first thing that went wrong.
 *
 * Errors are sticky. When an operation fails (memory, cancel, a shape that does not fit) it stores the error here and returns
 * PMT_NO_TENSOR; every later operation sees the error and returns at once. So network code reads like the paper, and the caller
 * checks once, with pmt_context_take_error(), at the end of a forward pass. */
#pragma once

#include <glib.h>

#include "engine/base/arena.h"
#include "engine/base/cancel.h"
#include "engine/base/error.h"
#include "engine/tensor/tensor.h"

struct PmtKernels;
struct PmtParameters;
struct PmtTape;

typedef struct PmtContext {
  PmtArena *step;                   /* activations; not owned */
  const struct PmtKernels *kernels; /* one CPU level's functions; not owned */
  const PmtCancel *cancel;          /* may be NULL */
  struct PmtTape *tape;             /* NULL unless differentiating; not owned */
  struct PmtParameters *parameters; /* what is learned, where networks use such (tensor/parameters.h); mostly NULL; not owned */
  GError *error;                    /* owned; the first failure */
  bool dry;                         /* allocate and count, compute nothing: gives peak and cost of a job in advance */
  double flops;                     /* 2 per multiply-add, of all operations run through this context */
  double bytes;                     /* that the same operations have to read and write */
  int weight_set;                   /* which values networks compute with, 0 = as loaded (nets/weight_pool.h) */
  /* Called after every operation when set: progress inside long passes. */
  void (*on_op) (void *user, const struct PmtContext *ctx);
  void *on_op_user;
  const char *op; /* id of the operation that on_op is called after, "move" for a frame's; static string */
  PmtShape op_shape; /* of its result */
} PmtContext;

static inline bool
pmt_context_failed (const PmtContext *ctx)
{
  return ctx->error != NULL;
}

/* Stores an error unless one is there already; printf-style. */
void pmt_context_fail (PmtContext *ctx, PmtError code, const char *format, ...) G_GNUC_PRINTF (3, 4);
/* True and moves the stored error (if any) to `error`; the context is usable again. False when there is none. */
gboolean pmt_context_take_error (PmtContext *ctx, GError **error);
/* True when the job should stop; stores PMT_ERROR_CANCELLED. */
bool pmt_context_poll (PmtContext *ctx);

/* Uninitialised tensor in ctx->step; PMT_NO_TENSOR after an error. */
PmtTensor pmt_tensor_new (PmtContext *ctx, PmtShape shape);
PmtTensor pmt_tensor_zeros (PmtContext *ctx, PmtShape shape);
PmtTensor pmt_tensor_copy (PmtContext *ctx, PmtTensor t);
/* A place for a larger result that shall begin where t does, t being what was made last: t's memory and more behind it. t itself stays what it is.
 * Where something was made since, a new tensor. PMT_NO_TENSOR with a tape, whose results take no places. */
PmtTensor pmt_tensor_grow (PmtContext *ctx, PmtTensor t, PmtShape shape);

/* Frames: temporaries of a block. pmt_frame_close releases all that was allocated since pmt_frame_open except `keep`, which is moved
 * down to the frame's start (one copy, cheap beside the block that made it). With a tape nothing is released: backward needs it. */
typedef struct PmtFrame {
  PmtArenaMark mark;
} PmtFrame;
PmtFrame pmt_frame_open (PmtContext *ctx);
PmtTensor pmt_frame_close (PmtContext *ctx, PmtFrame frame, PmtTensor keep); /* keep may be PMT_NO_TENSOR */
/* The same with several to keep, all made since the frame was opened and in the order of keep; false, with keep cleared, after an
 * error. */
bool pmt_frame_close_several (PmtContext *ctx, PmtFrame frame, PmtTensor *keep, int n);
