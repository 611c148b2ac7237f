/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sizes and naive parts that the attention operations share. Heads lie side by side in the last axis: a head of [rows, tokens, C] is a
 * matrix [tokens, d] with row stride C. Private to engine/ops. */
#pragma once

#include "engine/ops/help.h"

typedef struct PmtHeads {
  size_t rows, heads, t, s, d, c; /* t queries, s keys, c = heads d */
  bool causal;
  float factor;                   /* 1 / sqrt(d) */
  size_t block, blocks;           /* queries per block, blocks per head; fixed by t alone */
} PmtHeads;

/* From q and k (or a shape of each); the caller has checked them. */
PmtHeads pmt_heads (const PmtShape *q, const PmtShape *k, const PmtAttentionParams *p);

/* q [N, T, C] against k [N, S, C] with C divisible by heads; NULL or why not. */
const char *pmt_heads_misfit (const PmtShape *q, const PmtShape *k, const PmtAttentionParams *p);

/* Keys that query i may see. */
static inline size_t
pmt_heads_visible (const PmtHeads *h, size_t i)
{
  return h->causal ? MIN (i + 1, h->s) : h->s;
}
