/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Things that a prompt names: "a red circle" and "the blue house" of "a red circle left of the blue house". No parser: English prompts are
 * lists of such phrases with prepositions, conjunctions and a few verbs between, and those are known by heart here. */
#pragma once

#include "engine/text/prompt_tokens.h"

typedef struct PmtNounChunk {
  int first, n; /* words of the prompt */
} PmtNounChunk;

/* In order, without overlap; each has a word beside its article or number. g_array_unref it. */
GArray *pmt_noun_chunks (const PmtPromptTokens *tokens);
/* Its words with spaces between; g_free it. */
char *pmt_noun_chunk_text (const PmtPromptTokens *tokens, PmtNounChunk chunk);
