/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where named tensors come from: files, shards, variants, single files, random numbers; and how they are handed out. */
#include <math.h>
#include <string.h>

#include "engine/weights/source.h"
#include "tests/weights/files.h"

#define STEM "diffusion_pytorch_model"

static void
write_tensors (const char *folder, const char *name, const PmtSafetensorOut *tensors, guint n)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autoptr (GError) error = NULL;
  pmt_safetensors_write (path, tensors, n, NULL, &error);
  g_assert_no_error (error);
}

/* A file whose only tensor "a" holds one number. */
static void
write_number (const char *folder, const char *name, const char *tensor, float value)
{
  const PmtSafetensorOut out = { tensor, PMT_DTYPE_F32, 1, { 1 }, &value };
  write_tensors (folder, name, &out, 1);
}

static float
read_number (PmtWeights *weights, const char *name)
{
  const int64_t one = 1;
  float value = NAN;
  g_autoptr (GError) error = NULL;
  pmt_weights_read_packed (weights, name, PMT_LAYOUT_PLAIN, 1, &one, &value, &error);
  g_assert_no_error (error);
  return value;
}

static void
test_packing (void)
{
  enum { OUT = 3, IN = 4, H = 2, W = 5 };
  float conv[OUT * IN * H * W], got[OUT * IN * H * W];
  const int64_t dim[4] = { OUT, IN, H, W }, matrix[2] = { 6, 20 }, padded[4] = { 6, 20, 1, 1 }, square[4] = { 20, 6, 1, 1 };
  g_autofree char *folder = files_folder ();
  g_autofree char *path = g_build_filename (folder, "w.safetensors", NULL);
  g_autoptr (GError) error = NULL;

  for (int i = 0; i < OUT * IN * H * W; i++)
    conv[i] = (float) i;
  const PmtSafetensorOut tensors[] = { { "conv", PMT_DTYPE_F32, 4, { OUT, IN, H, W }, conv },
                                       { "linear", PMT_DTYPE_F32, 2, { 6, 20 }, conv },
                                       { "linear4", PMT_DTYPE_F32, 4, { 6, 20, 1, 1 }, conv } };
  write_tensors (folder, "w.safetensors", tensors, 3);
  PmtWeights *weights = pmt_weights_new_file (path, PMT_NAMES_PLAIN, &error);
  g_assert_no_error (error);

  g_assert_true (pmt_weights_read_packed (weights, "conv", PMT_LAYOUT_OHWI, 4, dim, got, &error));
  for (int o = 0; o < OUT; o++)
    for (int i = 0; i < IN; i++)
      for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
          g_assert_cmpfloat (got[((o * H + y) * W + x) * IN + i], ==, conv[((o * IN + i) * H + y) * W + x]);

  /* 1x1 kernels and matrices stand for each other, both ways */
  g_assert_true (pmt_weights_read_packed (weights, "linear", PMT_LAYOUT_OHWI, 4, padded, got, &error));
  g_assert_cmpmem (got, 120 * sizeof *got, conv, 120 * sizeof *got);
  g_assert_true (pmt_weights_read_packed (weights, "linear4", PMT_LAYOUT_PLAIN, 2, matrix, got, &error));
  g_assert_cmpmem (got, 120 * sizeof *got, conv, 120 * sizeof *got);

  g_assert_true (pmt_weights_read_rows (weights, "linear", 6, 20, 4, 2, got, &error));
  g_assert_cmpmem (got, 40 * sizeof *got, conv + 80, 40 * sizeof *got);

  /* other shapes of the same size do not */
  g_assert_false (pmt_weights_read_packed (weights, "linear", PMT_LAYOUT_OHWI, 4, square, got, &error));
  files_assert_error (error, PMT_ERROR_FORMAT, path, "[6,20] where [20,6,1,1]");
  g_clear_error (&error);
  g_assert_false (pmt_weights_read_packed (weights, "conv2", PMT_LAYOUT_PLAIN, 2, matrix, got, &error));
  files_assert_error (error, PMT_ERROR_NOT_FOUND, path, "'conv2'");
  pmt_weights_free (weights);
  files_remove (folder);
}

/* Which of several files of a component is taken. */
static void
test_variants (void)
{
  static const struct {
    const char *files[4];
    const char *variant;
    int wanted; /* index of the file; -1 = refused */
    PmtError code;
    const char *says;
  } cases[] = {
    { { STEM ".safetensors", STEM ".fp16.safetensors" }, NULL, 0, 0, NULL },
    { { STEM ".safetensors", STEM ".fp16.safetensors" }, "fp16", 1, 0, NULL },
    { { STEM ".non_ema.safetensors", STEM ".fp16.safetensors" }, NULL, 1, 0, NULL },
    { { STEM ".non_ema.safetensors" }, NULL, 0, 0, NULL },
    { { STEM ".non_ema.safetensors", STEM ".ema.safetensors" }, NULL, -1, PMT_ERROR_INPUT, "2 variants" },
    { { STEM ".safetensors" }, "fp16", -1, PMT_ERROR_NOT_FOUND, STEM ".fp16.safetensors" },
    { { "model.safetensors" }, NULL, -1, PMT_ERROR_NOT_FOUND, STEM ".safetensors" },
    { { STEM ".bin" }, NULL, -1, PMT_ERROR_UNSUPPORTED, "pickled" },
    { { STEM "-00001-of-00002.safetensors", STEM "-00002-of-00002.safetensors" }, NULL, -1, PMT_ERROR_NOT_FOUND, STEM ".safetensors.index.json" },
    { { STEM ".fp16-00001-of-00002.safetensors" }, NULL, -1, PMT_ERROR_NOT_FOUND, "without their index" },
    { { STEM ".bin", STEM ".fp16.safetensors" }, NULL, 1, 0, NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *folder = files_folder ();
    g_autoptr (GError) error = NULL;
    for (int k = 0; k < 4 && cases[i].files[k]; k++)
      write_number (folder, cases[i].files[k], "a", (float) k);
    PmtWeights *weights = pmt_weights_new_folder (folder, STEM, cases[i].variant, PMT_NAMES_PLAIN, &error);
    if (cases[i].wanted >= 0) {
      g_assert_no_error (error);
      g_assert_cmpfloat (read_number (weights, "a"), ==, (float) cases[i].wanted);
    } else {
      g_assert_null (weights);
      files_assert_error (error, (int) cases[i].code, folder, cases[i].says);
    }
    pmt_weights_free (weights);
    files_remove (folder);
  }
}

typedef struct ShardCase {
  const char *name, *index_name, *index;
  PmtError code;
  const char *says; /* NULL = sound */
} ShardCase;

#define ONE STEM "-00001-of-00002.safetensors"
#define TWO STEM "-00002-of-00002.safetensors"
#define PLAIN_INDEX STEM ".safetensors.index.json"

static const ShardCase shard_cases[] = {
  { "/shards/sound", PLAIN_INDEX, "{\"metadata\":{\"total_size\":8},\"weight_map\":{\"a\":\"" ONE "\",\"b\":\"" TWO "\"}}", 0, NULL },
  { "/shards/fp16-a", STEM ".fp16.safetensors.index.json", "{\"weight_map\":{\"a\":\"" ONE "\",\"b\":\"" TWO "\"}}", 0, NULL },
  { "/shards/fp16-b", STEM ".safetensors.index.fp16.json", "{\"weight_map\":{\"a\":\"" ONE "\",\"b\":\"" TWO "\"}}", 0, NULL },
  { "/shards/fp16-c", STEM ".safetensors.fp16.index.json", "{\"weight_map\":{\"a\":\"" ONE "\",\"b\":\"" TWO "\"}}", 0, NULL },
  { "/shards/bf16-a", STEM ".bf16.safetensors.index.json", "{\"weight_map\":{\"a\":\"" ONE "\",\"b\":\"" TWO "\"}}", 0, NULL },
  { "/shards/bf16-b", STEM ".safetensors.index.bf16.json", "{\"weight_map\":{\"a\":\"" ONE "\",\"b\":\"" TWO "\"}}", 0, NULL },
  { "/shards/bf16-c", STEM ".safetensors.bf16.index.json", "{\"weight_map\":{\"a\":\"" ONE "\",\"b\":\"" TWO "\"}}", 0, NULL },
  { "/shards/wrong-shard", PLAIN_INDEX, "{\"weight_map\":{\"a\":\"" TWO "\"}}", PMT_ERROR_FORMAT, "tensor 'a'" },
  { "/shards/missing-shard", PLAIN_INDEX, "{\"weight_map\":{\"a\":\"c.safetensors\"}}", PMT_ERROR_NOT_FOUND, "'c.safetensors'" },
  { "/shards/slash", PLAIN_INDEX, "{\"weight_map\":{\"a\":\"x/" ONE "\"}}", PMT_ERROR_FORMAT, "not a plain file name" },
  { "/shards/backslash", PLAIN_INDEX, "{\"weight_map\":{\"a\":\"x\\\\y\"}}", PMT_ERROR_FORMAT, "not a plain file name" },
  { "/shards/parent", PLAIN_INDEX, "{\"weight_map\":{\"a\":\"..\"}}", PMT_ERROR_FORMAT, "not a plain file name" },
  { "/shards/absolute", PLAIN_INDEX, "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", PMT_ERROR_FORMAT, "not a plain file name" },
  { "/shards/number", PLAIN_INDEX, "{\"weight_map\":{\"a\":1}}", PMT_ERROR_FORMAT, "not a plain file name" },
  { "/shards/empty", PLAIN_INDEX, "{\"weight_map\":{}}", PMT_ERROR_FORMAT, "no weight_map" },
  { "/shards/none", PLAIN_INDEX, "{\"metadata\":{}}", PMT_ERROR_FORMAT, "no weight_map" },
  { "/shards/no-json", PLAIN_INDEX, "{\"weight_map\":", PMT_ERROR_FORMAT, "not valid JSON" },
};

static void
test_shards (gconstpointer user)
{
  const ShardCase *c = user;
  g_autofree char *folder = files_folder ();
  g_autoptr (GError) error = NULL;

  write_number (folder, ONE, "a", 1);
  write_number (folder, TWO, "b", 2);
  files_write (folder, c->index_name, c->index, -1);
  PmtWeights *weights = pmt_weights_new_folder (folder, STEM, NULL, PMT_NAMES_PLAIN, &error);
  if (c->says) {
    g_assert_null (weights);
    files_assert_error (error, (int) c->code, folder, c->says);
  } else {
    g_assert_no_error (error);
    g_assert_cmpfloat (read_number (weights, "a"), ==, 1);
    g_assert_cmpfloat (read_number (weights, "b"), ==, 2);
    g_assert_false (pmt_weights_has (weights, "c"));
    g_auto (GStrv) names = pmt_weights_names (weights);
    g_assert_cmpuint (g_strv_length (names), ==, 2);
    PmtWeightInfo info;
    g_assert_true (pmt_weights_lookup (weights, "b", &info));
    g_assert_true (g_str_has_suffix (info.file, TWO));
  }
  pmt_weights_free (weights);
  files_remove (folder);
}

/* Every tensor of a single-file checkpoint is found under its diffusers name, with its own values. */
static void
test_single_file (void)
{
  JsonObject *model = json_object_get_object_member (files_names (), "small");
  static const struct {
    const char *name, *prefix;
    PmtNames names;
    int layers, levels;
  } parts[] = { { "unet", "model.diffusion_model.", PMT_NAMES_UNET, 1, 3 },
                { "vae", "first_stage_model.", PMT_NAMES_VAE, 1, 2 },
                { "text_encoder", "cond_stage_model.transformer.", PMT_NAMES_CLIP_TEXT, 0, 0 } };
  g_autofree char *folder = files_folder ();
  g_autoptr (GArray) out = g_array_new (FALSE, FALSE, sizeof (PmtSafetensorOut));
  g_autoptr (GError) error = NULL;
  float marks[2000];
  guint n = 0;

  /* one value per tensor is enough to tell them apart; shapes are test_model's subject */
  for (guint p = 0; p < G_N_ELEMENTS (parts); p++) {
    JsonArray *names = json_object_get_array_member (model, parts[p].name);
    for (guint i = 0; i < json_array_get_length (names); i++, n++) {
      g_assert_cmpuint (n, <, G_N_ELEMENTS (marks));
      marks[n] = (float) n;
      PmtSafetensorOut t = { json_array_get_string_element (json_array_get_array_element (names, i), 1), PMT_DTYPE_F32, 1, { 1 }, &marks[n] };
      g_array_append_val (out, t);
    }
  }
  write_tensors (folder, "single.safetensors", (PmtSafetensorOut *) (void *) out->data, out->len);
  g_autofree char *path = g_build_filename (folder, "single.safetensors", NULL);
  PmtSafetensors *file = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
  n = 0;
  for (guint p = 0; p < G_N_ELEMENTS (parts); p++) {
    JsonArray *names = json_object_get_array_member (model, parts[p].name);
    PmtWeights *view = pmt_weights_new_single_file (file, parts[p].prefix, parts[p].names, parts[p].layers, parts[p].levels);
    for (guint i = 0; i < json_array_get_length (names); i++, n++)
      g_assert_cmpfloat (read_number (view, json_array_get_string_element (json_array_get_array_element (names, i), 0)), ==, (float) n);
    g_auto (GStrv) listed = pmt_weights_names (view);
    g_assert_cmpuint (g_strv_length (listed), ==, json_array_get_length (names));
    g_assert_false (pmt_weights_has (view, "no.such.tensor"));
    pmt_weights_drop_pages (view);
    pmt_weights_free (view);
  }
  pmt_safetensors_free (file);
  files_remove (folder);
}

static void
moments (const float *values, int n, double *mean, double *deviation)
{
  double sum = 0, squares = 0;
  for (int i = 0; i < n; i++) {
    sum += values[i];
    squares += (double) values[i] * values[i];
  }
  *mean = sum / n;
  *deviation = sqrt (squares / n - *mean * *mean);
}

static void
test_random (void)
{
  enum { N = 64 * 400 };
  static float a[N], b[N];
  const int64_t dim[2] = { 64, 400 }, scale[1] = { N };
  PmtWeights *one = pmt_weights_new_random (1), *again = pmt_weights_new_random (1), *two = pmt_weights_new_random (2);
  double mean, deviation;
  g_autoptr (GError) error = NULL;

  g_assert_true (pmt_weights_read_packed (one, "x.weight", PMT_LAYOUT_PLAIN, 2, dim, a, &error));
  moments (a, N, &mean, &deviation);
  g_assert_cmpfloat (fabs (mean), <, 0.002);
  g_assert_cmpfloat (fabs (deviation * 20 - 1), <, 0.02); /* 1/sqrt(400) */
  g_assert_true (pmt_weights_read_packed (again, "x.weight", PMT_LAYOUT_PLAIN, 2, dim, b, &error));
  g_assert_cmpmem (a, sizeof a, b, sizeof b);
  g_assert_true (pmt_weights_read_rows (one, "x.weight", 64, 400, 10, 3, b, &error));
  g_assert_cmpmem (a + 4000, 1200 * sizeof *a, b, 1200 * sizeof *b);
  g_assert_true (pmt_weights_read_packed (two, "x.weight", PMT_LAYOUT_PLAIN, 2, dim, b, &error));
  g_assert_cmpfloat (a[7], !=, b[7]);
  g_assert_true (pmt_weights_read_packed (one, "y.weight", PMT_LAYOUT_PLAIN, 2, dim, b, &error));
  g_assert_cmpfloat (a[7], !=, b[7]);
  g_assert_true (pmt_weights_read_packed (one, "norm.weight", PMT_LAYOUT_PLAIN, 1, scale, b, &error));
  moments (b, N, &mean, &deviation);
  g_assert_cmpfloat (fabs (mean - 1), <, 0.01);
  g_assert_cmpfloat (deviation, <, 0.2);
  pmt_weights_free (one);
  pmt_weights_free (again);
  pmt_weights_free (two);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sources/packing", test_packing);
  g_test_add_func ("/sources/variants", test_variants);
  for (guint i = 0; i < G_N_ELEMENTS (shard_cases); i++)
    g_test_add_data_func (shard_cases[i].name, &shard_cases[i], test_shards);
  g_test_add_func ("/sources/single-file", test_single_file);
  g_test_add_func ("/sources/random", test_random);
  return g_test_run ();
}
