/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CLIP's byte-pair tokenizer (OpenAI CLIP simple_tokenizer; the same ids as transformers' CLIPTokenizer).
 *
 * Text is cleaned (NFC, runs of white space to one space, lower case), cut into words by Unicode classes, and each word's UTF-8 bytes are
 * merged pair by pair in the order of the merges table. */
#pragma once

#include <glib.h>

#include "engine/base/error.h"

typedef struct PmtTokenizer PmtTokenizer;

/* One token: where it stands in the cleaned text, and which word it is part of (words count from 0; a special-token literal is a word). */
typedef struct PmtToken {
  int id;
  int begin, end; /* bytes [begin, end) of PmtTokens.text */
  int word;
} PmtToken;

typedef struct PmtTokens {
  char *text;    /* cleaned text, UTF-8 */
  PmtToken *token;
  int n_tokens;  /* without BOS, EOS and padding */
  int n_words;
} PmtTokens;

void pmt_tokens_clear (PmtTokens *tokens); /* frees the content, not the struct */

/* `folder` holds vocab.json + merges.txt, or tokenizer.json, and the optional tokenizer_config.json and special_tokens_map.json
 * (pad token, model_max_length). NULL = the built-in CLIP vocabulary, padded with its EOS. NULL on failure: PMT_ERROR_NOT_FOUND,
 * PMT_ERROR_FORMAT, naming the file. Free with pmt_tokenizer_free. */
PmtTokenizer *pmt_tokenizer_new (const char *folder, GError **error);
void pmt_tokenizer_free (PmtTokenizer *tokenizer); /* NULL is fine */

int pmt_tokenizer_size (const PmtTokenizer *tokenizer);   /* ids are below this */
int pmt_tokenizer_length (const PmtTokenizer *tokenizer); /* model_max_length, 77 for CLIP */
int pmt_tokenizer_bos (const PmtTokenizer *tokenizer);
int pmt_tokenizer_eos (const PmtTokenizer *tokenizer);
int pmt_tokenizer_pad (const PmtTokenizer *tokenizer);
void pmt_tokenizer_set_pad (PmtTokenizer *tokenizer, int id); /* OpenCLIP's encoders were trained with id 0 */
/* The id of a symbol as the vocabulary writes it, -1 when it has none. */
int pmt_tokenizer_id (const PmtTokenizer *tokenizer, const char *symbol);
/* The symbol of an id as the vocabulary writes it ("cat</w>"); NULL outside. Owned by the tokenizer. */
const char *pmt_tokenizer_symbol (const PmtTokenizer *tokenizer, int id);

/* `text` is UTF-8; invalid bytes become U+FFFD. Fills `tokens` (clear it with pmt_tokens_clear). */
void pmt_tokenizer_encode (const PmtTokenizer *tokenizer, const char *text, PmtTokens *tokens);

/* BOS, tokens cut to length - 2, EOS, padding, into ids[length]. Returns how many tokens were cut (0 = all fit). `tokens` may be NULL;
 * otherwise filled as by pmt_tokenizer_encode, uncut. Token i of it stands at ids[1 + i]. */
int pmt_tokenizer_encode_padded (const PmtTokenizer *tokenizer, const char *text, int length, int *ids, PmtTokens *tokens);
