/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The packed weights of one network: a table from name to tensor, and the memory behind it.
 *
 * A network first declares every weight that its configuration asks for and keeps the handles; then all are loaded at once, so that the
 * memory is known in advance. The network asks for the tensor behind a handle each time it uses it (pmt_weight), which is where
 * another set of values can be put between name and tensor without the networks knowing. */
#pragma once

#include "engine/tensor/context.h"
#include "engine/weights/source.h"

typedef struct PmtWeightPool PmtWeightPool;

/* A handle; 0 is "no weight" (an absent bias), so zeroed structs are safe. */
typedef int32_t PmtWeightRef;
#define PMT_NO_WEIGHT ((PmtWeightRef) 0)

/* `label` (static string) names the network in messages. */
PmtWeightPool *pmt_weight_pool_new (const char *label);
void pmt_weight_pool_free (PmtWeightPool *pool); /* NULL is fine */

/* Adds a weight called "prefix.name" (prefix NULL or "": just name), of PyTorch shape `shape` and stored shape as `layout` says.
 * Not allowed after loading. */
PmtWeightRef pmt_weight_pool_declare (PmtWeightPool *pool, const char *prefix, const char *name, PmtWeightLayout layout,
                                      PmtShape shape);

/* Reads everything that was declared. `weights` is used during the call only. The first failure stops: a missing tensor, a wrong
 * shape (both named by the source), PMT_ERROR_MEMORY, PMT_ERROR_CANCELLED (polled between tensors). */
gboolean pmt_weight_pool_load (PmtWeightPool *pool, PmtWeights *weights, const PmtCancel *cancel, GError **error);
bool pmt_weight_pool_loaded (const PmtWeightPool *pool);

size_t pmt_weight_pool_bytes (const PmtWeightPool *pool); /* packed size of all that is declared, loaded or not */
int pmt_weight_pool_count (const PmtWeightPool *pool);    /* handles run from 1 to this */
const char *pmt_weight_pool_name (const PmtWeightPool *pool, PmtWeightRef ref);
PmtWeightRef pmt_weight_pool_find (const PmtWeightPool *pool, const char *name); /* PMT_NO_WEIGHT when there is none */

/* The tensor behind a handle; PMT_NO_TENSOR for PMT_NO_WEIGHT. A pool that was never loaded gives tensors with a shape and no usable
 * values, which is enough for a dry context and an internal error in any other. */
PmtTensor pmt_weight (PmtContext *ctx, const PmtWeightPool *pool, PmtWeightRef ref);
