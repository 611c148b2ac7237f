/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/words.h"

#include <math.h>
#include <string.h>

/* Takes the number off `phrase`, where there is one. */
static gboolean
split_number (char *phrase, const PmtWordsRule *rule, double *value, GError **error)
{
  char *colon = rule->numbers ? strrchr (phrase, ':') : NULL;
  *value = rule->fallback;
  if (!colon && !rule->need_numbers)
    return TRUE;
  char *end = NULL;
  const double number = colon ? g_ascii_strtod (colon + 1, &end) : NAN;
  if (colon)
    end += strspn (end, " \t");
  if (!colon || end == colon + 1 || *end || !(number >= rule->min && number <= rule->max)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, \"%s\" has to be a word, a colon and a number from %g to %g."), rule->where,
                 phrase, rule->min, rule->max);
    return FALSE;
  }
  *value = number;
  *colon = '\0';
  g_strstrip (phrase);
  return TRUE;
}

gboolean
pmt_words_parse (const char *text, const PmtWordsRule *rule, PmtWords *words, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text ? text : "", ";", -1);
  const int n = (int) g_strv_length (parts);
  bool any = false;
  *words = (PmtWords) { g_new0 (PmtWord, n + 1), 0 };
  for (int i = 0; i < n; i++)
    any = *g_strstrip (parts[i]) || any;
  for (int i = 0; any && i < n; i++) {
    PmtWord *word = &words->word[words->n];
    if (!split_number (parts[i], rule, &word->value, error)) {
      pmt_words_clear (words);
      return FALSE;
    }
    if (!*parts[i]) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, entry %d of the list names no word; leave it out or name one."), rule->where,
                   i + 1);
      pmt_words_clear (words);
      return FALSE;
    }
    word->text = g_strdup (parts[i]);
    words->n++;
  }
  return TRUE;
}

void
pmt_words_clear (PmtWords *words)
{
  for (int i = 0; i < words->n; i++)
    g_free (words->word[i].text);
  g_free (words->word);
  *words = (PmtWords) { NULL, 0 };
}

GArray *
pmt_words_columns (PmtRun *run, const char *prompt, const char *phrase, GError **error)
{
  GArray *spans = pmt_run_phrase_spans (run, prompt, phrase, -1, error);
  if (!spans)
    return NULL;
  GArray *columns = g_array_new (FALSE, FALSE, sizeof (int));
  const int length = pmt_run_text_length (run);
  for (guint i = 0; i < spans->len; i++) {
    const PmtPromptSpan *span = &g_array_index (spans, PmtPromptSpan, i);
    for (int at = span->begin; at < span->end; at++) {
      const int column = span->chunk * length + at;
      g_array_append_val (columns, column);
    }
  }
  g_array_unref (spans);
  return columns;
}

GArray *
pmt_words_columns_or_fail (PmtRun *run, const char *prompt, const char *phrase, const char *where, GError **error)
{
  GArray *columns = pmt_words_columns (run, prompt, phrase, error);
  if (columns && columns->len == 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("In %s, \"%s\" is not in the part of the prompt \"%s\" that the model reads; name words as they stand there."), where, phrase,
                 prompt ? prompt : "");
    g_clear_pointer (&columns, g_array_unref);
  }
  return columns;
}
