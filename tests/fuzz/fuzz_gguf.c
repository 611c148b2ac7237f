/* SPDX-License-Identifier: GPL-3.0-or-later */
/* 100,000 mutated GGUF files. Each is refused with a sentence or, if accepted, holds to what the reader promises: tensors inside the file,
 * none over another, all readable, every name found. The files live in memory blocks of exactly their size, so that the address
 * sanitizer sees a single byte read beyond them. PMT_FUZZ_SEED and PMT_FUZZ_RUNS choose other mutations. */
#include <string.h>

#include <unistd.h>

#include "engine/weights/gguf.h"
#include "engine/weights/quant.h"

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

/* Places of numbers in the file, the likeliest to break something. */
typedef struct File {
  GByteArray *bytes;
  guint number[128], n_numbers;
} File;

static void
put (File *file, guint64 value, guint size)
{
  if (file->n_numbers < G_N_ELEMENTS (file->number))
    file->number[file->n_numbers++] = file->bytes->len;
  g_byte_array_append (file->bytes, (const guint8 *) &value, size);
}

static void
put_text (File *file, const char *text)
{
  put (file, strlen (text), 8);
  g_byte_array_append (file->bytes, (const guint8 *) text, (guint) strlen (text));
}

static void
put_pairs (File *file, guint64 alignment)
{
  put_text (file, "general.architecture");
  put (file, 8, 4);
  put_text (file, "sd1");
  put_text (file, "general.alignment");
  put (file, 4, 4);
  put (file, alignment, 4);
  put_text (file, "some.list");
  put (file, 9, 4);
  put (file, 8, 4); /* of strings */
  put (file, 2, 8);
  put_text (file, "a");
  put_text (file, "");
  put_text (file, "nested");
  put (file, 9, 4);
  put (file, 9, 4);
  put (file, 1, 8);
  put (file, 6, 4);
  put (file, 2, 8);
  put (file, 0x3f800000, 4);
  put (file, 0, 4);
  put_text (file, "comfy.gguf.orig_shape.flat");
  put (file, 9, 4);
  put (file, 5, 4);
  put (file, 3, 8);
  put (file, 2, 4);
  put (file, 8, 4);
  put (file, 4, 4);
}

typedef struct Tensor {
  const char *name;
  guint type;
  guint rank;
  guint64 dim[4]; /* innermost first */
} Tensor;

static const Tensor tensors[] = {
  { "w", 0, 2, { 3, 2 } },  { "flat", 8, 2, { 32, 2 } }, { "h", 1, 4, { 1, 1, 4, 2 } }, { "b", 30, 1, { 5 } },
  { "q4", 2, 2, { 64, 1 } }, { "none", 0, 2, { 0, 7 } },  { "one", 0, 0, { 0 } },        { "q5", 7, 1, { 32 } },
  { "k", 12, 1, { 256 } },
};

static File
make_valid (void)
{
  const guint n = 1 + pick (G_N_ELEMENTS (tensors)), alignment = 8u << pick (4);
  const gboolean pairs = pick (3) > 0;
  File file = { g_byte_array_new (), { 0 }, 0 };
  guint64 at = 0;

  g_byte_array_append (file.bytes, (const guint8 *) "GGUF", 4);
  put (&file, 3, 4);
  put (&file, n, 8);
  put (&file, pairs ? 5 : 0, 8);
  if (pairs)
    put_pairs (&file, alignment);
  const guint64 step = pairs ? alignment : 32;
  for (guint i = 0; i < n; i++) {
    const PmtGgmlType *type = pmt_ggml_type (tensors[i].type);
    guint64 count = 1;
    put_text (&file, tensors[i].name);
    put (&file, tensors[i].rank, 4);
    for (guint d = 0; d < tensors[i].rank; d++) {
      put (&file, tensors[i].dim[d], 8);
      count *= tensors[i].dim[d];
    }
    put (&file, tensors[i].type, 4);
    put (&file, at, 8);
    at += (count / (guint64) type->block * (guint64) type->bytes + step - 1) / step * step;
  }
  for (guint64 k = (step - file.bytes->len % step) % step + at; k > 0; k--) {
    const guint8 byte = (guint8) pick (256);
    g_byte_array_append (file.bytes, &byte, 1);
  }
  return file;
}

/* ---- mutations -------------------------------------------------------------------------------------------------------- */

static void
mutate (File *file)
{
  static const guint64 numbers[] = { 0, 1, 2, 7, 8, 9, 12, 13, 31, 32, 33, 255, 256, 1u << 16, 0x7fffffff, 0xffffffff, 0x100000000,
                                     G_MAXINT64, (guint64) G_MAXINT64 + 1, G_MAXUINT64, G_MAXUINT64 - 31 };
  guint8 *bytes = file->bytes->data;
  const guint at = pick (file->bytes->len), n = 1 + pick (16);

  switch (pick (5)) {
    case 0:
      bytes[at] = (guint8) pick (256);
      break;
    case 1:
      bytes[at] ^= (guint8) (1 << pick (8));
      break;
    case 2:
      g_byte_array_remove_range (file->bytes, at, MIN (n, file->bytes->len - at));
      break;
    default: { /* a number, where numbers are */
      const guint place = file->number[pick (file->n_numbers)], size = pick (2) ? 8 : 4;
      const guint64 value = pick (2) ? numbers[pick (G_N_ELEMENTS (numbers))] : pick (600);
      if (place + size <= file->bytes->len)
        memcpy (bytes + place, &value, size);
    }
  }
}

/* A mutated file in a block of its own. */
static guint8 *
make_file (gsize *size)
{
  File file = make_valid ();

  for (guint k = pick (3); k > 0 && file.bytes->len > 0; k--)
    mutate (&file);
  *size = file.bytes->len;
  if (pick (10) == 0)
    *size = pick ((guint) *size + 1);
  guint8 *bytes = g_malloc (MAX (*size, 1));
  memcpy (bytes, file.bytes->data, *size);
  g_byte_array_unref (file.bytes);
  return bytes;
}

/* ---- what must hold ---------------------------------------------------------------------------------------------------- */

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
  float values[50];
  guint64 end = 0;

  for (guint i = 0; i < pmt_safetensors_count (file); i++) {
    const PmtSafetensor *t = pmt_safetensors_at (file, i);
    g_assert_true ((const guint8 *) t->data == bytes + t->offset);
    g_assert_cmpuint (t->offset, <=, size);
    g_assert_cmpuint (t->bytes, <=, size - t->offset);
    g_assert_true (t->bytes == 0 || t->offset >= end);
    end = t->offset + t->bytes;
    g_assert_true (*t->name && g_utf8_validate (t->name, -1, NULL));
    g_assert_true (pmt_safetensors_lookup (file, t->name) == t);
    guint64 count = 1;
    for (int d = 0; d < t->rank; d++)
      count = t->dim[d] == 0 || count == 0 ? 0 : count * (guint64) t->dim[d];
    g_assert_cmpuint (count, ==, t->count);
    if (!pmt_dtype_is_readable (t->dtype) && !pmt_quant_is (t->dtype)) {
      GError *error = NULL;
      g_assert_false (pmt_safetensors_read_f32 (file, t, 0, 0, values, &error));
      g_assert_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED);
      check_sentence (error->message);
      g_error_free (error);
      continue;
    }
    /* steps that cut blocks */
    for (guint64 k = 0; k < count; k += G_N_ELEMENTS (values))
      g_assert_true (pmt_safetensors_read_f32 (file, t, k, MIN (count - k, G_N_ELEMENTS (values)), values, NULL));
  }
}

static void
test_mutations (void)
{
  const char *seed = g_getenv ("PMT_FUZZ_SEED"), *given = g_getenv ("PMT_FUZZ_RUNS");
  guint runs = given ? (guint) g_ascii_strtoull (given, NULL, 10) : 100000, accepted = 0;
  gint64 slowest = 0;

  state = seed ? g_ascii_strtoull (seed, NULL, 10) | 1 : 20260711;
  for (guint i = 0; i < runs; i++) {
    gsize size;
    guint8 *bytes = make_file (&size);
    GError *error = NULL;
    gint64 start = g_get_monotonic_time ();
    alarm (20); /* a hang ends the test */
    PmtSafetensors *file = pmt_gguf_open_memory (bytes, size, "mutated", &error);
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
  g_assert_cmpuint (accepted, <, runs - runs / 4);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fuzz/gguf", test_mutations);
  return g_test_run ();
}
