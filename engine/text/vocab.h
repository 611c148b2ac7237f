/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A byte-level BPE vocabulary in memory, and reading it from the files that models bring. Private to engine/text. */
#pragma once

#include <glib.h>

#include "engine/base/error.h"

/* A token that stands for itself: matched in the text before (normalized FALSE) or after cleaning, never built by merges. */
typedef struct PmtAddedToken {
  char *content;
  int id;
  gboolean normalized;
} PmtAddedToken;

typedef struct PmtVocab {
  GHashTable *ids;      /* symbol -> id + 1 */
  GPtrArray *symbols;   /* by id; NULL in gaps; owned strings */
  GHashTable *merges;   /* &PmtMerge.pair -> PmtMerge */
  GArray *added;        /* PmtAddedToken, longest content first */
  char byte_symbol[256][4]; /* UTF-8 of the symbol that stands for a byte */
  int byte_id[256];     /* inside a word; -1 = not in the vocabulary */
  int byte_end_id[256]; /* with "</w>" */
  int bos, eos, pad, unknown, length;
} PmtVocab;

typedef struct PmtMerge {
  gint64 pair; /* left id << 32 | right id */
  int rank;
  int id; /* of the result */
} PmtMerge;

PmtVocab *pmt_vocab_new_clip (GError **error);                           /* the built-in one */
PmtVocab *pmt_vocab_new_folder (const char *folder, GError **error);
void pmt_vocab_free (PmtVocab *vocab);

/* -1 for an unknown symbol. */
int pmt_vocab_id (const PmtVocab *vocab, const char *symbol);
const PmtMerge *pmt_vocab_merge (const PmtVocab *vocab, int left, int right); /* NULL = not a merge */

/* ---- for the two loaders ---- */
PmtVocab *pmt_vocab_new (void);
/* FALSE when id or symbol is taken, or the id is out of bounds. */
gboolean pmt_vocab_add (PmtVocab *vocab, const char *symbol, int id);
/* The next merge in order of rank; FALSE when a symbol or the result is not in the vocabulary. */
gboolean pmt_vocab_add_merge (PmtVocab *vocab, const char *left, const char *right, int rank);
/* Replaces an added token of the same content. FALSE when the id is out of bounds. */
gboolean pmt_vocab_add_token (PmtVocab *vocab, const char *content, int id, gboolean normalized);
/* Fills the byte tables and sorts added tokens: last step of loading. */
void pmt_vocab_finish (PmtVocab *vocab);
