/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words that a method's parameters name, and their places in a prompt. Lists are written "phrase; phrase" or, with a number each,
 * "phrase:number; phrase:number": commas and equals signs already part parameters on the command line. */
#pragma once

#include "engine/sample/run.h"

typedef struct PmtWord {
  char *text;   /* without spaces around it, not empty */
  double value;
} PmtWord;

typedef struct PmtWords {
  PmtWord *word;
  int n;
} PmtWords;

/* What a list may say. */
typedef struct PmtWordsRule {
  const char *where;    /* "method prompt-to-prompt, weights"; in messages */
  bool numbers;         /* a number may follow each phrase, after the last colon */
  bool need_numbers;    /* … and has to */
  double fallback;      /* the number of those without one */
  double min, max;
} PmtWordsRule;

/* Empty text gives an empty list. FALSE + PMT_ERROR_INPUT, with *words cleared. */
gboolean pmt_words_parse (const char *text, const PmtWordsRule *rule, PmtWords *words, GError **error);
void pmt_words_clear (PmtWords *words);

/* Rows of the context (int, ascending; columns of cross-attention) that belong to `phrase` in `prompt`, wherever it stands. Empty where it
 * does not. From `text` hooks on; NULL + error; g_array_unref it. */
GArray *pmt_words_columns (PmtRun *run, const char *prompt, const char *phrase, GError **error);
/* The same, and an absent phrase is PMT_ERROR_INPUT. */
GArray *pmt_words_columns_or_fail (PmtRun *run, const char *prompt, const char *phrase, const char *where, GError **error);
