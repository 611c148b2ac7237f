/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/text/noun_chunks.h"

#include <string.h>

/* Words that no thing's name holds: prepositions, conjunctions, pronouns, and verbs that prompts use. */
static const char *const between[] = {
  "about", "above", "across", "after", "against", "along", "among", "and", "are", "around", "as", "at", "be", "before", "behind", "being",
  "below", "beneath", "beside", "besides", "between", "beyond", "but", "by", "carries", "carrying", "contains", "containing", "down",
  "during", "eating", "eats", "facing", "featuring", "flying", "for", "from", "has", "have", "having", "he", "hold", "holding", "holds", "i",
  "in", "inside", "into", "is", "it", "like", "looking", "looks", "lying", "near", "next", "not", "of", "off", "on", "onto", "or", "out",
  "outside", "over", "past", "playing", "reading", "riding", "running", "she", "showing", "shows", "sits", "sitting", "standing", "stands",
  "than", "that", "then", "there", "they", "through", "to", "toward", "towards", "under", "underneath", "until", "up", "upon", "via",
  "walking", "was", "watching", "we", "wearing", "wears", "were", "which", "while", "who", "with", "within", "without", "you", NULL
};

/* Words that begin a name and are none. */
static const char *const articles[] = { "a", "an", "another", "any", "both", "each", "every", "five", "four", "her", "his", "its", "many", "my",
                                        "one", "our", "several", "six", "some", "the", "their", "these", "this", "those", "three", "two",
                                        "your", NULL };

/* Sides, which are prepositions before "of" and "to". */
static const char *const sides[] = { "back", "bottom", "center", "centre", "close", "front", "left", "middle", "right", "side", "top", NULL };

static bool
is_separator (const PmtPromptTokens *tokens, int k)
{
  const PmtPromptWord *word = &tokens->word[k];
  if (word->trigger >= 0)
    return false;
  if (!g_unichar_isalnum (g_utf8_get_char (word->text)) || g_strv_contains (between, word->text))
    return true;
  const char *next = k + 1 < tokens->n_words ? tokens->word[k + 1].text : "";
  return g_strv_contains (sides, word->text) && (strcmp (next, "of") == 0 || strcmp (next, "to") == 0);
}

static bool
is_article (const PmtPromptTokens *tokens, int k)
{
  return tokens->word[k].trigger < 0 && g_strv_contains (articles, tokens->word[k].text);
}

GArray *
pmt_noun_chunks (const PmtPromptTokens *tokens)
{
  GArray *chunks = g_array_new (FALSE, FALSE, sizeof (PmtNounChunk));
  for (int k = 0; k < tokens->n_words;) {
    PmtNounChunk chunk = { k, 0 };
    bool named = false;
    while (k < tokens->n_words && !is_separator (tokens, k) && !(named && is_article (tokens, k))) {
      named = named || !is_article (tokens, k);
      k++;
    }
    chunk.n = k - chunk.first;
    if (named)
      g_array_append_val (chunks, chunk);
    if (chunk.n == 0)
      k++;
  }
  return chunks;
}

char *
pmt_noun_chunk_text (const PmtPromptTokens *tokens, PmtNounChunk chunk)
{
  GString *text = g_string_new (NULL);
  for (int i = 0; i < chunk.n; i++)
    g_string_append_printf (text, "%s%s", i ? " " : "", tokens->word[chunk.first + i].text);
  return g_string_free (text, FALSE);
}
