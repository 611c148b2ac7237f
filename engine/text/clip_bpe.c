/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/text/clip_bpe.h"

#include <string.h>

#include "engine/text/unicode.h"
#include "engine/text/vocab.h"

struct PmtTokenizer {
  PmtVocab *vocab;
};

PmtTokenizer *
pmt_tokenizer_new (const char *folder, GError **error)
{
  PmtVocab *vocab = folder ? pmt_vocab_new_folder (folder, error) : pmt_vocab_new_clip (error);
  if (!vocab)
    return NULL;
  PmtTokenizer *tokenizer = g_new (PmtTokenizer, 1);
  tokenizer->vocab = vocab;
  return tokenizer;
}

void
pmt_tokenizer_free (PmtTokenizer *tokenizer)
{
  if (!tokenizer)
    return;
  pmt_vocab_free (tokenizer->vocab);
  g_free (tokenizer);
}

int
pmt_tokenizer_size (const PmtTokenizer *tokenizer)
{
  return (int) tokenizer->vocab->symbols->len;
}

int
pmt_tokenizer_length (const PmtTokenizer *tokenizer)
{
  return tokenizer->vocab->length;
}

int
pmt_tokenizer_bos (const PmtTokenizer *tokenizer)
{
  return tokenizer->vocab->bos;
}

int
pmt_tokenizer_eos (const PmtTokenizer *tokenizer)
{
  return tokenizer->vocab->eos;
}

int
pmt_tokenizer_pad (const PmtTokenizer *tokenizer)
{
  return tokenizer->vocab->pad;
}

void
pmt_tokenizer_set_pad (PmtTokenizer *tokenizer, int id)
{
  tokenizer->vocab->pad = id;
}

int
pmt_tokenizer_id (const PmtTokenizer *tokenizer, const char *symbol)
{
  return pmt_vocab_id (tokenizer->vocab, symbol);
}

const char *
pmt_tokenizer_symbol (const PmtTokenizer *tokenizer, int id)
{
  const GPtrArray *symbols = tokenizer->vocab->symbols;
  return id >= 0 && (guint) id < symbols->len ? symbols->pdata[id] : NULL;
}

void
pmt_tokens_clear (PmtTokens *tokens)
{
  g_clear_pointer (&tokens->text, g_free);
  g_clear_pointer (&tokens->token, g_free);
  tokens->n_tokens = tokens->n_words = 0;
}

/* ---- merging one word ------------------------------------------------------------------------------------------------- */

/* Symbols of a word as a linked list in an array; merging unlinks the right one. */
typedef struct Symbol {
  int id;
  int begin, end; /* bytes of the cleaned text */
  int previous, next; /* -1 = none */
} Symbol;

/* A possible merge of `left` with its next symbol; stale when the two no longer are what they were. */
typedef struct Candidate {
  int rank, left;
  int left_id, right_id;
  int id;
} Candidate;

typedef struct Word {
  GArray *symbols; /* Symbol */
  GArray *heap;    /* Candidate; lowest rank first, then leftmost */
} Word;

static gboolean
goes_before (const Candidate *a, const Candidate *b)
{
  return a->rank != b->rank ? a->rank < b->rank : a->left < b->left;
}

static void
heap_push (GArray *heap, Candidate c)
{
  g_array_append_val (heap, c);
  Candidate *at = (Candidate *) (void *) heap->data;
  guint i = heap->len - 1;
  while (i > 0 && goes_before (&c, &at[(i - 1) / 2])) {
    at[i] = at[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  at[i] = c;
}

static Candidate
heap_pop (GArray *heap)
{
  Candidate *at = (Candidate *) (void *) heap->data;
  Candidate first = at[0], last = at[heap->len - 1];
  guint n = heap->len - 1, i = 0;

  g_array_set_size (heap, n);
  while (2 * i + 1 < n) {
    guint child = 2 * i + 1;
    if (child + 1 < n && goes_before (&at[child + 1], &at[child]))
      child++;
    if (!goes_before (&at[child], &last))
      break;
    at[i] = at[child];
    i = child;
  }
  if (n > 0)
    at[i] = last;
  return first;
}

static void
offer (const PmtVocab *vocab, Word *word, int left)
{
  const Symbol *s = (const Symbol *) (void *) word->symbols->data;

  if (left < 0 || s[left].next < 0)
    return;
  const PmtMerge *merge = pmt_vocab_merge (vocab, s[left].id, s[s[left].next].id);
  if (merge)
    heap_push (word->heap, (Candidate) { merge->rank, left, s[left].id, s[s[left].next].id, merge->id });
}

/* Always the lowest rank, leftmost first; the heap keeps a long word from costing its length squared. */
static void
merge_word (const PmtVocab *vocab, Word *word)
{
  for (guint i = 0; i + 1 < word->symbols->len; i++)
    offer (vocab, word, (int) i);
  while (word->heap->len > 0) {
    Candidate c = heap_pop (word->heap);
    Symbol *s = (Symbol *) (void *) word->symbols->data;
    int right = s[c.left].next;
    if (s[c.left].id != c.left_id || right < 0 || s[right].id != c.right_id)
      continue;
    s[c.left].id = c.id;
    s[c.left].end = s[right].end;
    s[c.left].next = s[right].next;
    if (s[right].next >= 0)
      s[s[right].next].previous = c.left;
    s[right].id = -1;
    offer (vocab, word, s[c.left].previous);
    offer (vocab, word, c.left);
  }
}

/* ---- cutting text into words ------------------------------------------------------------------------------------------ */

typedef struct Encoder {
  const PmtVocab *vocab;
  GString *text;  /* cleaned so far */
  GArray *tokens; /* PmtToken */
  int n_words;
  Word word;
} Encoder;

static void
add_token (Encoder *e, int id, int begin, int end)
{
  PmtToken token = { .id = id, .begin = begin, .end = end, .word = e->n_words };
  g_array_append_val (e->tokens, token);
}

/* Bytes [begin, end) of the cleaned text are one word. */
static void
add_word (Encoder *e, int begin, int end)
{
  const PmtVocab *vocab = e->vocab;

  g_array_set_size (e->word.symbols, 0);
  g_array_set_size (e->word.heap, 0);
  for (int i = begin; i < end; i++) {
    unsigned char byte = (unsigned char) e->text->str[i];
    int id = i + 1 == end ? vocab->byte_end_id[byte] : vocab->byte_id[byte];
    if (id < 0)
      id = vocab->unknown; /* small vocabularies lack some bytes */
    if (id < 0)
      continue;
    int at = (int) e->word.symbols->len;
    Symbol symbol = { .id = id, .begin = i, .end = i + 1, .previous = at - 1, .next = -1 };
    if (at > 0)
      g_array_index (e->word.symbols, Symbol, at - 1).next = at;
    g_array_append_val (e->word.symbols, symbol);
  }
  if (e->word.symbols->len == 0)
    return;
  merge_word (vocab, &e->word);
  for (int i = 0; i >= 0; i = g_array_index (e->word.symbols, Symbol, i).next) {
    const Symbol *s = &g_array_index (e->word.symbols, Symbol, i);
    add_token (e, s->id, s->begin, s->end);
  }
  e->n_words++;
}

/* Length of 's 't 're 've 'm 'll 'd at `at`, 0 otherwise. The text is lower case already. */
static int
contraction (const char *at)
{
  static const char *const endings[] = { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" };
  for (guint i = 0; i < G_N_ELEMENTS (endings); i++)
    if (g_str_has_prefix (at, endings[i]))
      return (int) strlen (endings[i]);
  return 0;
}

static gboolean
is_other (gunichar c)
{
  return !pmt_char_is_space (c) && !pmt_char_is_letter (c) && !pmt_char_is_number (c);
}

/* End of the run of characters for which `belongs` holds. */
static int
run_end (const Encoder *e, int at, int end, gboolean (*belongs) (gunichar))
{
  while (at < end && belongs (g_utf8_get_char (e->text->str + at)))
    at = (int) (g_utf8_next_char (e->text->str + at) - e->text->str);
  return at;
}

/* The specials' own names are pieces of their own also where they are ordinary text (written in capitals, for instance). */
static int
literal (const char *at)
{
  static const char *const names[] = { "<|startoftext|>", "<|endoftext|>" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_has_prefix (at, names[i]))
      return (int) strlen (names[i]);
  return 0;
}

/* Cuts [begin, end) of the cleaned text, which holds no added token. */
static void
split_words (Encoder *e, int begin, int end)
{
  int at = begin;
  while (at < end) {
    const char *text = e->text->str + at;
    gunichar c = g_utf8_get_char (text);
    int next = (int) (g_utf8_next_char (text) - e->text->str), n;
    if (pmt_char_is_space (c)) {
      at = next;
      continue;
    }
    if ((n = literal (text)) > 0) {
      /* cut a second time by the byte level's own pattern: "<|", the name, "|>" */
      add_word (e, at, at + 2);
      add_word (e, at + 2, at + n - 2);
      add_word (e, at + n - 2, at + n);
      at += n;
      continue;
    }
    if ((n = contraction (text)) > 0)
      next = at + n;
    else if (pmt_char_is_letter (c))
      next = run_end (e, at, end, pmt_char_is_letter);
    else if (!pmt_char_is_number (c))
      next = run_end (e, at, end, is_other);
    add_word (e, at, next);
    at = next;
  }
}

/* The leftmost, then longest added token of one kind in [begin, end) of `text`; its place in *at. */
static const PmtAddedToken *
find_added (const PmtVocab *vocab, gboolean normalized, const char *text, int begin, int end, int *at)
{
  for (int i = begin; i < end; i++) {
    for (guint k = 0; k < vocab->added->len; k++) {
      const PmtAddedToken *token = &g_array_index (vocab->added, PmtAddedToken, k);
      size_t n = strlen (token->content);
      if (token->normalized == normalized && n > 0 && n <= (size_t) (end - i) && memcmp (text + i, token->content, n) == 0) {
        *at = i;
        return token;
      }
    }
  }
  return NULL;
}

/* `text` is a stretch of the prompt without raw added tokens. */
static void
encode_stretch (Encoder *e, const char *text, int length)
{
  g_autofree char *clean = pmt_text_clean (text, length);
  int begin = (int) e->text->len, at;
  const PmtAddedToken *token;

  g_string_append (e->text, clean);
  int end = (int) e->text->len;
  while ((token = find_added (e->vocab, TRUE, e->text->str, begin, end, &at))) {
    split_words (e, begin, at);
    begin = at + (int) strlen (token->content);
    add_token (e, token->id, at, begin);
    e->n_words++;
  }
  split_words (e, begin, end);
}

void
pmt_tokenizer_encode (const PmtTokenizer *tokenizer, const char *text, PmtTokens *tokens)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  Encoder e = { .vocab = tokenizer->vocab, .text = g_string_new (NULL), .tokens = g_array_new (FALSE, FALSE, sizeof (PmtToken)) };
  const PmtAddedToken *token;
  int begin = 0, end = (int) strlen (valid), at;

  e.word.symbols = g_array_new (FALSE, FALSE, sizeof (Symbol));
  e.word.heap = g_array_new (FALSE, FALSE, sizeof (Candidate));
  while ((token = find_added (e.vocab, FALSE, valid, begin, end, &at))) {
    encode_stretch (&e, valid + begin, at - begin);
    begin = at + (int) strlen (token->content);
    int place = (int) e.text->len;
    g_string_append (e.text, token->content);
    add_token (&e, token->id, place, (int) e.text->len);
    e.n_words++;
  }
  encode_stretch (&e, valid + begin, end - begin);
  g_array_unref (e.word.symbols);
  g_array_unref (e.word.heap);
  tokens->text = g_string_free (e.text, FALSE);
  tokens->n_tokens = (int) e.tokens->len;
  tokens->n_words = e.n_words;
  tokens->token = (PmtToken *) (void *) g_array_free (e.tokens, FALSE);
}

int
pmt_tokenizer_encode_padded (const PmtTokenizer *tokenizer, const char *text, int length, int *ids, PmtTokens *tokens)
{
  PmtTokens own = { NULL };
  PmtTokens *all = tokens ? tokens : &own;

  g_return_val_if_fail (length >= 2, 0);
  pmt_tokenizer_encode (tokenizer, text, all);
  int fit = MIN (all->n_tokens, length - 2), cut = all->n_tokens - fit;
  ids[0] = tokenizer->vocab->bos;
  for (int i = 0; i < fit; i++)
    ids[1 + i] = all->token[i].id;
  ids[1 + fit] = tokenizer->vocab->eos;
  for (int i = fit + 2; i < length; i++)
    ids[i] = tokenizer->vocab->pad;
  pmt_tokens_clear (&own);
  return cut;
}
