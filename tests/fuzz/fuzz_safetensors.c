/* SPDX-License-Identifier: GPL-3.0-or-later */
/* 100,000 mutated safetensors files. Each is refused with a sentence or, if accepted, holds to what the reader promises: tensors inside
 * the file, without overlap or gap, sorted, all readable. The files live in memory blocks of exactly their size, so that the address
 * sanitizer sees a single byte read beyond them. PMT_FUZZ_SEED and PMT_FUZZ_RUNS choose other mutations. */
#include <math.h>
#include <string.h>

#include <unistd.h>

#include "engine/weights/safetensors.h"

#define DATA_MAX 4096

static guint64 state;

static guint
pick (guint n)
{
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (guint) ((state * 0x2545f4914f6cdd1du) >> 33) % n;
}

/* ---- valid files to start from ---------------------------------------------------------------------------------------- */

typedef struct Seed {
  const char *header;
  gsize n_data;
} Seed;

static const Seed seeds[] = {
  { "{}", 0 },
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}", 24 },
  { "{\"__metadata__\":{\"format\":\"pt\",\"modelspec.title\":\"x \\u00e9 \\ud83d\\ude00 \\\"q\\\"\"},"
    "\"first.weight\":{\"dtype\":\"F16\",\"shape\":[4,1,2],\"data_offsets\":[0,16]},"
    "\"first.bias\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[16,24]},"
    "\"position_ids\":{\"dtype\":\"I64\",\"shape\":[1,2],\"data_offsets\":[24,40]}}      ",
    40 },
  { "{\"empty\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[0,0]},\"scalar\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]},"
    "\"odd\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]},\"after\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[11,15]}}",
    15 },
  { "{\"deep\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1],\"data_offsets\":[0,4],\"more\":[[[[{\"x\":[1.5e-3,-0,true,null]}]]]]},"
    "\"q\":{\"shape\":[2],\"data_offsets\":[4,8],\"dtype\":\"F8_E4M3\",\"y\":\"\\t\\/\"},"
    "\"r\":{\"shape\":[5],\"data_offsets\":[8,10],\"dtype\":\"F3_WHAT\"}}",
    10 },
};

static const char *const words[] = {
  "0", "1", "-1", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "4294967296", "1e3", "0.5",
  "00", "{", "}", "[", "]", "[[", "[[[[[[[[[[", "]]]]]]", "{\"a\":", ",", ":", "\"", "\"\"", "\\", "\\u0000", "\\ud800", "\\udc00\\ud800",
  "null", "true", "\"dtype\"", "\"shape\"", "\"data_offsets\"", "\"__metadata__\"", "\"__metadata__\":{},", "\"F32\"", "\"F16\"", "\"BF16\"", "\"I64\"",
  "\"C64\"", "[0,0]", "[0,4]", "[]", " ", "\n", "\xff", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},",
};

/* ---- mutations -------------------------------------------------------------------------------------------------------- */

static void
insert_word (GString *h)
{
  guint at = pick ((guint) h->len + 1);
  /* GString's own NUL-safe insertion: the header may hold any byte */
  g_string_insert (h, (gssize) at, words[pick (G_N_ELEMENTS (words))]);
}

static void
erase (GString *h)
{
  if (h->len == 0)
    return;
  guint at = pick ((guint) h->len), n = 1 + pick (8);
  g_string_erase (h, (gssize) at, (gssize) MIN (n, h->len - at));
}

static void
copy_part (GString *h)
{
  if (h->len == 0)
    return;
  guint from = pick ((guint) h->len), n = 1 + pick (60);
  n = (guint) MIN (n, h->len - from);
  g_autofree char *part = g_memdup2 (h->str + from, n);
  g_string_insert_len (h, (gssize) pick ((guint) h->len + 1), part, n);
}

/* Replaces one run of digits: the way to offsets and shapes that nearly fit. */
static void
change_number (GString *h)
{
  if (h->len == 0)
    return;
  guint at = pick ((guint) h->len), begin, end;
  for (begin = at; begin < h->len && !g_ascii_isdigit (h->str[begin]); begin++)
    ;
  for (end = begin; end < h->len && g_ascii_isdigit (h->str[end]); end++)
    ;
  if (begin == end)
    return;
  char number[32];
  if (pick (2))
    g_snprintf (number, sizeof number, "%u", pick (48));
  else
    g_strlcpy (number, words[pick (10)], sizeof number);
  g_string_erase (h, (gssize) begin, (gssize) (end - begin));
  g_string_insert (h, (gssize) begin, number);
}

static void
mutate (GString *h)
{
  switch (pick (7)) {
    case 0:
      if (h->len > 0)
        h->str[pick ((guint) h->len)] = (char) pick (256);
      break;
    case 1:
      if (h->len > 0)
        h->str[pick ((guint) h->len)] ^= (char) (1 << pick (8));
      break;
    case 2:
      insert_word (h);
      break;
    case 3:
      erase (h);
      break;
    case 4:
      copy_part (h);
      break;
    default:
      change_number (h);
      break;
  }
}

/* A mutated file in a block of its own. */
static guint8 *
make_file (gsize *size)
{
  const Seed *seed = &seeds[pick (G_N_ELEMENTS (seeds))];
  GString *header = g_string_new (seed->header);
  gsize n_data = seed->n_data;

  for (guint k = pick (4); k > 0; k--)
    mutate (header);
  if (pick (8) == 0)
    n_data = pick (DATA_MAX);
  guint64 length = header->len;
  if (pick (12) == 0)
    length = pick (2) ? length + pick (64) - 32 : (guint64) pick (1u << 30) << pick (34);
  *size = 8 + header->len + n_data;
  guint8 *bytes = g_malloc (*size);
  memcpy (bytes, &length, 8);
  memcpy (bytes + 8, header->str, header->len);
  for (gsize i = 0; i < n_data; i++)
    bytes[8 + header->len + i] = (guint8) pick (256);
  g_string_free (header, TRUE);
  if (pick (16) == 0) { /* cut anywhere */
    *size = pick ((guint) *size + 1);
    bytes = g_realloc (bytes, MAX (*size, 1));
  }
  return bytes;
}

/* ---- what must hold ---------------------------------------------------------------------------------------------------- */

/* One readable line, whatever the names in the file are. */
static void
check_sentence (const char *message)
{
  g_assert_true (g_utf8_validate (message, -1, NULL));
  g_assert_cmpuint (strlen (message), <, 600);
  for (const char *c = message; *c; c++)
    g_assert_true ((unsigned char) *c >= 0x20 && *c != 0x7f);
}

static void
check_accepted (const PmtSafetensors *file, const guint8 *bytes, gsize size)
{
  size_t header_size;
  const char *header = pmt_safetensors_header (file, &header_size);
  guint64 at = 8 + header_size;
  float values[64];

  g_assert_true ((const guint8 *) header == bytes + 8);
  for (guint i = 0; i < pmt_safetensors_count (file); i++) {
    const PmtSafetensor *t = pmt_safetensors_at (file, i);
    guint64 count = 1;
    g_assert_cmpuint (t->offset, ==, at);
    at += t->bytes;
    g_assert_cmpuint (at, <=, size);
    g_assert_true ((const guint8 *) t->data == bytes + t->offset);
    g_assert_cmpint (t->rank, <=, PMT_SAFETENSORS_MAX_RANK);
    g_assert_true (g_utf8_validate (t->name, -1, NULL));
    for (int d = 0; d < t->rank; d++)
      count = t->dim[d] == 0 || count == 0 ? 0 : count * (guint64) t->dim[d];
    g_assert_cmpuint (count, ==, t->count);
    g_assert_true (pmt_safetensors_lookup (file, t->name) == t);
    if (!pmt_dtype_is_readable (t->dtype)) {
      GError *error = NULL;
      g_assert_false (pmt_safetensors_read_f32 (file, t, 0, 0, values, &error));
      g_assert_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED);
      check_sentence (error->message);
      g_error_free (error);
      continue;
    }
    for (guint64 k = 0; k < count; k += G_N_ELEMENTS (values))
      g_assert_true (pmt_safetensors_read_f32 (file, t, k, MIN (count - k, G_N_ELEMENTS (values)), values, NULL));
  }
  g_assert_cmpuint (at, ==, size);
}

static void
test_mutations (void)
{
  const char *seed = g_getenv ("PMT_FUZZ_SEED"), *given = g_getenv ("PMT_FUZZ_RUNS");
  guint runs = given ? (guint) g_ascii_strtoull (given, NULL, 10) : 100000, accepted = 0;
  gint64 slowest = 0;

  state = seed ? g_ascii_strtoull (seed, NULL, 10) | 1 : 20260708;
  for (guint i = 0; i < runs; i++) {
    gsize size;
    guint8 *bytes = make_file (&size);
    GError *error = NULL;
    gint64 start = g_get_monotonic_time ();
    alarm (20); /* a hang ends the test */
    PmtSafetensors *file = pmt_safetensors_open_memory (bytes, size, "mutated", &error);
    slowest = MAX (slowest, g_get_monotonic_time () - start);
    if (file) {
      accepted++;
      g_assert_no_error (error);
      check_accepted (file, bytes, size);
    } else {
      g_assert_error (error, PMT_ERROR, PMT_ERROR_FORMAT);
      check_sentence (error->message);
      g_error_free (error);
    }
    pmt_safetensors_free (file);
    g_free (bytes);
  }
  alarm (0);
  g_test_message ("%u of %u accepted, the slowest took %" G_GINT64_FORMAT " us", accepted, runs, slowest);
  /* mutations that are all refused, or all harmless, would prove little */
  g_assert_cmpuint (accepted, >, runs / 20);
  g_assert_cmpuint (accepted, <, runs - runs / 3);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fuzz/safetensors", test_mutations);
  return g_test_run ();
}
