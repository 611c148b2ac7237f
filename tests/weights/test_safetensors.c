/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every rule of the safetensors format has a file that breaks it; sound files read back; the writer's files are sound. */
#include <math.h>
#include <string.h>

#include "tests/weights/files.h"

#define F32(name, shape, offsets) "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

typedef struct Case {
  const char *name;
  const char *header;
  gsize n_data;
  const char *says; /* NULL = sound */
  guint64 claimed;  /* header length in the file; 0 = the true one */
  gssize size;      /* of the header; 0 = up to its NUL */
} Case;

static const Case cases[] = {
  /* sound ones, at the edges of the rules */
  { "sound", "{" F32 ("a", "[2]", "[0,8]") "," F32 ("b", "[1,1]", "[8,12]") "}", 12, NULL },
  { "sound-no-tensors", "{}", 0, NULL },
  { "sound-spaces-after", "{}      \n\t ", 0, NULL },
  { "sound-scalar", "{" F32 ("a", "[]", "[0,4]") "}", 4, NULL },
  { "sound-empty-tensors",
    "{" F32 ("z", "[0]", "[0,0]") "," F32 ("a", "[1]", "[0,4]") "," F32 ("y", "[3,0]", "[4,4]") "," F32 ("b", "[1]", "[4,8]") "}",
    8, NULL },
  { "sound-empty-huge", "{" F32 ("a", "[4294967296,4294967296,4294967296,0]", "[0,0]") "}", 0, NULL },
  { "sound-metadata", "{\"__metadata__\":{\"format\":\"pt\",\"a\":\"\\u00e9\\ud83d\\ude00\\\"\"}," F32 ("a", "[1]", "[0,4]") "}", 4, NULL },
  { "sound-other-order", "{" F32 ("b", "[1]", "[4,8]") "," F32 ("a", "[1]", "[0,4]") "}", 8, NULL },
  { "sound-unknown-dtype", "{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2, NULL },
  { "sound-unknown-field", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":[1.5e3,-0,{\"y\":null}]}}", 4, NULL },
  { "sound-rank-8", "{" F32 ("a", "[1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, NULL },

  /* the frame */
  { "header-too-long", "{}", 0, "more than the format allows", 100000001, 0 },
  { "header-overflows", "{}", 0, "more than the format allows", G_MAXUINT64, 0 },
  { "header-after-end", "{}", 0, "cut short", 3, 0 },
  { "header-tiny", "{", 0, "does not begin with '{'" },
  { "header-not-object", "[]", 0, "does not begin with '{'" },
  { "header-space-first", " {}", 0, "does not begin with '{'" },
  { "not-utf8", "{\"a\xff\":1}", 0, "UTF-8" },
  { "utf8-surrogate", "{\"a\xed\xa0\x80\":1}", 0, "UTF-8" },

  /* JSON */
  { "json-cut", "{\"a\":{", 0, "not valid JSON" },
  { "json-cut-string", "{\"a", 0, "unfinished string" },
  { "json-comma-last", "{" F32 ("a", "[1]", "[0,4]") ",}", 4, "not valid JSON" },
  { "json-no-colon", "{\"a\" 1}", 0, "':' expected" },
  { "json-single-quotes", "{'a':1}", 0, "not valid JSON" },
  { "json-control", "{\"a\nb\":1}", 0, "control character" },
  { "json-escape", "{\"\\x\":1}", 0, "unknown escape" },
  { "json-escape-hex", "{\"\\u00g0\":1}", 0, "bad \\u escape" },
  { "json-half-surrogate", "{\"\\ud83d\":1}", 0, "surrogate" },
  { "json-low-surrogate", "{\"\\ude00\":1}", 0, "surrogate" },
  { "json-leading-zero", "{\"a\":{\"dtype\":\"F32\",\"shape\":[01],\"data_offsets\":[0,4]}}", 4, "leading zero" },
  { "json-bad-number", "{\"a\":{\"x\":1.}}", 0, "bad number" },
  { "json-bad-word", "{\"a\":{\"x\":nul}}", 0, "value expected" },
  { "trailing-text", "{} {}", 0, "goes on after the end" },
  { "trailing-nul", "{}\0", 0, "goes on after the end", 0, 3 },
  { "too-deep", "{\"a\":{\"x\":[[[[[[[1]]]]]]]}}", 0, "deeper than 8" },
  { "name-nul", "{\"a\\u0000b\":{}}", 0, "NUL" },
  { "name-raw-nul", "{\"a\0b\":{}}", 0, "NUL", 0, 10 },

  /* keys */
  { "duplicate-tensor", "{" F32 ("a", "[1]", "[0,4]") "," F32 ("a", "[1]", "[4,8]") "}", 8, "'a' twice" },
  { "duplicate-escaped", "{" F32 ("a", "[1]", "[0,4]") "," F32 ("\\u0061", "[1]", "[4,8]") "}", 8, "'a' twice" },
  { "duplicate-field", "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "'dtype' twice" },
  { "duplicate-shape", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "'shape' twice" },
  { "duplicate-metadata", "{\"__metadata__\":{\"x\":\"1\",\"x\":\"2\"}}", 0, "'x' twice" },
  { "duplicate-metadata-block", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "'__metadata__' twice" },
  { "duplicate-inner", "{\"a\":{\"x\":{\"y\":1,\"y\":2}}}", 0, "'y' twice" },
  { "metadata-not-object", "{\"__metadata__\":[]}", 0, "__metadata__ is not an object" },
  { "metadata-not-string", "{\"__metadata__\":{\"x\":1}}", 0, "'x' that is not a string" },

  /* entries */
  { "entry-not-object", "{\"a\":[]}", 0, "not an object" },
  { "entry-empty", "{\"a\":{}}", 0, "no dtype" },
  { "no-dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "no dtype" },
  { "no-shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "no shape" },
  { "no-offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "no data_offsets" },
  { "dtype-number", "{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype that is not a string" },
  { "shape-number", "{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, "shape that is not a list" },
  { "shape-string", "{" F32 ("a", "[\"1\"]", "[0,4]") "}", 4, "other than whole numbers" },
  { "shape-negative", "{" F32 ("a", "[-1]", "[0,4]") "}", 4, "negative" },
  { "shape-fraction", "{" F32 ("a", "[1.0]", "[0,4]") "}", 4, "fractional" },
  { "shape-exponent", "{" F32 ("a", "[1e0]", "[0,4]") "}", 4, "fractional" },
  { "shape-over-2-63", "{" F32 ("a", "[9223372036854775808]", "[0,4]") "}", 4, "over 2^63" },
  { "shape-over-2-64", "{" F32 ("a", "[18446744073709551617]", "[0,4]") "}", 4, "over 2^63" },
  { "shape-product", "{" F32 ("a", "[4294967296,4294967296]", "[0,4]") "}", 4, "64 bits" },
  { "shape-bytes", "{" F32 ("a", "[4611686018427387905]", "[0,4]") "}", 4, "64 bits" },
  { "rank-9", "{" F32 ("a", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "more than 8 dimensions" },
  { "offsets-one", "{" F32 ("a", "[1]", "[0]") "}", 4, "only one data offset" },
  { "offsets-three", "{" F32 ("a", "[1]", "[0,4,4]") "}", 4, "more than two" },
  { "offsets-none", "{" F32 ("a", "[1]", "[]") "}", 4, "other than whole numbers" },
  { "offsets-negative", "{" F32 ("a", "[1]", "[-4,0]") "}", 4, "negative" },
  { "offsets-fraction", "{" F32 ("a", "[1]", "[0,4.5]") "}", 4, "fractional" },
  { "offsets-huge", "{" F32 ("a", "[1]", "[0,99999999999999999999]") "}", 4, "over 2^63" },

  /* data */
  { "ends-before-begin", "{" F32 ("a", "[1]", "[4,0]") "}", 4, "before it begins" },
  { "ends-after-file", "{" F32 ("a", "[2]", "[0,8]") "}", 4, "cut short" },
  { "size-wrong", "{" F32 ("a", "[1]", "[0,8]") "}", 8, "takes 8 bytes" },
  { "overlap", "{" F32 ("a", "[2]", "[0,8]") "," F32 ("b", "[2]", "[4,12]") "}", 12, "overlap" },
  { "same-place", "{" F32 ("a", "[1]", "[0,4]") "," F32 ("b", "[1]", "[0,4]") "}", 4, "overlap" },
  { "hole", "{" F32 ("a", "[1]", "[0,4]") "," F32 ("b", "[1]", "[8,12]") "}", 12, "before tensor 'b'" },
  { "hole-first", "{" F32 ("a", "[1]", "[4,8]") "}", 8, "before tensor 'a'" },
  { "rest-at-end", "{" F32 ("a", "[1]", "[0,4]") "}", 5, "at its end" },
  { "data-without-tensors", "{}", 1, "at its end" },
};

static void
test_case (gconstpointer user)
{
  const Case *c = user;
  gsize size;
  g_autofree guint8 *bytes = files_safetensors (c->header, c->size ? c->size : -1, c->claimed, c->n_data, &size);
  g_autofree char *folder = files_folder ();
  g_autofree char *path = g_build_filename (folder, "x.safetensors", NULL);
  g_autoptr (GError) error = NULL;

  files_write (folder, "x.safetensors", bytes, (gssize) size);
  PmtSafetensors *file = pmt_safetensors_open (path, &error);
  files_remove (folder);
  if (!c->says) {
    g_assert_no_error (error);
    for (guint i = 0; i < pmt_safetensors_count (file); i++)
      g_assert_true (pmt_safetensors_lookup (file, pmt_safetensors_at (file, i)->name) == pmt_safetensors_at (file, i));
  } else {
    g_assert_null (file);
    files_assert_error (error, PMT_ERROR_FORMAT, path, c->says);
  }
  pmt_safetensors_free (file);
}

/* What stands under the name of a weight file after a download went wrong. */
static void
test_frame (void)
{
  g_autofree char *folder = files_folder ();
  static const struct {
    const char *name, *bytes, *says;
  } files[] = {
    { "empty", "", "only 0 bytes" },
    { "short", "1234567", "only 7 bytes" },
    { "lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer" },
    { "page", "<!DOCTYPE html><html>no such file</html>", "web page" },
    { "zip", "PK\003\004 archive/data.pkl", "pickled" },
    { "png", "\211PNG\r\n\032\n picture", "it is a picture" },
    { "readme", "# A model\nof mine", "it is text" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *path = g_build_filename (folder, files[i].name, NULL);
    files_write (folder, files[i].name, files[i].bytes, -1);
    g_assert_null (pmt_safetensors_open (path, &error));
    files_assert_error (error, PMT_ERROR_FORMAT, path, files[i].says);
  }
  g_autoptr (GError) missing = NULL, directory = NULL;
  g_autofree char *path = g_build_filename (folder, "none", NULL);
  g_assert_null (pmt_safetensors_open (path, &missing));
  files_assert_error (missing, PMT_ERROR_NOT_FOUND, path, NULL);
  g_assert_null (pmt_safetensors_open (folder, &directory));
  files_assert_error (directory, PMT_ERROR_INPUT, folder, "regular file");
  files_remove (folder);
}

static void
test_too_many (void)
{
  GString *header = g_string_new ("{");
  gsize size;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i <= PMT_SAFETENSORS_MAX_TENSORS; i++)
    g_string_append_printf (header, "%s\"%u\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", i ? "," : "", i);
  g_string_append_c (header, '}');
  g_autofree guint8 *bytes = files_safetensors (header->str, -1, 0, 0, &size);
  g_string_free (header, TRUE);
  g_assert_null (pmt_safetensors_open_memory (bytes, size, "many", &error));
  files_assert_error (error, PMT_ERROR_FORMAT, "more than 100000 tensors", NULL);
}

/* A name of a megabyte with line breaks still gives one short sentence. */
static void
test_long_name (void)
{
  g_autofree char *name = g_strnfill (1 << 20, 'x'), *header = g_strdup_printf ("{\"a\\n\xc3\xa9%s\":{}}", name);
  gsize size;
  g_autofree guint8 *bytes = files_safetensors (header, -1, 0, 0, &size);
  g_autoptr (GError) error = NULL;

  g_assert_null (pmt_safetensors_open_memory (bytes, size, "long", &error));
  files_assert_error (error, PMT_ERROR_FORMAT, "a?\xc3\xa9xxx", "...");
  g_assert_cmpuint (strlen (error->message), <, 600);
}

/* A file by the reference implementation: all number formats, data at odd addresses. */
static void
test_dtypes (void)
{
  static const char *const names[] = { "f32", "f16", "bf16", "f64", "i64" };
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), "weights", "dtypes.safetensors", NULL);
  g_autoptr (GError) error = NULL;
  PmtSafetensors *file = pmt_safetensors_open (path, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (pmt_safetensors_metadata (file, "modelspec.title"), ==, "number formats");
  g_assert_null (pmt_safetensors_metadata (file, "nothing"));
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *expected = g_strconcat (names[i], ".expected", NULL);
    const PmtSafetensor *t = pmt_safetensors_lookup (file, names[i]), *e = pmt_safetensors_lookup (file, expected);
    float got[16], want[16];
    g_assert_nonnull (t);
    g_assert_cmpuint (t->count, ==, e->count);
    g_assert_true (pmt_safetensors_read_f32 (file, t, 0, t->count, got, &error));
    g_assert_true (pmt_safetensors_read_f32 (file, e, 0, e->count, want, &error));
    g_assert_cmpint (memcmp (got, want, t->count * sizeof *got), ==, 0);
    /* a range in the middle */
    g_assert_true (pmt_safetensors_read_f32 (file, t, 2, 3, got, &error));
    g_assert_cmpint (memcmp (got, want + 2, 3 * sizeof *got), ==, 0);
  }
  const PmtSafetensor *u8 = pmt_safetensors_lookup (file, "u8"), *empty = pmt_safetensors_lookup (file, "empty");
  float value;
  g_assert_cmpuint (empty->count, ==, 0);
  g_assert_cmpint (empty->rank, ==, 3);
  g_assert_cmpint (pmt_safetensors_lookup (file, "scalar")->rank, ==, 0);
  g_assert_false (pmt_safetensors_read_f32 (file, u8, 0, 1, &value, &error));
  files_assert_error (error, PMT_ERROR_UNSUPPORTED, "'u8'", "U8");
  g_assert_null (pmt_safetensors_lookup (file, "f3"));
  g_assert_null (pmt_safetensors_lookup (file, "f322"));
  pmt_safetensors_free (file);
}

static void
test_write (void)
{
  g_autofree char *folder = files_folder ();
  g_autofree char *path = g_build_filename (folder, "out.safetensors", NULL);
  g_autoptr (GHashTable) metadata = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GError) error = NULL;
  const float values[6] = { 1, 2, 3, -0.0f, 5, INFINITY };
  const gint64 whole[2] = { -7, G_MAXINT64 };
  const PmtSafetensorOut tensors[] = {
    { "first \"quoted\" \\ \001 \xc3\xa9", PMT_DTYPE_F32, 2, { 2, 3 }, values },
    { "second", PMT_DTYPE_I64, 1, { 2 }, whole },
    { "none", PMT_DTYPE_F32, 1, { 0 }, NULL },
    { "scalar", PMT_DTYPE_F32, 0, { 0 }, values + 4 },
  };
  const PmtSafetensorOut twice[] = { tensors[1], tensors[1] };

  g_hash_table_insert (metadata, "b", "2");
  g_hash_table_insert (metadata, "a", "1 \" \n");
  g_assert_true (pmt_safetensors_write (path, tensors, 4, metadata, &error));
  g_assert_no_error (error);
  PmtSafetensors *file = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (pmt_safetensors_count (file), ==, 4);
  g_assert_cmpstr (pmt_safetensors_metadata (file, "a"), ==, "1 \" \n");
  const PmtSafetensor *first = pmt_safetensors_lookup (file, tensors[0].name);
  g_assert_nonnull (first);
  g_assert_cmpmem (first->data, first->bytes, values, sizeof values);
  g_assert_cmpint (first->dim[1], ==, 3);
  g_assert_cmpuint (first->offset % 8, ==, 0);
  g_assert_cmpmem (pmt_safetensors_lookup (file, "second")->data, 16, whole, sizeof whole);
  pmt_safetensors_free (file);

  g_assert_false (pmt_safetensors_write (path, twice, 2, NULL, &error));
  files_assert_error (error, PMT_ERROR_INPUT, "'second'", NULL);
  g_clear_error (&error);
  g_autofree char *nowhere = g_build_filename (folder, "no", "out.safetensors", NULL);
  g_assert_false (pmt_safetensors_write (nowhere, tensors, 1, NULL, &error));
  files_assert_error (error, PMT_ERROR_IO, nowhere, NULL);

  /* nothing but the file stays behind */
  GDir *dir = g_dir_open (folder, 0, NULL);
  g_assert_cmpstr (g_dir_read_name (dir), ==, "out.safetensors");
  g_assert_null (g_dir_read_name (dir));
  g_dir_close (dir);
  files_remove (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = g_strconcat ("/safetensors/", cases[i].name, NULL);
    g_test_add_data_func (path, &cases[i], test_case);
  }
  g_test_add_func ("/safetensors/frame", test_frame);
  g_test_add_func ("/safetensors/too-many", test_too_many);
  g_test_add_func ("/safetensors/long-name", test_long_name);
  g_test_add_func ("/safetensors/dtypes", test_dtypes);
  g_test_add_func ("/safetensors/write", test_write);
  return g_test_run ();
}
