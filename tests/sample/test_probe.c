/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A Stable Diffusion 2 model whose files don't say what its UNet predicts: one evaluation tells, once. The networks are zeros but for the
 * UNet's last bias, which is then what comes out. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "engine/job/job.h"
#include "engine/weights/config.h"
#include "tests/sample/runs.h"

static const char unet_text[] =
  "{\"cross_attention_dim\":1024,\"block_out_channels\":[8,8],\"layers_per_block\":1,\"norm_num_groups\":4,\"attention_head_dim\":2,"
  "\"down_block_types\":[\"CrossAttnDownBlock2D\",\"DownBlock2D\"],\"up_block_types\":[\"UpBlock2D\",\"CrossAttnUpBlock2D\"]}";
static const char text_text[] =
  "{\"hidden_size\":1024,\"intermediate_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":2,\"max_position_embeddings\":20,"
  "\"vocab_size\":534,\"hidden_act\":\"gelu\"}";

/* All weights of a pool as a safetensors file of zeros, `last` in every value of the tensor called `name`. */
static void
write_weights (const PmtWeightPool *pool, const char *path, const char *name, float last)
{
  PmtContext ctx = { .dry = true };
  g_autoptr (GString) header = g_string_new ("{");
  guint64 at = 0, from = 0, n = 0;
  for (int ref = 1; ref <= pmt_weight_pool_count (pool); ref++) {
    PmtShape s = pmt_weight (&ctx, pool, ref).shape;
    if (s.rank == 4) /* stored as PyTorch has it */
      s = PMT_SHAPE4 (s.dim[0], s.dim[3], s.dim[1], s.dim[2]);
    const guint64 bytes = (guint64) pmt_shape_size (&s) * sizeof (float);
    if (g_strcmp0 (pmt_weight_pool_name (pool, ref), name) == 0) {
      from = at;
      n = bytes / sizeof (float);
    }
    g_string_append_printf (header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", ref > 1 ? "," : "", pmt_weight_pool_name (pool, ref));
    for (int i = 0; i < s.rank; i++)
      g_string_append_printf (header, "%s%" G_GINT64_FORMAT, i ? "," : "", (gint64) s.dim[i]);
    g_string_append_printf (header, "],\"data_offsets\":[%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT "]}", at, at + bytes);
    at += bytes;
  }
  g_string_append_c (header, '}');
  const guint64 size = GUINT64_TO_LE (header->len);
  g_string_prepend_len (header, (const char *) &size, sizeof size);
  int fd = g_open (path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, header->str, header->len), ==, (gssize) header->len);
  g_assert_cmpint (ftruncate (fd, (off_t) (header->len + at)), ==, 0);
  for (guint64 i = 0; i < n; i++)
    g_assert_cmpint (pwrite (fd, &last, sizeof last, (off_t) (header->len + from + i * sizeof last)), ==, sizeof last);
  close (fd);
}

static char *
part (const char *folder, const char *name, const char *config)
{
  g_autofree char *inner = g_build_filename (folder, name, NULL);
  g_assert_cmpint (g_mkdir_with_parents (inner, 0700), ==, 0);
  g_autofree char *file = g_build_filename (inner, "config.json", NULL);
  g_assert_true (g_file_set_contents (file, config, -1, NULL));
  return g_build_filename (inner, strcmp (name, "unet") == 0 ? "diffusion_pytorch_model.safetensors" : "model.safetensors", NULL);
}

/* A part of the tiny SD 2 model of the other tests, by a link. */
static void
borrow (const char *folder, const char *name)
{
  g_autofree char *from = g_build_filename (g_getenv ("PMT_TEST_DATA"), "families", "sd2", name, NULL);
  g_autofree char *whole = g_canonicalize_filename (from, NULL), *to = g_build_filename (folder, name, NULL);
  g_assert_cmpint (symlink (whole, to), ==, 0);
}

static char *
make_model (float last)
{
  GError *error = NULL;
  char *folder = g_dir_make_tmp ("pmt-probe-XXXXXX", NULL);
  PmtUnetConfig unet_config;
  PmtClipTextConfig text_config;
  g_autoptr (JsonObject) a = pmt_config_from_text (unet_text, "unet"), b = pmt_config_from_text (text_text, "text");
  g_assert_true (pmt_unet_config_parse (a, "unet", &unet_config, &error));
  g_assert_true (pmt_clip_text_config_parse (b, "text", &text_config, &error));
  PmtUnet *unet = pmt_unet_new (&unet_config, NULL, NULL, &error);
  PmtClipText *text = pmt_clip_text_new (&text_config, NULL, NULL, &error);
  g_autofree char *unet_file = part (folder, "unet", unet_text), *text_file = part (folder, "text_encoder", text_text);
  write_weights (pmt_unet_weights (unet), unet_file, "conv_out.bias", last);
  write_weights (pmt_clip_text_weights (text), text_file, NULL, 0);
  pmt_unet_free (unet);
  pmt_clip_text_free (text);
  borrow (folder, "vae");
  borrow (folder, "tokenizer");
  return folder;
}

static void
remove_model (const char *folder)
{
  static const char *const files[] = { "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "unet", "text_encoder/config.json",
                                       "text_encoder/model.safetensors", "text_encoder", "vae", "tokenizer", "" };
  for (size_t i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *path = g_build_filename (folder, files[i], NULL);
    g_assert_cmpint (g_remove (path), ==, 0);
  }
}

static void
assert_predicts (float last, PmtPrediction wanted)
{
  GError *error = NULL;
  g_autofree char *folder = make_model (last);
  PmtModel *model = pmt_model_open (folder, &error);
  g_assert_no_error (error);
  g_assert_false (pmt_model_prediction_known (model));
  PmtRequest q = { .model = model, .prompt = "a red circle", .width = 16, .height = 8, .steps = 1, .guidance = 1, .strength = 1,
                   .sampler = pmt_sampler_find ("ddim", NULL) };
  PmtCost before, after;
  pmt_run_cost (&q, &before, &error);
  g_assert_no_error (error);
  g_assert_false (pmt_model_prediction_known (model)); /* a dry run learns nothing */

  /* What the request says goes before, and nothing is tried out. */
  const PmtPrediction other = PMT_PREDICT_SAMPLE;
  q.prediction = &other;
  PmtResult result = runs_do (&q);
  g_assert_cmpint (result.prediction, ==, PMT_PREDICT_SAMPLE);
  g_assert_false (pmt_model_prediction_known (model));
  pmt_result_clear (&result);

  q.prediction = NULL;
  result = runs_do (&q);
  g_assert_cmpint (result.prediction, ==, wanted);
  g_assert_true (pmt_model_prediction_known (model));
  g_assert_cmpint (pmt_model_schedule (model)->prediction, ==, wanted);
  pmt_result_clear (&result);
  g_assert_true (pmt_run_cost (&q, &after, NULL));
  g_assert_cmpfloat (after.flops, <, before.flops); /* once is enough */
  pmt_model_unref (model);
  remove_model (folder);
}

static void
test_noise (void)
{
  assert_predicts (0.0f, PMT_PREDICT_EPSILON);
}

static void
test_velocity (void)
{
  assert_predicts (-3.0f, PMT_PREDICT_V);
}

/* ---- the size that goes with it ---------------------------------------------------------------------------------------- */

/* As it is told for a single file without a config. */
static const char file_text[] =
  "{\"cross_attention_dim\":1024,\"block_out_channels\":[160,160,160,160],\"layers_per_block\":1,\"norm_num_groups\":32,"
  "\"attention_head_dim\":[5,10,20,20],\"use_linear_projection\":true,"
  "\"down_block_types\":[\"DownBlock2D\",\"DownBlock2D\",\"DownBlock2D\",\"CrossAttnDownBlock2D\"],"
  "\"up_block_types\":[\"CrossAttnUpBlock2D\",\"UpBlock2D\",\"UpBlock2D\",\"UpBlock2D\"]}";

static char *
make_file (const char *folder)
{
  GError *error = NULL;
  PmtUnetConfig config;
  char *path = g_build_filename (folder, "plain.safetensors", NULL);
  g_autoptr (JsonObject) object = pmt_config_from_text (file_text, "unet");
  g_assert_true (pmt_unet_config_parse (object, "unet", &config, &error));
  PmtUnet *unet = pmt_unet_new (&config, NULL, NULL, &error);
  g_assert_no_error (error);
  write_weights (pmt_unet_weights (unet), path, "conv_out.bias", 0);
  pmt_unet_free (unet);
  return path;
}

static PmtModel *
open_with (const char *folder, const char *unet)
{
  GError *error = NULL;
  PmtModel *model = pmt_model_open_with (folder, &(PmtModelParts) { unet, NULL }, &error);
  g_assert_no_error (error);
  return model;
}

static void
assert_small (PmtModel *model, bool small)
{
  g_assert_cmpint (pmt_model_prediction_known (model), ==, small);
  g_assert_cmpint (pmt_model_native_size (model), ==, small ? 512 : 768);
}

/* What one model of the file has found out, all have. */
static void
test_shared (void)
{
  GError *error = NULL;
  g_autofree char *folder = make_model (0), *unet = make_file (folder);
  PmtModel *model = open_with (folder, unet), *other = open_with (folder, unet);
  const PmtRequest q = { .model = model };
  assert_small (model, false);
  g_assert_true (pmt_run_learn_prediction (&q, &error));
  g_assert_no_error (error);
  pmt_model_settle (model);
  assert_small (model, true);
  assert_small (other, false); /* not in the midst of something */
  pmt_model_settle (other);
  assert_small (other, true);
  pmt_model_unref (other);
  other = open_with (folder, unet);
  assert_small (other, true);
  pmt_model_unref (other);
  pmt_model_unref (model);
  g_assert_cmpint (g_remove (unet), ==, 0);
  remove_model (folder);
}

typedef struct Watch {
  PmtCancel cancel;
  int64_t width;
} Watch;

/* Enough is seen as soon as there is a latent. */
static void
watch (void *user, const PmtProgress *progress, int variant, int variants)
{
  Watch *w = user;
  if (!progress->latent.data)
    return;
  w->width = pmt_tensor_dim (progress->latent, 2);
  pmt_cancel_request (&w->cancel);
}

static int
estimated_width (const PmtJob *job, PmtModelCache *cache)
{
  GError *error = NULL;
  PmtJobEstimate estimate;
  pmt_job_estimate (job, cache, PMT_PREVIEW_NONE, &estimate, &error);
  g_assert_no_error (error);
  return estimate.width;
}

/* A job that leaves the size open has the same one the first time and later, and estimates that come after it agree. */
static void
test_job (void)
{
  GError *error = NULL;
  g_autofree char *folder = make_model (0), *unet = make_file (folder);
  g_autofree char *text = g_strdup_printf ("{\"pentimento\":1,\"task\":\"generate\",\"model\":\"%s\",\"unet\":\"%s\",\"prompt\":\"a red circle\","
                                           "\"sampler\":\"ddim\",\"steps\":1,\"guidance\":1,\"precision\":\"f32\"}", folder, unet);
  g_autoptr (JsonNode) node = json_from_string (text, &error);
  g_assert_no_error (error);
  PmtJob *job = pmt_job_parse (json_node_get_object (node), &error);
  g_assert_no_error (error);
  PmtModelCache *jobs = pmt_model_cache_new (), *questions = pmt_model_cache_new ();
  g_assert_cmpint (estimated_width (job, questions), ==, 768);
  for (int i = 0; i < 2; i++) {
    Watch w = { .width = 0 };
    const PmtJobHooks hooks = { .cancel = &w.cancel, .progress = watch, .user = &w };
    g_assert_false (pmt_job_run (job, jobs, NULL, &hooks, NULL, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
    g_clear_error (&error);
    g_assert_cmpint (w.width, ==, 512 / 8);
    g_assert_cmpint (estimated_width (job, questions), ==, 512);
  }
  pmt_model_cache_free (jobs);
  pmt_model_cache_free (questions);
  pmt_job_free (job);
  g_assert_cmpint (g_remove (unet), ==, 0);
  remove_model (folder);
}

/* ---- weights that give no numbers -------------------------------------------------------------------------------------- */

static void
test_no_numbers (void)
{
  static const float bad[] = { NAN, INFINITY };
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
    GError *error = NULL;
    g_autofree char *folder = make_model (bad[i]);
    PmtModel *model = pmt_model_open (folder, &error);
    g_assert_no_error (error);
    const PmtPrediction prediction = PMT_PREDICT_V;
    PmtRequest q = { .model = model, .prompt = "a red circle", .width = 16, .height = 8, .steps = 3, .guidance = 1, .strength = 1,
                     .sampler = pmt_sampler_find ("ddim", NULL), .prediction = &prediction };
    runs_refused (&q, PMT_ERROR_UNSUPPORTED, "In step 1 of 3 the model '");
    q.full = (PmtFullSize) { .width = 24, .height = 16, .strength = 0.5 };
    runs_refused (&q, PMT_ERROR_UNSUPPORTED, "choose another precision than f32");
    pmt_model_unref (model);
    remove_model (folder);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/probe/noise", test_noise);
  g_test_add_func ("/probe/velocity", test_velocity);
  g_test_add_func ("/probe/shared", test_shared);
  g_test_add_func ("/probe/job", test_job);
  g_test_add_func ("/probe/no-numbers", test_no_numbers);
  return g_test_run ();
}
