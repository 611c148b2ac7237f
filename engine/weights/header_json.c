/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/header_json.h"

#include <string.h>

typedef struct Parser {
  const char *begin, *at, *end;
  int depth;
  PmtHeader *header;
  GString *buffer; /* unescaped text of the string being read */
  char *why;       /* first problem; parsing stops there */
} Parser;

static gboolean fail (Parser *p, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
fail (Parser *p, const char *format, ...)
{
  if (!p->why) {
    va_list args;
    va_start (args, format);
    p->why = g_strdup_vprintf (format, args);
    va_end (args);
  }
  return FALSE;
}

static gboolean
fail_json (Parser *p, const char *what)
{
  return fail (p, "its header is not valid JSON (%s at byte %" G_GSIZE_FORMAT ")", what, (gsize) (p->at - p->begin) + 8);
}

static void
skip_space (Parser *p)
{
  while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r'))
    p->at++;
}

/* The next character that is not white space, 0 at the end. It is not consumed. */
static char
peek (Parser *p)
{
  skip_space (p);
  return p->at < p->end ? *p->at : 0;
}

static gboolean
expect (Parser *p, char c)
{
  if (peek (p) != c || p->at == p->end) {
    char what[24];
    g_snprintf (what, sizeof what, "'%c' expected", c);
    return fail_json (p, what);
  }
  p->at++;
  return TRUE;
}

static gboolean
open_level (Parser *p, char bracket)
{
  if (p->depth == PMT_HEADER_MAX_DEPTH)
    return fail (p, "its header nests deeper than %d levels", PMT_HEADER_MAX_DEPTH);
  p->depth++;
  return expect (p, bracket);
}

/* After a member: TRUE when another one follows the comma; closes the level at the closing bracket, or fails. */
static gboolean
next_member (Parser *p, char closing)
{
  if (peek (p) == ',') {
    p->at++;
    return TRUE;
  }
  if (expect (p, closing))
    p->depth--;
  return FALSE;
}

/* Just after the opening bracket: TRUE and closed when the level has no members. */
static gboolean
empty_level (Parser *p, char closing)
{
  if (peek (p) != closing)
    return FALSE;
  p->at++;
  p->depth--;
  return TRUE;
}

static gboolean
read_hex4 (Parser *p, gunichar *out)
{
  gunichar value = 0;
  if (p->end - p->at < 4)
    return fail_json (p, "unfinished \\u escape");
  for (int i = 0; i < 4; i++) {
    int digit = g_ascii_xdigit_value (p->at[i]);
    if (digit < 0)
      return fail_json (p, "bad \\u escape");
    value = value << 4 | (gunichar) digit;
  }
  p->at += 4;
  *out = value;
  return TRUE;
}

static gboolean
read_escape (Parser *p)
{
  static const char plain[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
  gunichar c, low;

  if (p->at == p->end)
    return fail_json (p, "unfinished string");
  char kind = *p->at++;
  const char *known = kind ? strchr (plain, kind) : NULL;
  if (known) {
    g_string_append_c (p->buffer, means[known - plain]);
    return TRUE;
  }
  if (kind != 'u')
    return fail_json (p, "unknown escape");
  if (!read_hex4 (p, &c))
    return FALSE;
  if (c >= 0xd800 && c < 0xdc00) {
    if (p->end - p->at < 2 || p->at[0] != '\\' || p->at[1] != 'u')
      return fail_json (p, "half of a surrogate pair");
    p->at += 2;
    if (!read_hex4 (p, &low))
      return FALSE;
    if (low < 0xdc00 || low > 0xdfff)
      return fail_json (p, "half of a surrogate pair");
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
  } else if (c >= 0xdc00 && c <= 0xdfff) {
    return fail_json (p, "half of a surrogate pair");
  }
  if (c == 0)
    return fail (p, "its header has a NUL character in a name");
  g_string_append_unichar (p->buffer, c);
  return TRUE;
}

/* *out lives in the header's strings. */
static gboolean
read_string (Parser *p, const char **out)
{
  if (!expect (p, '"'))
    return FALSE;
  g_string_truncate (p->buffer, 0);
  while (p->at < p->end) {
    const char *run = p->at;
    while (p->at < p->end && *p->at != '"' && *p->at != '\\' && (unsigned char) *p->at >= 0x20)
      p->at++;
    g_string_append_len (p->buffer, run, p->at - run);
    if (p->at == p->end)
      break;
    char c = *p->at++;
    if (c == '"') {
      *out = g_string_chunk_insert_len (p->header->strings, p->buffer->str, (gssize) p->buffer->len);
      return TRUE;
    }
    if (c == 0)
      return fail (p, "its header has a NUL character in a name");
    if (c != '\\')
      return fail_json (p, "control character in a string");
    if (!read_escape (p))
      return FALSE;
  }
  return fail_json (p, "unfinished string");
}

static gboolean
read_key (Parser *p, const char **key)
{
  return read_string (p, key) && expect (p, ':');
}

/* A number that must be a whole one in 0..2^63-1; `what` and `name` are for the message. */
static gboolean
read_whole (Parser *p, const char *name, const char *what, uint64_t *out)
{
  uint64_t value = 0;
  char c = peek (p);

  if (c == '-')
    return fail (p, "tensor '%s' has a negative number in %s", name, what);
  if (!g_ascii_isdigit (c))
    return fail (p, "tensor '%s' has something other than whole numbers in %s", name, what);
  if (c == '0' && p->end - p->at > 1 && g_ascii_isdigit (p->at[1]))
    return fail_json (p, "number with a leading zero");
  for (; p->at < p->end && g_ascii_isdigit (*p->at); p->at++) {
    uint64_t digit = (uint64_t) (*p->at - '0');
    if (value > ((uint64_t) G_MAXINT64 - digit) / 10)
      return fail (p, "tensor '%s' has a number over 2^63 in %s", name, what);
    value = value * 10 + digit;
  }
  if (p->at < p->end && (*p->at == '.' || *p->at == 'e' || *p->at == 'E'))
    return fail (p, "tensor '%s' has a fractional number in %s", name, what);
  *out = value;
  return TRUE;
}

static int
compare_strings (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Sorting instead of hashing: names are chosen by whoever made the file, and no choice of them makes a sort slow. */
static gboolean
check_unique (Parser *p, GPtrArray *keys, const char *where)
{
  g_ptr_array_sort (keys, compare_strings);
  for (guint i = 1; i < keys->len; i++)
    if (strcmp (keys->pdata[i - 1], keys->pdata[i]) == 0)
      return fail (p, "its header has the key '%s' twice%s", (const char *) keys->pdata[i], where);
  return TRUE;
}

static gboolean
skip_digits (Parser *p)
{
  const char *first = p->at;
  while (p->at < p->end && g_ascii_isdigit (*p->at))
    p->at++;
  return p->at > first;
}

static gboolean
skip_number (Parser *p)
{
  if (*p->at == '-')
    p->at++;
  const char *first = p->at;
  if (!skip_digits (p) || (*first == '0' && p->at - first > 1))
    return fail_json (p, "bad number");
  if (p->at < p->end && *p->at == '.') {
    p->at++;
    if (!skip_digits (p))
      return fail_json (p, "bad number");
  }
  if (p->at < p->end && (*p->at == 'e' || *p->at == 'E')) {
    p->at++;
    if (p->at < p->end && (*p->at == '+' || *p->at == '-'))
      p->at++;
    if (!skip_digits (p))
      return fail_json (p, "bad number");
  }
  return TRUE;
}

static gboolean skip_value (Parser *p);

static gboolean
skip_object (Parser *p)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new ();
  const char *key;

  if (!open_level (p, '{'))
    return FALSE;
  if (empty_level (p, '}'))
    return TRUE;
  do {
    if (!read_key (p, &key) || !skip_value (p))
      return FALSE;
    g_ptr_array_add (keys, (gpointer) key);
  } while (next_member (p, '}'));
  return !p->why && check_unique (p, keys, "");
}

static gboolean
skip_array (Parser *p)
{
  if (!open_level (p, '['))
    return FALSE;
  if (empty_level (p, ']'))
    return TRUE;
  do {
    if (!skip_value (p))
      return FALSE;
  } while (next_member (p, ']'));
  return !p->why;
}

/* Fields that the format does not know are read past, but must be sound JSON. Recursion ends at PMT_HEADER_MAX_DEPTH. */
static gboolean
skip_value (Parser *p)
{
  static const char *const words[] = { "true", "false", "null" };
  const char *ignored;
  char c = peek (p);

  if (c == '{')
    return skip_object (p);
  if (c == '[')
    return skip_array (p);
  if (c == '"')
    return read_string (p, &ignored);
  if (c == '-' || g_ascii_isdigit (c))
    return skip_number (p);
  for (guint i = 0; i < G_N_ELEMENTS (words); i++) {
    gsize n = strlen (words[i]);
    if ((gsize) (p->end - p->at) >= n && memcmp (p->at, words[i], n) == 0) {
      p->at += n;
      return TRUE;
    }
  }
  return fail_json (p, "value expected");
}

static gboolean
read_shape (Parser *p, PmtHeaderEntry *entry)
{
  if (peek (p) != '[')
    return fail (p, "tensor '%s' has a shape that is not a list", entry->name);
  if (!open_level (p, '['))
    return FALSE;
  if (empty_level (p, ']'))
    return TRUE;
  do {
    uint64_t dim;
    if (entry->rank == PMT_SAFETENSORS_MAX_RANK)
      return fail (p, "tensor '%s' has more than %d dimensions", entry->name, PMT_SAFETENSORS_MAX_RANK);
    if (!read_whole (p, entry->name, "its shape", &dim))
      return FALSE;
    entry->dim[entry->rank++] = (int64_t) dim;
  } while (next_member (p, ']'));
  return !p->why;
}

static gboolean
read_offsets (Parser *p, PmtHeaderEntry *entry)
{
  if (peek (p) != '[')
    return fail (p, "tensor '%s' has data_offsets that are not a list", entry->name);
  if (!open_level (p, '[') || !read_whole (p, entry->name, "its data_offsets", &entry->begin))
    return FALSE;
  if (!next_member (p, ']'))
    return fail (p, "tensor '%s' has only one data offset", entry->name);
  if (!read_whole (p, entry->name, "its data_offsets", &entry->end))
    return FALSE;
  if (next_member (p, ']'))
    return fail (p, "tensor '%s' has more than two data offsets", entry->name);
  return !p->why;
}

static gboolean
read_entry (Parser *p, const char *name)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new ();
  PmtHeaderEntry entry = { .name = name };
  gboolean has_shape = FALSE, has_offsets = FALSE;
  const char *key;

  if (peek (p) != '{')
    return fail (p, "its entry for '%s' is not an object", name);
  if (!open_level (p, '{'))
    return FALSE;
  if (!empty_level (p, '}')) {
    do {
      if (!read_key (p, &key))
        return FALSE;
      g_ptr_array_add (keys, (gpointer) key);
      if (strcmp (key, "dtype") == 0) {
        if (peek (p) != '"')
          return fail (p, "tensor '%s' has a dtype that is not a string", name);
        if (!read_string (p, &entry.dtype))
          return FALSE;
      } else if (strcmp (key, "shape") == 0 && !has_shape) {
        has_shape = TRUE;
        if (!read_shape (p, &entry))
          return FALSE;
      } else if (strcmp (key, "data_offsets") == 0) {
        has_offsets = TRUE;
        if (!read_offsets (p, &entry))
          return FALSE;
      } else if (!skip_value (p)) {
        return FALSE;
      }
    } while (next_member (p, '}'));
    if (p->why)
      return FALSE;
  }
  if (!check_unique (p, keys, " in one tensor's entry"))
    return FALSE;
  if (!entry.dtype || !has_shape || !has_offsets)
    return fail (p, "tensor '%s' has no %s", name, !entry.dtype ? "dtype" : !has_shape ? "shape" : "data_offsets");
  if (p->header->entries->len == PMT_SAFETENSORS_MAX_TENSORS)
    return fail (p, "it has more than %u tensors", PMT_SAFETENSORS_MAX_TENSORS);
  g_array_append_val (p->header->entries, entry);
  return TRUE;
}

static gboolean
read_metadata (Parser *p)
{
  PmtHeaderPair pair;

  if (peek (p) != '{')
    return fail (p, "its __metadata__ is not an object");
  if (!open_level (p, '{'))
    return FALSE;
  if (empty_level (p, '}'))
    return TRUE;
  do {
    if (!read_key (p, &pair.key))
      return FALSE;
    if (peek (p) != '"')
      return fail (p, "its __metadata__ has a value for '%s' that is not a string", pair.key);
    if (!read_string (p, &pair.value))
      return FALSE;
    g_array_append_val (p->header->metadata, pair);
  } while (next_member (p, '}'));
  return !p->why;
}

/* Both element types begin with their name. */
static gboolean
sort_unique (Parser *p, GArray *array, gsize stride, const char *where)
{
  g_array_sort (array, compare_strings);
  for (guint i = 1; i < array->len; i++) {
    const char *a = *(const char **) (array->data + (i - 1) * stride);
    const char *b = *(const char **) (array->data + i * stride);
    if (strcmp (a, b) == 0)
      return fail (p, "its header has the key '%s' twice%s", b, where);
  }
  return TRUE;
}

static gboolean
read_top (Parser *p)
{
  const char *key;
  gboolean has_metadata = FALSE;

  if (!open_level (p, '{'))
    return FALSE;
  if (!empty_level (p, '}')) {
    do {
      if (!read_key (p, &key))
        return FALSE;
      if (strcmp (key, "__metadata__") == 0) {
        if (has_metadata)
          return fail (p, "its header has the key '__metadata__' twice");
        has_metadata = TRUE;
        if (!read_metadata (p))
          return FALSE;
      } else if (!read_entry (p, key)) {
        return FALSE;
      }
    } while (next_member (p, '}'));
    if (p->why)
      return FALSE;
  }
  skip_space (p);
  if (p->at < p->end)
    return fail (p, "its header goes on after the end of the JSON text");
  return sort_unique (p, p->header->entries, sizeof (PmtHeaderEntry), "")
         && sort_unique (p, p->header->metadata, sizeof (PmtHeaderPair), " in __metadata__");
}

/* NUL is left to the JSON rules, whose message says more. */
static gboolean
is_utf8 (const char *text, gsize size)
{
  const char *end = text + size, *stop;
  while (!g_utf8_validate_len (text, (gsize) (end - text), &stop)) {
    if (stop == end || *stop != 0)
      return FALSE;
    text = stop + 1;
  }
  return TRUE;
}

gboolean
pmt_header_parse (PmtHeader *header, const char *text, gsize size, char **why)
{
  Parser p = { .begin = text, .at = text, .end = text + size, .header = header };
  gboolean ok;

  header->strings = g_string_chunk_new (4096);
  header->entries = g_array_new (FALSE, FALSE, sizeof (PmtHeaderEntry));
  header->metadata = g_array_new (FALSE, FALSE, sizeof (PmtHeaderPair));
  if (!is_utf8 (text, size)) {
    *why = g_strdup ("its header is not valid UTF-8");
    return FALSE;
  }
  p.buffer = g_string_new (NULL);
  ok = read_top (&p);
  g_string_free (p.buffer, TRUE);
  *why = p.why;
  return ok;
}

void
pmt_header_clear (PmtHeader *header)
{
  g_clear_pointer (&header->strings, g_string_chunk_free);
  g_clear_pointer (&header->entries, g_array_unref);
  g_clear_pointer (&header->metadata, g_array_unref);
}
