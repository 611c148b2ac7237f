/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/ops/attention_parts.h"

#include <math.h>

enum { BLOCK = 256 };

PmtHeads
pmt_heads (const PmtShape *q, const PmtShape *k, const PmtAttentionParams *p)
{
  PmtHeads h = { .rows = (size_t) q->dim[0], .heads = (size_t) p->heads, .t = (size_t) q->dim[1],
                 .s = (size_t) k->dim[1], .c = (size_t) q->dim[2], .causal = p->causal };
  h.d = h.c / h.heads;
  h.factor = (float) (1.0 / sqrt ((double) h.d));
  h.block = CLAMP (h.t, 1, BLOCK);
  h.blocks = (h.t + h.block - 1) / h.block;
  return h;
}

const char *
pmt_heads_misfit (const PmtShape *q, const PmtShape *k, const PmtAttentionParams *p)
{
  if (q->rank != 3 || k->rank != 3)
    return "queries, keys and values are rows x tokens x width";
  if (q->dim[0] != k->dim[0] || q->dim[2] != k->dim[2])
    return "queries and keys differ in rows or width";
  if (p->heads < 1 || q->dim[2] < p->heads || q->dim[2] % p->heads != 0)
    return "the width does not divide into the heads";
  return k->dim[1] < 1 ? "there is no key" : NULL;
}
