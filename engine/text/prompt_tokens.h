/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A prompt as the text encoder gets it: chunks of equal length, a weight for each position, and where each word went.
 *
 * Every part of the parsed prompt is tokenized alone. A chunk is BOS, up to length - 2 tokens, EOS, padding; a long prompt takes several
 * chunks, which are encoded one by one and joined on the token axis. When a chunk is full and one of its last 20 tokens is a comma, what
 * follows the comma moves to the next chunk (AUTOMATIC1111's comma_padding_backtrack); BREAK ends a chunk. A learned word of n vectors
 * takes n positions, of one chunk. */
#pragma once

#include "engine/text/clip_bpe.h"
#include "engine/text/prompt_syntax.h"

#define PMT_PROMPT_MAX_CHUNKS 32

typedef enum {
  PMT_LONG_CHUNKS,   /* as above; tokens beyond PMT_PROMPT_MAX_CHUNKS chunks are cut */
  PMT_LONG_TRUNCATE  /* one chunk, the rest is cut, as diffusers does; BREAK only parts words */
} PmtLongPrompt;

/* A learned word (textual inversion). It is found in the text as it stands, whatever its case, where neither side continues a word; the
 * longest wins. */
typedef struct PmtTrigger {
  const char *word; /* not empty, UTF-8 */
  int vectors;      /* at least 1 */
} PmtTrigger;

typedef struct PmtPromptVocabulary {
  const PmtTokenizer *tokenizer;
  int length;              /* of a chunk, ends included: 77 */
  const PmtTrigger *triggers; /* their vectors have ids first_row, first_row + 1, …, in this order */
  int n_triggers;
  int first_row;           /* ids that the text encoder has of its own */
} PmtPromptVocabulary;

typedef struct PmtPromptToken {
  int id;
  float weight;
  int word;      /* index in PmtPromptTokens.word */
  int chunk, at; /* position `at` (1 .. length - 2) of the chunk's sequence; chunk -1 = cut */
} PmtPromptToken;

/* A run of letters, one digit, a run of other signs, or a learned word. */
typedef struct PmtPromptWord {
  char *text;     /* as it was cleaned: lower case */
  int begin, end; /* its bytes in the prompt as it was given, or of the run of non-spaces around it where cleaning changed lengths */
  int first, n;   /* its tokens */
  int trigger;    /* index of the learned word; -1 = none */
} PmtPromptWord;

typedef struct PmtPromptTokens {
  PmtPromptToken *token; /* in order, without ends and padding */
  int n_tokens;
  PmtPromptWord *word;
  int n_words;
  int n_chunks, length;
  int *ids;       /* [n_chunks, length] */
  float *weights; /* [n_chunks, length]; 1 on ends and padding */
  bool weighted;  /* some weight is not 1 */
  int cut;        /* tokens without a place */
} PmtPromptTokens;

/* FALSE + PMT_ERROR_INPUT for a learned word with more vectors than a chunk has room, with *tokens cleared. */
gboolean pmt_prompt_tokens_init (PmtPromptTokens *tokens, const PmtPrompt *prompt, const PmtPromptVocabulary *vocabulary,
                                 PmtLongPrompt mode, GError **error);
void pmt_prompt_tokens_clear (PmtPromptTokens *tokens);

/* Adds chunks of the empty prompt until there are n_chunks, so that two prompts are equally long. */
void pmt_prompt_tokens_extend (PmtPromptTokens *tokens, const PmtPromptVocabulary *vocabulary, int n_chunks);

/* Consecutive positions [begin, end) of one chunk's sequence; in a context, rows chunk * length + begin and on. */
typedef struct PmtPromptSpan {
  int chunk, begin, end;
} PmtPromptSpan;

/* Where words [first, first + n) went; the array may be empty (cut). g_array_unref it. */
GArray *pmt_prompt_word_spans (const PmtPromptTokens *tokens, int first, int n);
/* Where `phrase` (tokens of the same vocabulary) stands in a prompt, word by word; `occurrence` counts from 0, -1 = all of them. Empty
 * when it does not occur. g_array_unref it. */
GArray *pmt_prompt_spans (const PmtPromptTokens *tokens, const PmtPromptTokens *phrase, int occurrence);
