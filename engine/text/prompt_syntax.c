/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/text/prompt_syntax.h"

#include <math.h>
#include <string.h>

#include "engine/text/unicode.h"

#define DEPTH 128
#define WEIGHT_LIMIT 1e6
#define STRENGTH_LIMIT 100.0

static const double round_factor = 1.1, square_factor = 1 / 1.1;

/* Open brackets of one kind: the first part inside each. Those beyond DEPTH are only counted, so that closing them costs nothing. */
typedef struct Brackets {
  guint first[DEPTH];
  guint open;
} Brackets;

typedef struct Parser {
  const char *text; /* the prompt without tags */
  const int *from;  /* place of each of its bytes in the prompt as given */
  GString *out;
  GArray *source; /* int */
  GArray *parts;  /* PmtPromptPart */
  Brackets round, square;
} Parser;

/* ---- tags ------------------------------------------------------------------------------------------------------------- */

static void
clear_tag (void *data)
{
  g_free (((PmtPromptTag *) data)->name);
}

static gboolean
read_strength (const char *text, double *strength)
{
  char *end;

  *strength = g_ascii_strtod (text, &end);
  while (g_ascii_isspace (*end))
    end++;
  return end != text && *end == '\0' && isfinite (*strength) && fabs (*strength) <= STRENGTH_LIMIT;
}

/* `inside` is "NAME:0.8", "NAME:0.5:0.8", "NAME:te=0.5:unet=0.8" or "NAME". The first number is the text encoders' and, alone, both. */
static gboolean
read_tag (const char *kind, const char *inside, PmtPromptTag *tag, GError **error)
{
  g_auto (GStrv) item = g_strsplit (inside, ":", -1);
  double plain[2] = { 1, 1 }, text = NAN, unet = NAN;
  int n_plain = 0;
  gboolean good = item[0] != NULL && item[0][0] != '\0';

  for (int i = 1; good && item[i]; i++) {
    if (g_str_has_prefix (item[i], "te="))
      good = read_strength (item[i] + 3, &text);
    else if (g_str_has_prefix (item[i], "unet="))
      good = read_strength (item[i] + 5, &unet);
    else
      good = n_plain < 2 && read_strength (item[i], &plain[n_plain++]);
  }
  if (!good) {
    g_autofree char *shown = g_utf8_substring (inside, 0, MIN (g_utf8_strlen (inside, -1), 60));
    g_strdelimit (shown, "\r\n", ' ');
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The prompt's tag <%s:%s> cannot be read; write <%s:NAME:STRENGTH> with a strength from -100 to 100."), kind, shown, kind);
    return FALSE;
  }
  tag->text_strength = isnan (text) ? plain[0] : text;
  tag->strength = !isnan (unet) ? unet : n_plain > 1 ? plain[1] : tag->text_strength;
  tag->hypernetwork = strcmp (kind, "hypernet") == 0;
  tag->name = g_strdup (item[0]);
  return TRUE;
}

static const char *
tag_kind (const char *at)
{
  static const char *const kinds[] = { "lora", "lyco", "hypernet" };

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_str_has_prefix (at + 1, kinds[i]) && at[1 + strlen (kinds[i])] == ':')
      return kinds[i];
  return NULL;
}

static gboolean
take_tags (const char *text, GString *rest, GArray *from, GArray *tags, GError **error)
{
  const char *close = strchr (text, '>'); /* the next one; NULL when there is none, searched for no further */

  for (const char *at = text; *at; ) {
    const char *kind = *at == '<' ? tag_kind (at) : NULL;
    if (kind && close && close < at)
      close = strchr (at, '>');
    const char *inside = kind ? at + 2 + strlen (kind) : NULL;
    if (kind && close && close > inside) {
      g_autofree char *body = g_strndup (inside, (gsize) (close - inside));
      PmtPromptTag tag;
      if (!read_tag (kind, body, &tag, error))
        return FALSE;
      g_array_append_val (tags, tag);
      at = close + 1;
      continue;
    }
    int place = (int) (at - text);
    g_string_append_c (rest, *at++);
    g_array_append_val (from, place);
  }
  return TRUE;
}

/* ---- parts ------------------------------------------------------------------------------------------------------------ */

/* Bytes [begin, end) of the text become a part of weight 1, even none: an empty part between two others keeps them apart. */
static void
add_part (Parser *p, gsize begin, gsize end)
{
  PmtPromptPart part = { .begin = (int) p->out->len, .weight = 1 };

  g_string_append_len (p->out, p->text + begin, (gssize) (end - begin));
  g_array_append_vals (p->source, p->from + begin, (guint) (end - begin));
  part.end = (int) p->out->len;
  g_array_append_val (p->parts, part);
}

static void
add_break (Parser *p)
{
  PmtPromptPart part = { .begin = (int) p->out->len, .end = (int) p->out->len, .weight = 1, .is_break = true };
  g_array_append_val (p->parts, part);
}

static gboolean
is_word_at (const char *text, gsize begin, gsize at)
{
  return at > begin && pmt_char_is_word (g_utf8_get_char (g_utf8_prev_char (text + at)));
}

/* Text without brackets, cut at the word BREAK, which takes the white space around it along. */
static void
add_text (Parser *p, gsize begin, gsize end)
{
  gsize from = begin;

  for (gsize at = begin; at + 5 <= end; at++) {
    if (memcmp (p->text + at, "BREAK", 5) != 0 || is_word_at (p->text, begin, at) ||
        (at + 5 < end && pmt_char_is_word (g_utf8_get_char (p->text + at + 5))))
      continue;
    gsize stop = at, next = at + 5;
    while (stop > from && pmt_char_is_space (g_utf8_get_char (g_utf8_prev_char (p->text + stop))))
      stop = (gsize) (g_utf8_prev_char (p->text + stop) - p->text);
    while (next < end && pmt_char_is_space (g_utf8_get_char (p->text + next)))
      next = (gsize) (g_utf8_next_char (p->text + next) - p->text);
    add_part (p, from, stop);
    add_break (p);
    from = next;
    at = next - 1;
  }
  add_part (p, from, end);
}

static void
multiply (Parser *p, guint first, double factor)
{
  for (guint i = first; i < p->parts->len; i++) {
    PmtPromptPart *part = &g_array_index (p->parts, PmtPromptPart, i);
    if (!part->is_break)
      part->weight = CLAMP (part->weight * factor, -WEIGHT_LIMIT, WEIGHT_LIMIT);
  }
}

static void
open_bracket (Parser *p, Brackets *b)
{
  if (b->open < DEPTH)
    b->first[b->open] = p->parts->len;
  b->open++;
}

static void
close_bracket (Parser *p, Brackets *b, double factor)
{
  b->open--;
  if (b->open < DEPTH)
    multiply (p, b->first[b->open], factor);
}

static gsize
skip_spaces (const char *text, gsize at)
{
  while (pmt_char_is_space (g_utf8_get_char (text + at)))
    at = (gsize) (g_utf8_next_char (text + at) - text);
  return at;
}

/* Length of ":1.2)" at `at`, spaces allowed around the number; 0 when there is none. */
static gsize
weight_mark (const char *text, gsize at, double *weight)
{
  gsize begin = skip_spaces (text, at + 1), i = begin;
  int digits = 0, points = 0;

  if (text[i] == '+' || text[i] == '-')
    i++;
  for (; g_ascii_isdigit (text[i]) || text[i] == '.'; i++) {
    digits += text[i] != '.';
    points += text[i] == '.';
  }
  if (digits == 0 || points > 1)
    return 0;
  gsize close = skip_spaces (text, i);
  if (text[close] != ')')
    return 0;
  *weight = g_ascii_strtod (text + begin, NULL);
  return isfinite (*weight) ? close + 1 - at : 0;
}

static void
read_parts (Parser *p, gsize length)
{
  const char *text = p->text;
  double weight = 1;

  for (gsize at = 0; at < length; ) {
    gsize n = 1;
    if (text[at] == '\\') {
      gboolean escapes = at + 1 < length && strchr ("()[]\\", text[at + 1]) != NULL;
      add_part (p, at + 1, at + 1 + (gsize) escapes); /* a lone backslash leaves nothing */
      n += (gsize) escapes;
    } else if (text[at] == '(') {
      open_bracket (p, &p->round);
    } else if (text[at] == '[') {
      open_bracket (p, &p->square);
    } else if (text[at] == ')' && p->round.open) {
      close_bracket (p, &p->round, round_factor);
    } else if (text[at] == ']' && p->square.open) {
      close_bracket (p, &p->square, square_factor);
    } else if (text[at] == ':' && p->round.open && (n = weight_mark (text, at, &weight)) > 0) {
      close_bracket (p, &p->round, weight);
    } else {
      n = 1 + strcspn (text + at + 1, "\\()[]:");
      if (strchr (")]:", text[at])) /* stands alone, as a boundary of words */
        n = 1;
      add_text (p, at, at + n);
    }
    at += n;
  }
  while (p->round.open)
    close_bracket (p, &p->round, round_factor);
  while (p->square.open)
    close_bracket (p, &p->square, square_factor);
}

/* Neighbours of equal weight become one. */
static void
merge_parts (GArray *parts)
{
  guint n = 1;

  for (guint i = 1; i < parts->len; i++) {
    PmtPromptPart *last = &g_array_index (parts, PmtPromptPart, n - 1), *next = &g_array_index (parts, PmtPromptPart, i);
    if (!last->is_break && !next->is_break && last->weight == next->weight)
      last->end = next->end;
    else
      g_array_index (parts, PmtPromptPart, n++) = *next;
  }
  g_array_set_size (parts, n);
}

static void
parse_parts (Parser *p, gsize length, PmtSyntax syntax)
{
  if (syntax == PMT_SYNTAX_PLAIN)
    add_part (p, 0, length);
  else
    read_parts (p, length);
  if (p->parts->len == 0)
    add_part (p, 0, 0);
  merge_parts (p->parts);
}

gboolean
pmt_prompt_parse (const char *text, PmtSyntax syntax, PmtPrompt *prompt, GError **error)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autoptr (GString) rest = g_string_new (NULL);
  g_autoptr (GArray) from = g_array_new (FALSE, FALSE, sizeof (int));
  GArray *tags = g_array_new (FALSE, FALSE, sizeof (PmtPromptTag));
  int length = (int) strlen (valid);

  memset (prompt, 0, sizeof *prompt);
  g_array_set_clear_func (tags, clear_tag);
  if (syntax == PMT_SYNTAX_PLAIN) {
    g_string_append (rest, valid);
    for (int i = 0; i < length; i++)
      g_array_append_val (from, i);
  } else if (!take_tags (valid, rest, from, tags, error)) {
    g_array_unref (tags);
    return FALSE;
  }
  Parser p = { .text = rest->str, .from = (const int *) (void *) from->data, .out = g_string_new (NULL),
               .source = g_array_new (FALSE, FALSE, sizeof (int)), .parts = g_array_new (FALSE, FALSE, sizeof (PmtPromptPart)) };
  parse_parts (&p, rest->len, syntax);
  g_array_append_val (p.source, length);
  prompt->text = g_string_free (p.out, FALSE);
  prompt->source = (int *) (void *) g_array_free (p.source, FALSE);
  prompt->n_parts = (int) p.parts->len;
  prompt->part = (PmtPromptPart *) (void *) g_array_free (p.parts, FALSE);
  prompt->n_tags = (int) tags->len;
  prompt->tag = (PmtPromptTag *) (void *) g_array_free (tags, FALSE);
  return TRUE;
}

char *
pmt_prompt_without_tags (const char *text, GError **error)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autoptr (GString) rest = g_string_new (NULL);
  g_autoptr (GArray) from = g_array_new (FALSE, FALSE, sizeof (int)), tags = g_array_new (FALSE, FALSE, sizeof (PmtPromptTag));
  g_array_set_clear_func (tags, clear_tag);
  return take_tags (valid, rest, from, tags, error) ? g_strdup (rest->str) : NULL;
}

void
pmt_prompt_clear (PmtPrompt *prompt)
{
  for (int i = 0; i < prompt->n_tags; i++)
    clear_tag (&prompt->tag[i]);
  g_clear_pointer (&prompt->tag, g_free);
  g_clear_pointer (&prompt->part, g_free);
  g_clear_pointer (&prompt->source, g_free);
  g_clear_pointer (&prompt->text, g_free);
  prompt->n_parts = prompt->n_tags = 0;
}
