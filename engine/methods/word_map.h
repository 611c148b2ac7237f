/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which place of one prompt answers to which place of another, for prompt-to-prompt (Hertz et al. 2022): pure index work on tokens. */
#pragma once

#include "engine/text/prompt_tokens.h"

typedef enum {
  PMT_WORD_MAP_SWAP,  /* word k of one is word k of the other; both have as many words */
  PMT_WORD_MAP_REFINE /* the words that both have, in order; others of the target are its own */
} PmtWordMapMode;

/* Column j of the target's cross-attention: the sum of weight[i] times column from[i] of the source's, over i in [begin[j], begin[j + 1]);
 * empty = its own. Columns are rows of the context: chunk * length + position. */
typedef struct PmtWordMap {
  int n;      /* columns */
  int *begin; /* [n + 1] */
  int *from;
  float *weight;
} PmtWordMap;

/* Both prompts have as many chunks and the same length. Ends answer to ends and padding to padding: padding keeps its place, except where
 * the source still has words. SWAP: n tokens for m are one each where n = m, else the source's, added up, 1/m of it for each of the
 * target's. REFINE: the longest common subsequence of token ids (global alignment with gap 0, match 1, mismatch -1). */
void pmt_word_map_init (PmtWordMap *map, PmtWordMapMode mode, const PmtPromptTokens *source, const PmtPromptTokens *target);
void pmt_word_map_clear (PmtWordMap *map);
