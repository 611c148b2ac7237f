/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Weights on their way from a file into the form that products read, some at a time: threads share the panels of all that is in a batch, and
 * each takes its panels from the stored type through f32 values in its cache to the packed ones, so that memory is gone through once. */
#pragma once

#include "engine/kernels/packed.h"
#include "engine/weights/source.h"

typedef struct PmtWeightBatch PmtWeightBatch;

/* `most` is the largest room (pmt_weight_batch_room) that a weight of the batches will ask for, in values. PMT_ERROR_MEMORY. */
PmtWeightBatch *pmt_weight_batch_new (size_t most, GError **error);
void pmt_weight_batch_free (PmtWeightBatch *batch); /* NULL is fine */

/* Room for a weight of such a shape; kernels NULL: not packed. */
size_t pmt_weight_batch_room (const PmtProductKernels *kernels, int rank, const int64_t *dim);

/* Adds a weight; its values go to packed, or where that has no kernels to `plain`. Both, and what the span points to, stay where they are until the batch
 * has run. */
void pmt_weight_batch_add (PmtWeightBatch *batch, const PmtWeightSpan *span, PmtWeightLayout layout, PmtPacked *packed, float *plain);
/* Values of all that was added since the last run. */
size_t pmt_weight_batch_values (const PmtWeightBatch *batch);
/* Reads and packs all that was added, and forgets it. False when `cancel` stopped it. */
bool pmt_weight_batch_run (PmtWeightBatch *batch, const PmtCancel *cancel);
