/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/text/prompt_tokens.h"

#include <string.h>

#include "engine/text/unicode.h"

#define COMMA_REACH 20

/* ---- from parts to tokens --------------------------------------------------------------------------------------------- */

typedef struct Reader {
  const PmtPrompt *prompt;
  const PmtPromptVocabulary *vocabulary;
  const int *order;   /* triggers, longest first */
  const int *row;     /* first vector of each trigger */
  GArray *tokens;     /* PmtPromptToken */
  GArray *words;      /* PmtPromptWord */
  GArray *breaks;     /* guint: number of tokens before each BREAK */
} Reader;

/* Byte of the given prompt that follows byte `at - 1` of the parsed text. */
static int
source_end (const PmtPrompt *prompt, int at)
{
  return at > 0 ? prompt->source[at - 1] + 1 : 0;
}

/* Walks two texts, run of non-spaces by run: the k-th run of the cleaned one came from the k-th of the other. */
typedef struct Runs {
  const char *raw, *clean;
  int raw_begin, raw_end, clean_begin, clean_end;
} Runs;

static int
next_run (const char *text, int from, int *end)
{
  while (text[from] && pmt_char_is_space (g_utf8_get_char (text + from)))
    from = (int) (g_utf8_next_char (text + from) - text);
  *end = from;
  while (text[*end] && !pmt_char_is_space (g_utf8_get_char (text + *end)))
    *end = (int) (g_utf8_next_char (text + *end) - text);
  return from;
}

/* Bytes [*begin, *end) of the cleaned text as bytes of the other. */
static void
to_raw (Runs *r, int *begin, int *end)
{
  while (*begin >= r->clean_end && r->clean[r->clean_end]) {
    r->raw_begin = next_run (r->raw, r->raw_end, &r->raw_end);
    r->clean_begin = next_run (r->clean, r->clean_end, &r->clean_end);
  }
  const gboolean same = r->raw_end - r->raw_begin == r->clean_end - r->clean_begin;
  const int shift = r->raw_begin - r->clean_begin;
  *end = same && *end <= r->clean_end ? *end + shift : r->raw_end;
  *begin = same ? *begin + shift : r->raw_begin;
}

/* Bytes [begin, end) of the parsed text, without learned words. */
static void
read_text (Reader *r, int begin, int end, float weight)
{
  g_autofree char *raw = g_strndup (r->prompt->text + begin, (gsize) (end - begin));
  PmtTokens tokens;
  int word = -1;

  pmt_tokenizer_encode (r->vocabulary->tokenizer, raw, &tokens);
  Runs runs = { .raw = raw, .clean = tokens.text };
  for (int i = 0; i < tokens.n_tokens; i++) {
    const PmtToken *t = &tokens.token[i];
    if (t->word != word) {
      int last = i, from = t->begin;
      while (last + 1 < tokens.n_tokens && tokens.token[last + 1].word == t->word)
        last++;
      int to = tokens.token[last].end;
      PmtPromptWord made = { .text = g_strndup (tokens.text + from, (gsize) (to - from)), .first = (int) r->tokens->len,
                             .n = last - i + 1, .trigger = -1 };
      to_raw (&runs, &from, &to);
      made.begin = r->prompt->source[begin + from];
      made.end = source_end (r->prompt, begin + to);
      g_array_append_val (r->words, made);
      word = t->word;
    }
    PmtPromptToken token = { .id = t->id, .weight = weight, .word = (int) r->words->len - 1, .chunk = -1 };
    g_array_append_val (r->tokens, token);
  }
  pmt_tokens_clear (&tokens);
}

static void
read_trigger (Reader *r, int index, int begin, int end, float weight)
{
  const PmtTrigger *trigger = &r->vocabulary->triggers[index];
  PmtPromptWord word = { .text = g_utf8_strdown (trigger->word, -1), .begin = r->prompt->source[begin], .end = source_end (r->prompt, end),
                         .first = (int) r->tokens->len, .n = trigger->vectors, .trigger = index };

  for (int i = 0; i < trigger->vectors; i++) {
    PmtPromptToken token = { .id = r->vocabulary->first_row + r->row[index] + i, .weight = weight, .word = (int) r->words->len, .chunk = -1 };
    g_array_append_val (r->tokens, token);
  }
  g_array_append_val (r->words, word);
}

/* Bytes of [at, end) that spell `word`, whatever the case; 0 when they do not. */
static int
spelled (const char *at, const char *end, const char *word)
{
  const char *from = at;

  for (; *word; word = g_utf8_next_char (word), at = g_utf8_next_char (at))
    if (at >= end || g_unichar_tolower (g_utf8_get_char (at)) != g_unichar_tolower (g_utf8_get_char (word)))
      return 0;
  return (int) (at - from);
}

/* The learned word that stands at byte `at` of a part, or -1. */
static int
find_trigger (const Reader *r, const PmtPromptPart *part, int at, int *length)
{
  const char *text = r->prompt->text, *here = text + at, *end = text + part->end;
  const gboolean inside = at > part->begin && pmt_char_is_word (g_utf8_get_char (g_utf8_prev_char (here)));

  for (int i = 0; i < r->vocabulary->n_triggers; i++) {
    const char *word = r->vocabulary->triggers[r->order[i]].word;
    const int n = spelled (here, end, word);
    if (n == 0 || (inside && pmt_char_is_word (g_utf8_get_char (here))))
      continue;
    if (here + n < end && pmt_char_is_word (g_utf8_get_char (here + n)) && pmt_char_is_word (g_utf8_get_char (g_utf8_prev_char (here + n))))
      continue;
    *length = n;
    return r->order[i];
  }
  return -1;
}

static void
read_part (Reader *r, const PmtPromptPart *part)
{
  const char *text = r->prompt->text;
  const float weight = (float) part->weight;
  int from = part->begin, length;

  for (int at = part->begin; at < part->end && r->vocabulary->n_triggers > 0; ) {
    const int trigger = find_trigger (r, part, at, &length);
    if (trigger < 0) {
      at = (int) (g_utf8_next_char (text + at) - text);
      continue;
    }
    read_text (r, from, at, weight);
    read_trigger (r, trigger, at, at + length, weight);
    from = at += length;
  }
  read_text (r, from, part->end, weight);
}

static void
read_prompt (Reader *r)
{
  for (int i = 0; i < r->prompt->n_parts; i++) {
    if (r->prompt->part[i].is_break)
      g_array_append_val (r->breaks, r->tokens->len);
    else
      read_part (r, &r->prompt->part[i]);
  }
}

/* ---- from tokens to chunks -------------------------------------------------------------------------------------------- */

typedef struct Filler {
  PmtPromptToken *token;
  int room;     /* tokens of a chunk */
  int limit;    /* chunks */
  int chunk;    /* being filled */
  int used;     /* tokens in it */
  int comma;    /* place of its last comma among them, -1 = none */
} Filler;

static void
next_chunk (Filler *f)
{
  f->chunk++;
  f->used = 0;
  f->comma = -1;
}

static void
put (Filler *f, int i)
{
  f->token[i].chunk = f->chunk < f->limit ? f->chunk : -1;
  f->token[i].at = ++f->used;
}

/* Token `i` opens a new chunk; what follows the last comma goes there with it. */
static void
move_from_comma (Filler *f, int i)
{
  const int moved = f->used - f->comma - 1;

  next_chunk (f);
  for (int k = i - moved; k < i; k++)
    put (f, k);
}

/* Makes room for word or token `i` of `n` positions. The rule is AUTOMATIC1111's to the letter: a comma itself never moves others, and
 * a learned word that is too long for the rest does not either. */
static void
make_room (Filler *f, int i, int n, gboolean is_comma)
{
  if (is_comma)
    f->comma = f->used;
  else if (f->used == f->room && f->comma >= 0 && f->used - f->comma <= COMMA_REACH)
    move_from_comma (f, i);
  if (f->used + n > f->room)
    next_chunk (f);
}

static void
fill_chunks (PmtPromptTokens *tokens, const GArray *breaks, const PmtPromptVocabulary *vocabulary, PmtLongPrompt mode)
{
  const int comma = pmt_tokenizer_id (vocabulary->tokenizer, ",</w>");
  const gboolean chunks = mode == PMT_LONG_CHUNKS;
  Filler f = { .token = tokens->token, .room = vocabulary->length - 2, .limit = chunks ? PMT_PROMPT_MAX_CHUNKS : 1,
               .comma = -1 };
  guint k = 0;

  for (int i = 0; i < tokens->n_tokens; ) {
    const PmtPromptWord *word = &tokens->word[tokens->token[i].word];
    const int n = word->trigger >= 0 ? word->n : 1;
    for (; chunks && k < breaks->len && g_array_index (breaks, guint, k) <= (guint) i; k++)
      next_chunk (&f);
    make_room (&f, i, n, chunks && word->trigger < 0 && comma >= 0 && tokens->token[i].id == comma);
    for (int end = i + n; i < end; i++)
      put (&f, i);
  }
  /* A prompt that ends in BREAK has no empty last chunk, but each BREAK before makes one. */
  for (; chunks && k < breaks->len; k++)
    next_chunk (&f);
  tokens->n_chunks = CLAMP (f.chunk + (f.used > 0), 1, f.limit);
}

static void
fill_sequence (PmtPromptTokens *tokens, const PmtPromptVocabulary *vocabulary, int chunk, int used)
{
  const PmtTokenizer *t = vocabulary->tokenizer;
  int *ids = tokens->ids + (gsize) chunk * (gsize) tokens->length;
  float *weights = tokens->weights + (gsize) chunk * (gsize) tokens->length;

  for (int i = 0; i < tokens->length; i++) {
    if (i > 0 && i <= used)
      continue;
    ids[i] = i == 0 ? pmt_tokenizer_bos (t) : i == used + 1 ? pmt_tokenizer_eos (t) : pmt_tokenizer_pad (t);
    weights[i] = 1;
  }
}

static void
fill_sequences (PmtPromptTokens *tokens, const PmtPromptVocabulary *vocabulary)
{
  const gsize n = (gsize) tokens->n_chunks * (gsize) tokens->length;
  g_autofree int *used = g_new0 (int, tokens->n_chunks);

  tokens->ids = g_new0 (int, n);
  tokens->weights = g_new0 (float, n);
  for (int i = 0; i < tokens->n_tokens; i++) {
    const PmtPromptToken *t = &tokens->token[i];
    if (t->chunk < 0) {
      tokens->cut++;
      continue;
    }
    used[t->chunk] = t->at;
    tokens->ids[t->chunk * tokens->length + t->at] = t->id;
    tokens->weights[t->chunk * tokens->length + t->at] = t->weight;
    tokens->weighted |= t->weight != 1;
  }
  for (int chunk = 0; chunk < tokens->n_chunks; chunk++)
    fill_sequence (tokens, vocabulary, chunk, used[chunk]);
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

/* Longest first; of equal ones the one named first. There are few. */
static void
order_triggers (const PmtPromptVocabulary *v, int *order)
{
  for (int i = 0; i < v->n_triggers; i++) {
    const glong length = g_utf8_strlen (v->triggers[i].word, -1);
    int k = i;
    for (; k > 0 && g_utf8_strlen (v->triggers[order[k - 1]].word, -1) < length; k--)
      order[k] = order[k - 1];
    order[k] = i;
  }
}

static gboolean
check_triggers (const PmtPromptVocabulary *v, GError **error)
{
  for (int i = 0; i < v->n_triggers; i++) {
    g_assert (v->triggers[i].word[0] != '\0' && v->triggers[i].vectors >= 1);
    if (v->triggers[i].vectors > v->length - 2) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                   _("The learned word \"%s\" has %d vectors and a chunk of the prompt has room for %d; choose an embedding with fewer."),
                   v->triggers[i].word, v->triggers[i].vectors, v->length - 2);
      return FALSE;
    }
  }
  return TRUE;
}

gboolean
pmt_prompt_tokens_init (PmtPromptTokens *tokens, const PmtPrompt *prompt, const PmtPromptVocabulary *vocabulary, PmtLongPrompt mode,
                        GError **error)
{
  const int n = vocabulary->n_triggers;
  g_autofree int *order = g_new0 (int, n + 1), *row = g_new0 (int, n + 1);

  memset (tokens, 0, sizeof *tokens);
  g_assert (vocabulary->length >= 3);
  if (!check_triggers (vocabulary, error))
    return FALSE;
  order_triggers (vocabulary, order);
  for (int i = 0; i < n; i++)
    row[i + 1] = row[i] + vocabulary->triggers[i].vectors;
  Reader r = { .prompt = prompt, .vocabulary = vocabulary, .order = order, .row = row,
               .tokens = g_array_new (FALSE, FALSE, sizeof (PmtPromptToken)), .words = g_array_new (FALSE, FALSE, sizeof (PmtPromptWord)),
               .breaks = g_array_new (FALSE, FALSE, sizeof (guint)) };
  read_prompt (&r);
  tokens->length = vocabulary->length;
  tokens->n_tokens = (int) r.tokens->len;
  tokens->token = (PmtPromptToken *) (void *) g_array_free (r.tokens, FALSE);
  tokens->n_words = (int) r.words->len;
  tokens->word = (PmtPromptWord *) (void *) g_array_free (r.words, FALSE);
  fill_chunks (tokens, r.breaks, vocabulary, mode);
  fill_sequences (tokens, vocabulary);
  g_array_unref (r.breaks);
  return TRUE;
}

void
pmt_prompt_tokens_clear (PmtPromptTokens *tokens)
{
  for (int i = 0; i < tokens->n_words; i++)
    g_free (tokens->word[i].text);
  g_free (tokens->word);
  g_free (tokens->token);
  g_free (tokens->ids);
  g_free (tokens->weights);
  memset (tokens, 0, sizeof *tokens);
}

void
pmt_prompt_tokens_extend (PmtPromptTokens *tokens, const PmtPromptVocabulary *vocabulary, int n_chunks)
{
  const int had = tokens->n_chunks;

  if (n_chunks <= had)
    return;
  tokens->ids = g_renew (int, tokens->ids, (gsize) n_chunks * (gsize) tokens->length);
  tokens->weights = g_renew (float, tokens->weights, (gsize) n_chunks * (gsize) tokens->length);
  tokens->n_chunks = n_chunks;
  for (int chunk = had; chunk < n_chunks; chunk++)
    fill_sequence (tokens, vocabulary, chunk, 0);
}

/* ---- words -> positions ----------------------------------------------------------------------------------------------- */

static void
add_spans (const PmtPromptTokens *tokens, int first, int n, GArray *spans)
{
  if (n == 0)
    return;
  const PmtPromptWord *last = &tokens->word[first + n - 1];
  PmtPromptSpan *open = NULL;
  for (int i = tokens->word[first].first; i < last->first + last->n; i++) {
    const PmtPromptToken *t = &tokens->token[i];
    if (t->chunk < 0)
      continue;
    if (open && open->chunk == t->chunk && open->end == t->at) {
      open->end++;
      continue;
    }
    PmtPromptSpan span = { t->chunk, t->at, t->at + 1 };
    g_array_append_val (spans, span);
    open = &g_array_index (spans, PmtPromptSpan, spans->len - 1);
  }
}

GArray *
pmt_prompt_word_spans (const PmtPromptTokens *tokens, int first, int n)
{
  GArray *spans = g_array_new (FALSE, FALSE, sizeof (PmtPromptSpan));

  g_assert (first >= 0 && n >= 0 && first + n <= tokens->n_words);
  add_spans (tokens, first, n, spans);
  return spans;
}

GArray *
pmt_prompt_spans (const PmtPromptTokens *tokens, const PmtPromptTokens *phrase, int occurrence)
{
  GArray *spans = g_array_new (FALSE, FALSE, sizeof (PmtPromptSpan));
  const int n = phrase->n_words;

  for (int first = 0, seen = 0; n > 0 && first + n <= tokens->n_words; first++) {
    int same = 0;
    while (same < n && strcmp (tokens->word[first + same].text, phrase->word[same].text) == 0)
      same++;
    if (same < n)
      continue;
    if (occurrence < 0 || seen == occurrence)
      add_spans (tokens, first, n, spans);
    seen++;
    first += n - 1; /* occurrences do not overlap */
  }
  return spans;
}
