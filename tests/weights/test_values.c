/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values against other programs' readings of the same files. Text encoders in OpenCLIP's names against diffusers' conversion of the same files (make_name_lists.py): joined projections cut in three
 * and the turned text projection, to the bit, whole and in pieces; and GGUF files against the gguf package (make_gguf.py). */
#include <string.h>

#include "engine/weights/derive.h"
#include "engine/weights/source_files.h"
#include "engine/weights/tensor_file.h"
#include "tests/weights/files.h"

static PmtSafetensors *
open_data (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), folder, name, NULL);
  g_autoptr (GError) error = NULL;
  PmtSafetensors *file = pmt_tensor_file_open (path, &error);
  g_assert_no_error (error);
  return file;
}

/* Every tensor of `expected` comes out of `weights`; matrices also by rows. */
static void
compare_values (PmtWeights *weights, const PmtSafetensors *expected)
{
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < pmt_safetensors_count (expected); i++) {
    const PmtSafetensor *t = pmt_safetensors_at (expected, i);
    g_autofree float *want = g_new (float, t->count), *got = g_new (float, t->count);
    g_assert_true (pmt_safetensors_read_f32 (expected, t, 0, t->count, want, &error));
    pmt_weights_read_packed (weights, t->name, PMT_LAYOUT_PLAIN, t->rank, t->dim, got, &error);
    g_assert_no_error (error);
    g_assert_cmpmem (got, t->count * sizeof *got, want, t->count * sizeof *want);
    if (t->rank != 2)
      continue;
    for (int64_t row = 0; row < t->dim[0]; row++) {
      g_assert_true (pmt_weights_read_rows (weights, t->name, t->dim[0], t->dim[1], row, 1, got, &error));
      g_assert_cmpmem (got, (size_t) t->dim[1] * sizeof *got, want + row * t->dim[1], (size_t) t->dim[1] * sizeof *want);
    }
  }
}

static void
test_open_clip (gconstpointer user)
{
  const char *name = user;
  const gboolean drops = strcmp (name, "first") == 0;
  g_autofree char *stored_name = g_strdup_printf ("open-clip-%s.safetensors", name),
                  *expected_name = g_strdup_printf ("open-clip-%s.expected.safetensors", name);
  PmtSafetensors *stored = open_data ("lists", stored_name), *expected = open_data ("lists", expected_name);
  const char *prefix;
  PmtSpelling spelling;

  g_assert_true (pmt_derive_find (stored, PMT_NAMES_CLIP_TEXT, &prefix, &spelling));
  g_assert_cmpint (spelling.names, ==, PMT_NAMES_OPEN_CLIP);
  PmtWeights *weights = pmt_weights_new_view (stored, prefix, &spelling);
  compare_values (weights, expected);

  /* what the source lists is what was expected, and what SD 2 leaves out: one layer and the projection */
  g_auto (GStrv) names = pmt_weights_names (weights);
  guint known = 0;
  for (guint i = 0; names[i]; i++)
    known += pmt_safetensors_lookup (expected, names[i]) != NULL;
  g_assert_cmpuint (known, ==, pmt_safetensors_count (expected));
  g_assert_cmpuint (g_strv_length (names), ==, known + (drops ? 17 : 0));
  g_autoptr (JsonObject) config = pmt_derive_text (weights, "{\"projection_dim\":1}", drops);
  g_assert_cmpint (json_object_get_int_member (config, "num_hidden_layers"), ==, 2);
  g_assert_cmpint (json_object_get_int_member (config, "hidden_size"), ==, 12);
  g_assert_cmpint (json_object_get_int_member (config, "projection_dim"), ==, 8);
  pmt_weights_free (weights);
  pmt_safetensors_free (stored);
  pmt_safetensors_free (expected);
}

/* A projection that cannot be cut in three is refused by its shape. */
static void
test_uneven (void)
{
  g_autofree char *folder = files_folder ();
  const gint64 tokens[2] = { 5, 4 }, joined[2] = { 13, 4 }, wanted[2] = { 4, 4 };
  float values[16];
  g_autoptr (GError) error = NULL;
  const char *prefix;
  PmtSpelling spelling;
  FilesSparse *sparse = files_sparse_new ("F32", 4);

  files_sparse_add_one (sparse, "token_embedding.weight", 2, tokens);
  files_sparse_add_one (sparse, "transformer.resblocks.0.attn.in_proj_weight", 2, joined);
  g_autofree char *path = files_sparse_write (sparse, folder, "x.safetensors");
  PmtSafetensors *file = pmt_tensor_file_open (path, &error);
  g_assert_true (pmt_derive_find (file, PMT_NAMES_CLIP_TEXT, &prefix, &spelling));
  PmtWeights *weights = pmt_weights_new_view (file, prefix, &spelling);
  g_assert_false (pmt_weights_read_packed (weights, "text_model.encoder.layers.0.self_attn.v_proj.weight", PMT_LAYOUT_PLAIN, 2, wanted, values, &error));
  files_assert_error (error, PMT_ERROR_FORMAT, "[13,4] where [4,4]", path);
  pmt_weights_free (weights);
  pmt_safetensors_free (file);
  files_remove (folder);
}

/* ---- GGUF ------------------------------------------------------------------------------------------------------------------ */

static void
test_gguf (void)
{
  PmtSafetensors *file = open_data ("gguf", "formats.gguf"), *expected = open_data ("gguf", "expected.safetensors");
  guint readable = 0;

  for (guint i = 0; i < pmt_safetensors_count (expected); i++) {
    const PmtSafetensor *want = pmt_safetensors_at (expected, i), *have = pmt_safetensors_lookup (file, want->name);
    g_autofree float *a = g_new (float, want->count), *b = g_new (float, want->count);
    g_autoptr (GError) error = NULL;
    g_assert_nonnull (have);
    g_assert_cmpint (have->rank, ==, want->rank);
    g_assert_cmpmem (have->dim, sizeof have->dim, want->dim, sizeof want->dim);
    g_assert_true (pmt_safetensors_read_f32 (expected, want, 0, want->count, a, &error));
    g_assert_true (pmt_safetensors_read_f32 (file, have, 0, have->count, b, &error));
    g_assert_cmpmem (a, want->count * sizeof *a, b, want->count * sizeof *b);
    /* pieces that begin and end inside blocks */
    for (guint64 at = 0; at + 45 <= want->count; at += 37) {
      g_assert_true (pmt_safetensors_read_f32 (file, have, at, 45, b, &error));
      g_assert_cmpmem (a + at, 45 * sizeof *a, b, 45 * sizeof *b);
    }
    readable++;
  }
  g_assert_cmpuint (readable, ==, 10);
  g_assert_cmpstr (pmt_safetensors_metadata (file, "general.architecture"), ==, "sd1");

  /* a format whose values cannot be read is named, and does not keep the file from being opened */
  const PmtSafetensor *k = pmt_safetensors_lookup (file, "quant.q4_k");
  g_autoptr (GError) error = NULL;
  float value;
  g_assert_nonnull (k);
  g_assert_false (pmt_safetensors_read_f32 (file, k, 0, 1, &value, &error));
  files_assert_error (error, PMT_ERROR_UNSUPPORTED, "quant.q4_k' is stored as Q4_K", "F16 or F32");
  pmt_safetensors_free (file);
  pmt_safetensors_free (expected);
}

/* A small UNet in a GGUF file is found, told and read like one in safetensors. */
static void
test_gguf_model (void)
{
  PmtSafetensors *file = open_data ("gguf", "formats.gguf");
  const int64_t dim[4] = { 8, 4, 3, 3 };
  static float values[8 * 4 * 3 * 3];
  g_autoptr (GError) error = NULL;
  const char *prefix;
  PmtSpelling spelling;

  g_assert_true (pmt_derive_find (file, PMT_NAMES_UNET, &prefix, &spelling));
  g_assert_cmpstr (prefix, ==, "model.diffusion_model.");
  g_assert_true (spelling.ldm);
  PmtWeights *weights = pmt_weights_new_view (file, prefix, &spelling);
  pmt_weights_read_packed (weights, "conv_in.weight", PMT_LAYOUT_OHWI, 4, dim, values, &error);
  g_assert_no_error (error);
  pmt_weights_free (weights);
  pmt_safetensors_free (file);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/open-clip/first", "first", test_open_clip);
  g_test_add_data_func ("/open-clip/second", "second", test_open_clip);
  g_test_add_func ("/open-clip/uneven", test_uneven);
  g_test_add_func ("/gguf/values", test_gguf);
  g_test_add_func ("/gguf/model", test_gguf_model);
  return g_test_run ();
}
