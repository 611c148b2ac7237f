/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/word_map.h"

#include <string.h>

/* The source's columns of one target column, as it is being made. */
typedef struct Answer {
  int first, n; /* tokens [first, first + n) of the source, as indices in its list; n = 0: none */
  float weight;
} Answer;

static int
column_of (const PmtPromptTokens *tokens, int token)
{
  const PmtPromptToken *t = &tokens->token[token];
  return t->chunk < 0 || t->chunk >= tokens->n_chunks ? -1 : t->chunk * tokens->length + t->at;
}

static void
swap (const PmtPromptTokens *source, const PmtPromptTokens *target, Answer *answers)
{
  for (int k = 0; k < target->n_words; k++) {
    const PmtPromptWord *s = &source->word[k], *t = &target->word[k];
    for (int i = 0; i < t->n; i++)
      answers[t->first + i] = s->n == t->n ? (Answer) { s->first + i, 1, 1.0f } : (Answer) { s->first, s->n, 1.0f / (float) t->n };
  }
}

static void
refine (const PmtPromptTokens *source, const PmtPromptTokens *target, Answer *answers)
{
  const int rows = source->n_tokens + 1, columns = target->n_tokens + 1;
  g_autofree int *best = g_new0 (int, (gsize) rows * (gsize) columns);
  for (int i = 1; i < rows; i++)
    for (int j = 1; j < columns; j++) {
      const int gap = MAX (best[i * columns + j - 1], best[(i - 1) * columns + j]);
      const int match = source->token[i - 1].id == target->token[j - 1].id ? best[(i - 1) * columns + j - 1] + 1 : 0;
      best[i * columns + j] = MAX (gap, match);
    }
  for (int i = rows - 1, j = columns - 1; i > 0 && j > 0;) {
    const int here = best[i * columns + j];
    if (best[i * columns + j - 1] == here) {
      j--;
    } else if (best[(i - 1) * columns + j] == here) {
      i--;
    } else {
      answers[--j] = (Answer) { --i, 1, 1.0f };
    }
  }
}

/* Where the words of a chunk end: the place of the end mark. */
static int
end_of (const PmtPromptTokens *tokens, int chunk)
{
  int end = 1;
  for (int i = 0; i < tokens->n_tokens; i++)
    if (tokens->token[i].chunk == chunk)
      end = MAX (end, tokens->token[i].at + 1);
  return end;
}

static void
add (PmtWordMap *map, int *n, int from, float weight)
{
  map->from[*n] = from;
  map->weight[(*n)++] = weight;
}

void
pmt_word_map_init (PmtWordMap *map, PmtWordMapMode mode, const PmtPromptTokens *source, const PmtPromptTokens *target)
{
  const int length = target->length, columns = target->n_chunks * length;
  g_assert (source->n_chunks == target->n_chunks && source->length == length);
  g_assert (mode == PMT_WORD_MAP_REFINE || source->n_words == target->n_words);

  g_autofree Answer *answers = g_new0 (Answer, target->n_tokens + 1);
  if (mode == PMT_WORD_MAP_SWAP)
    swap (source, target, answers);
  else
    refine (source, target, answers);
  gsize most = (gsize) columns + 1;
  g_autofree int *token_at = g_new (int, columns);
  memset (token_at, -1, (gsize) columns * sizeof (int));
  for (int i = 0; i < target->n_tokens; i++) {
    const int column = column_of (target, i);
    if (column >= 0)
      token_at[column] = i;
    most += (gsize) answers[i].n;
  }

  *map = (PmtWordMap) { columns, g_new0 (int, columns + 1), g_new (int, most), g_new (float, most) };
  int n = 0;
  for (int column = 0; column < columns; column++) {
    const int chunk = column / length, at = column % length, start = chunk * length;
    const int ends = end_of (target, chunk), source_ends = end_of (source, chunk);
    map->begin[column] = n;
    if (token_at[column] >= 0) {
      const Answer *a = &answers[token_at[column]];
      for (int i = 0; i < a->n; i++)
        if (column_of (source, a->first + i) >= 0)
          add (map, &n, column_of (source, a->first + i), a->weight);
    } else if (at == 0) {
      add (map, &n, start, 1.0f);
    } else if (at == ends) {
      add (map, &n, start + source_ends, 1.0f);
    } else {
      add (map, &n, start + MIN (MAX (at, source_ends + 1), length - 1), 1.0f);
    }
  }
  map->begin[columns] = n;
}

void
pmt_word_map_clear (PmtWordMap *map)
{
  g_free (map->begin);
  g_free (map->from);
  g_free (map->weight);
  *map = (PmtWordMap) { 0 };
}
