/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a network lets others look in and change what flows. Networks call these and know nothing of samplers or methods.
 *
 * A site is asked first (`attn_wants`, `resid_wants`): where nobody wants anything, attention runs fused and nothing is stored. The
 * fused and the explicit path differ by rounding, so "equal to the plain run, to the bit" is tested against a run whose taps want
 * the same sites and change nothing.
 *
 * What a tap is shown lives in ctx->step and is gone when the block is done: copy what is to be kept. A dry context calls taps too, so
 * that their memory is counted: they use operations only, or look at values only when ctx->dry is false. */
#pragma once

#include "engine/tensor/context.h"

typedef enum { PMT_PLACE_DOWN, PMT_PLACE_MID, PMT_PLACE_UP } PmtPlace;

/* One attention of the UNet. */
typedef struct PmtAttnSite {
  int block;         /* transformer blocks counted in forward order, 0.. (SD 1.x: 0-15); its attn1 and attn2 share the number */
  PmtPlace place;
  int level;         /* index of the down or up block; 0 for mid */
  int layer, depth;  /* which Transformer2D of that level, which block inside it */
  bool cross;        /* attn2: keys and values from the context */
  int height, width; /* the grid of queries; height * width = T */
  int heads;
  const char *name;  /* "down_blocks.0.attentions.1.transformer_blocks.0.attn2" */
} PmtAttnSite;

/* Stages of one attention, in order; wants() returns a set of them. */
typedef enum {
  PMT_ATTN_QKV = 1 << 0,    /* q, k, v are projected: replace or extend any of them (k and v together may change S) */
  PMT_ATTN_LOGITS = 1 << 1, /* logits [N, heads, T, S], scaled by 1/sqrt(d): add biases, masks */
  PMT_ATTN_PROBS = 1 << 2,  /* probs [N, heads, T, S]: read, replace, reweight */
  PMT_ATTN_OUT = 1 << 3,    /* out [N, T, C] before to_out: add a second attention's output. Where source_q was given another T, out has it
                             * and the tap gives it back with that of the input */
  PMT_ATTN_AFTER = 1 << 4,  /* hidden [N, T, C] after to_out and the residual: insert a module */
  PMT_ATTN_SOURCES = 1 << 5 /* before all others: source_q, source_k, source_v, what they are projected from: change each of them */
} PmtAttnStage;

/* All rows of the site at once; row n belongs to row n of the UNet call. Fields are valid from their stage on. The tap may assign
 * new tensors of ctx to them (same shape unless said above). */
typedef struct PmtAttnCall {
  const PmtAttnSite *site;
  PmtTensor stream;  /* [N, T, C], what the attention is added to; read only */
  PmtTensor input;   /* the same, layer-normed; read only */
  PmtTensor context; /* [N, S, Cc] for cross, else PMT_NO_TENSOR; read only */
  PmtTensor source_q;           /* [N, T, C], the input; from SOURCES to QKV */
  PmtTensor source_k, source_v; /* [N, S, Cc], the context for cross, else the input; from SOURCES to QKV */
  PmtTensor q, k, v; /* [N, T, C], [N, S, C], [N, S, C] */
  PmtTensor logits, probs;
  PmtTensor out, hidden;
} PmtAttnCall;

/* Points of the residual stream. */
typedef enum {
  PMT_RESID_DOWN, /* after the last layer of down block `level`, before its skip is stored and before the downsampler (T2I-Adapter) */
  PMT_RESID_SKIP, /* skip number `index` (0 = conv_in's, in pushing order) as it is popped (ControlNet) */
  PMT_RESID_MID,  /* output of the mid block */
  PMT_RESID_UP,   /* output of up block `level`, after its upsampler */
  PMT_RESID_JOIN, /* the stream that skip number `index` is about to join, in an up layer of up block `level` */
  PMT_RESID_DOWNSAMPLED /* output of down block `level`'s downsampler, before it is stored as a skip (T2I-Adapter, where the block has no
                           attention); the last level has none */
} PmtResidKind;
#define PMT_N_RESID_KINDS 6

typedef struct PmtResidSite {
  PmtResidKind kind;
  int level; /* of the down or up block; SKIP, JOIN: of the up block that takes it; 0 for mid */
  int index; /* SKIP, JOIN: which skip; otherwise 0 */
} PmtResidSite;

typedef struct PmtTaps {
  void *user;
  unsigned (*attn_wants) (void *user, const PmtAttnSite *site);              /* set of PmtAttnStage; NULL = none */
  void (*attn) (void *user, PmtContext *ctx, PmtAttnStage stage, PmtAttnCall *call);
  bool (*resid_wants) (void *user, const PmtResidSite *site);                /* NULL = none */
  void (*resid) (void *user, PmtContext *ctx, const PmtResidSite *site, PmtTensor *x); /* *x [N, H, W, C]; may be replaced */
  /* Asked after each layer: true = all that was looked for has been seen, and the network stops there with PMT_NO_TENSOR for its
   * output and no error. NULL = it goes to its end. */
  bool (*seen) (void *user);
} PmtTaps;
