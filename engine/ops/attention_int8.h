/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attention's forward pass with products of bytes (PmtAttendInt8), where the CPU's level has them and the precision is int8. Private to engine/ops.
 *
 * Queries have a scale each, keys one per block of keys, after their mean over all keys is taken off (which adds the same to all logits of a query;
 * Zhang et al. 2024), values one per channel and block. A block's weights are relative to its own largest logit and rounded to 0..255, what each
 * query's sum is of, so that a large weight spoils small ones of its own block alone; blocks are summed in f32, relative to a maximum that is
 * raised where it must be (Milakov & Gimelshein 2018). A query's bytes depend on its own row alone, whatever the batch and the number of threads.
 * Within some 4e-2 of the largest result for keys of about one size: a key or a channel many times as large as the rest of its block makes the
 * block's scale coarser. */
#pragma once

#include "engine/ops/attention_parts.h"

/* Where it is worth it: without a causal mask (of prompts, which are short), heads of at most PMT_ATTEND_INT8_WIDEST channels, and so many keys
 * that quantising them is a small part. */
bool pmt_attention_int8_fits (const PmtOpCall *call);
size_t pmt_attention_int8_workspace (const PmtOpCall *call);
void pmt_attention_int8_forward (PmtOpCall *call);
