/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attention's forward pass over the tiles of packed products (kernels/packed.h), where the CPU's level has them. Private to engine/ops.
 *
 * Everything is transposed: the logits of a block of keys are K Q^T, a query in each column, so that softmax works on whole registers, and
 * their exponentials are a packed right side just as they lie; V^T times them is the result, transposed. So heads of any width fill the
 * tiles. Between blocks of keys the running maximum and sum of Milakov & Gimelshein (2018) keep softmax exact.
 *
 * In bf16 one pass makes a tile's logits and turns those of the tile before into exponentials (kernels/weigh.h), relative to the largest logit of
 * a panel's first keys, which no running maximum has to follow: only where weights outgrow 2^60, or logits 2^16, is a step done again the other
 * way. Queries, keys, exponentials and values are rounded before they are multiplied; sums are f32: within 1e-2 of the largest result for
 * keys of about one size. A query's bytes depend on its own row alone, whatever the batch and the number of threads. */
#pragma once

#include "engine/ops/attention_parts.h"

/* Whether this level has tiles for the precision. Those of int8 are those of bf16: what attention_int8.c leaves. */
bool pmt_attention_tiles_exist (const PmtKernels *kernels, PmtPrecision precision);
size_t pmt_attention_tiles_workspace (const PmtOpCall *call);
void pmt_attention_tiles_forward (PmtOpCall *call);
