/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The packed weights of one network: a table from name to tensor, and the memory behind it.
 *
 * A network first declares every weight that its configuration asks for and keeps the handles; then all are loaded at once, so that the
 * memory is known in advance. The network asks for the tensor behind a handle each time it uses it (pmt_weight), which is where
 * another set of values can be put between name and tensor without the networks knowing.
 *
 * Weight sets: set 0 is what was loaded. An overlay holds other values for some of the weights; put in as set 1..PMT_WEIGHT_SETS it is
 * what networks compute with while ctx->weight_set says so, over the loaded values for all other weights. Loaded values never change,
 * so taking an overlay out gives them back to the bit. */
#pragma once

#include "engine/kernels/kernels.h"
#include "engine/ops/ops.h"
#include "engine/tensor/context.h"
#include "engine/weights/source.h"

typedef struct PmtWeightPool PmtWeightPool;

/* A handle; 0 is "no weight" (an absent bias), so zeroed structs are safe. */
typedef int32_t PmtWeightRef;
#define PMT_NO_WEIGHT ((PmtWeightRef) 0)

/* `label` (static string) names the network in messages; `precision` is what its products compute in. Products' weights are packed for
 * them where this CPU's level has kernels for that precision (kernels/packed.h), which bf16 needs (pmt_precision_check). */
PmtWeightPool *pmt_weight_pool_new (const char *label, PmtPrecision precision);
PmtPrecision pmt_weight_pool_precision (const PmtWeightPool *pool);
/* Another precision for a pool that holds no values, declared weights included. */
void pmt_weight_pool_set_precision (PmtWeightPool *pool, PmtPrecision precision);
void pmt_weight_pool_free (PmtWeightPool *pool); /* NULL is fine */

/* Adds a weight called "prefix.name" (prefix NULL or "": just name), of PyTorch shape `shape` and stored shape as `layout` says.
 * Not allowed after loading. */
PmtWeightRef pmt_weight_pool_declare (PmtWeightPool *pool, const char *prefix, const char *name, PmtWeightLayout layout,
                                      PmtShape shape);

/* The same for a weight that is only ever the second input of pmt_linear or pmt_conv2d. */
PmtWeightRef pmt_weight_pool_declare_product (PmtWeightPool *pool, const char *prefix, const char *name, PmtWeightLayout layout,
                                              PmtShape shape);

/* The same for one of pmt_conv2d that is only used with these parameters: shape [out, in, height, width]. They and its size decide how it is packed: 3x3
 * kernels with stride 1 for minimal filtering (kernels/winograd.h) where that is worth its memory. */
PmtWeightRef pmt_weight_pool_declare_conv (PmtWeightPool *pool, const char *prefix, const char *name, PmtShape shape, PmtConv2dParams params);

/* Reads everything that was declared. `weights` is used during the call only. The first failure stops: a missing tensor, a wrong
 * shape (both named by the source), PMT_ERROR_MEMORY, PMT_ERROR_CANCELLED (polled between tensors). */
gboolean pmt_weight_pool_load (PmtWeightPool *pool, PmtWeights *weights, const PmtCancel *cancel, GError **error);
bool pmt_weight_pool_loaded (const PmtWeightPool *pool);
/* Lets the memory go; handles and weight sets stay, and the pool may be loaded again. */
void pmt_weight_pool_unload (PmtWeightPool *pool);

size_t pmt_weight_pool_bytes (const PmtWeightPool *pool); /* packed size of all that is declared, loaded or not */
int64_t pmt_weight_pool_values (const PmtWeightPool *pool); /* parameters of all that is declared */
int pmt_weight_pool_count (const PmtWeightPool *pool);    /* handles run from 1 to this */
const char *pmt_weight_pool_name (const PmtWeightPool *pool, PmtWeightRef ref);
PmtWeightRef pmt_weight_pool_find (const PmtWeightPool *pool, const char *name); /* PMT_NO_WEIGHT when there is none */

/* How a weight was declared: its PyTorch shape, and how the packed tensor lies. */
PmtShape pmt_weight_pool_shape (const PmtWeightPool *pool, PmtWeightRef ref, PmtWeightLayout *layout);
/* Copies a loaded weight's values as f32, in the order of its layout (rounded, if products in a lower precision read it). */
void pmt_weight_pool_read (const PmtWeightPool *pool, PmtWeightRef ref, float *values);

#define PMT_WEIGHT_SETS 8

typedef struct PmtOverlay PmtOverlay;

/* Room for other values of the weights `refs` [n], each of them once, packed as the pool's own; they are not initialised. Owned by the
 * caller, and to be taken out of the pool before it goes. PMT_ERROR_MEMORY. */
PmtOverlay *pmt_overlay_new (const PmtWeightPool *pool, const PmtWeightRef *refs, int n, GError **error);
void pmt_overlay_free (PmtOverlay *overlay); /* NULL is fine */
/* What pmt_overlay_new takes, from a pool that need not be loaded. */
size_t pmt_overlay_bytes (const PmtWeightPool *pool, const PmtWeightRef *refs, int n);
/* Sets the values for `ref`, one of the overlay's, from f32 in the order of the layout. Each has to be written before use. */
void pmt_overlay_write (PmtOverlay *overlay, PmtWeightRef ref, const float *values);
/* Puts an overlay of this pool in as weight set `set`, 1..PMT_WEIGHT_SETS; NULL takes out what is there. */
void pmt_weight_pool_use (PmtWeightPool *pool, int set, const PmtOverlay *overlay);

/* A product of two small matrices that is added to a linear layer's weight without being added up (Hu et al. 2021): the layer gives
 * W x + b + scale up (down x). */
typedef struct PmtLowRank {
  PmtTensor down; /* [rank, in] */
  PmtTensor up;   /* [out, rank] */
  float scale;
} PmtLowRank;

/* Puts one beside a weight that is only ever used as a dense layer's (layers.h); NULL takes it out. It is copied, its tensors belong to the
 * caller. It is used in every weight set. */
void pmt_weight_pool_add_low_rank (PmtWeightPool *pool, PmtWeightRef ref, const PmtLowRank *low_rank);
/* NULL where there is none. */
const PmtLowRank *pmt_weight_low_rank (const PmtWeightPool *pool, PmtWeightRef ref);

/* The tensor behind a handle, in the set that ctx->weight_set says; PMT_NO_TENSOR for PMT_NO_WEIGHT. A pool that was never loaded gives tensors with a shape and no usable
 * values, which is enough for a dry context and an internal error in any other. */
PmtTensor pmt_weight (PmtContext *ctx, const PmtWeightPool *pool, PmtWeightRef ref);
