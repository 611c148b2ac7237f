/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Decoding with a tiny autoencoder; and with the model's own in tiles, which the run decides in the same place. */
#include <string.h>

#include "engine/kernels/kernels.h"
#include "engine/ops/ops.h"
#include "engine/nets/taesd.h"
#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;

static char *
data_path (const char *name)
{
  return g_build_filename (g_getenv ("PMT_TEST_DATA"), "nets", "taesd", name, NULL);
}

/* The latent is the plain run's to the bit, the picture is what the tiny decoder makes of it. */
static void
test_decodes (void)
{
  g_autofree char *path = data_path ("taesd_decoder.safetensors");
  PmtRequest q = runs_request (&runs, model);
  PmtResult plain = runs_do (&q);
  q.taesd = path;
  PmtResult tiny = runs_do (&q);
  const size_t n = (size_t) (tiny.width * tiny.height * 3);
  g_assert_cmpmem (plain.latent, runs_latent_size (&plain) * sizeof (float), tiny.latent, runs_latent_size (&tiny) * sizeof (float));
  g_assert_cmpfloat (runs_distance (tiny.image, plain.image, n), >, 1e-2);
  PmtCost cost;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpuint (cost.activation_bytes, ==, tiny.peak_bytes);

  GError *error = NULL;
  PmtTaesd *net = pmt_taesd_open (path, 4, &error);
  g_assert_no_error (error);
  g_assert_true (pmt_taesd_load (net, NULL, NULL));
  PmtCpuLevel level;
  g_assert_true (pmt_cpu_select (&level, NULL));
  PmtContext ctx = { .step = pmt_arena_new ("test", (size_t) 1 << 28, NULL), .kernels = pmt_kernels_get (level) };
  PmtTensor latent = pmt_tensor_new (&ctx, PMT_SHAPE4 (1, tiny.height / 8, tiny.width / 8, 4));
  pmt_nchw_to_nhwc (tiny.latent, latent.data, 1, 4, tiny.height / 8, tiny.width / 8);
  PmtTensor picture = pmt_taesd_decode (&ctx, net, latent);
  for (size_t i = 0; i < n; i++)
    g_assert_cmpfloat (CLAMP (0.5f * picture.data[i] + 0.5f, 0.0f, 1.0f), ==, tiny.image[i]);
  pmt_arena_free (ctx.step);
  pmt_taesd_free (net);
  pmt_result_clear (&plain);
  pmt_result_clear (&tiny);
}

/* The model's own autoencoder is loaded and counted only where something is encoded, or decoded without the tiny one. */
static void
test_loads_what_it_needs (void)
{
  g_autofree char *path = data_path ("taesd_decoder.safetensors");
  GError *error = NULL;
  PmtTaesd *net = pmt_taesd_open (path, 4, &error);
  g_assert_no_error (error);
  const size_t vae = pmt_vae_weight_bytes (pmt_model_vae_dry (model, NULL)), tiny = pmt_taesd_weight_bytes (net);
  pmt_taesd_free (net);
  PmtRequest q = runs_request (&runs, model);
  PmtCost plain, cost;
  g_assert_true (pmt_run_cost (&q, &plain, NULL));
  const struct {
    const char *taesd;
    const float *image;
    bool latent_only;
    size_t bytes;
  } cases[] = {
    { path, NULL, false, plain.weight_bytes - vae + tiny }, { NULL, NULL, true, plain.weight_bytes - vae },
    { path, runs.picture, false, plain.weight_bytes + tiny }, { NULL, NULL, false, plain.weight_bytes },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    PmtModel *fresh = runs_model ("tiny");
    q = runs_request (&runs, fresh);
    q.taesd = cases[i].taesd;
    q.image = cases[i].image;
    q.strength = 0.5;
    q.latent_only = cases[i].latent_only;
    g_assert_true (pmt_run_cost (&q, &cost, NULL));
    g_assert_cmpuint (cost.weight_bytes, ==, cases[i].bytes);
    PmtResult result = runs_do (&q);
    g_assert_cmpuint (pmt_model_resident_bytes (fresh), ==, cases[i].bytes);
    pmt_result_clear (&result);
    pmt_model_unref (fresh);
  }
}

static void
test_refusals (void)
{
  g_autofree char *encoder = data_path ("taesd_encoder.safetensors"), *none = data_path ("none.safetensors");
  PmtRequest q = runs_request (&runs, model);
  q.taesd = encoder;
  runs_refused (&q, PMT_ERROR_UNSUPPORTED, "holds the encoder alone");
  q.taesd = none;
  runs_refused (&q, PMT_ERROR_NOT_FOUND, "none.safetensors");
  PmtMethodUse use = runs_use ("taesd");
  q.taesd = NULL;
  q.methods = &use;
  q.n_methods = 1;
  runs_refused (&q, PMT_ERROR_INPUT, "needs a tiny autoencoder");
  pmt_param_values_clear (&use.values);
}

/* Tiles: when they are asked for, when memory asks for them, and never where one tile is enough. */
static void
test_tiling (void)
{
  PmtRequest q = runs_request (&runs, model);
  q.steps = 1;
  q.width = 96; /* the model's tiles are of 64 */
  q.height = 160;
  PmtResult whole = runs_do (&q);
  g_assert_false (whole.vae_tiled);
  q.vae_tiling = PMT_VAE_TILING_ON;
  PmtResult tiled = runs_do (&q);
  g_assert_true (tiled.vae_tiled);
  g_assert_cmpuint (tiled.peak_bytes, <, whole.peak_bytes);
  PmtCost cost;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpuint (cost.activation_bytes, ==, tiled.peak_bytes);
  const size_t n = (size_t) (whole.width * whole.height * 3);
  g_assert_cmpmem (whole.latent, runs_latent_size (&whole) * sizeof (float), tiled.latent, runs_latent_size (&tiled) * sizeof (float));
  g_assert_cmpfloat (runs_distance (tiled.image, whole.image, n), >, 1e-3);

  /* the weights are there already, so that the limit is the activations' */
  q.vae_tiling = PMT_VAE_TILING_AUTO;
  q.memory_limit = tiled.peak_bytes + (whole.peak_bytes - tiled.peak_bytes) / 4;
  PmtResult chosen = runs_do (&q);
  g_assert_true (chosen.vae_tiled);
  runs_assert_equal (&tiled, &chosen);
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpuint (cost.activation_bytes, ==, chosen.peak_bytes);
  q.vae_tiling = PMT_VAE_TILING_OFF;
  runs_refused (&q, PMT_ERROR_MEMORY, "96 x 160");

  PmtRequest small = runs_request (&runs, model);
  small.vae_tiling = PMT_VAE_TILING_ON;
  PmtResult one = runs_do (&small);
  g_assert_false (one.vae_tiled);
  pmt_result_clear (&whole);
  pmt_result_clear (&tiled);
  pmt_result_clear (&chosen);
  pmt_result_clear (&one);
}

/* A picture to start from is encoded in tiles too. */
static void
test_tiled_start (void)
{
  enum { W = 96, H = 80 };
  g_autofree float *picture = g_new (float, W * H * 3);
  for (int i = 0; i < W * H * 3; i++)
    picture[i] = (float) ((i * 37 % 101) / 100.0);
  PmtRequest q = runs_request (&runs, model);
  q.width = W;
  q.height = H;
  q.image = picture;
  q.strength = 0.5;
  PmtResult whole = runs_do (&q);
  q.vae_tiling = PMT_VAE_TILING_ON;
  PmtResult tiled = runs_do (&q);
  runs_assert_differ (&tiled, &whole);
  pmt_result_clear (&whole);
  pmt_result_clear (&tiled);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/taesd/decodes", test_decodes },
    { "/taesd/loads-what-it-needs", test_loads_what_it_needs },
    { "/taesd/refusals", test_refusals },
    { "/taesd/tiling", test_tiling },
    { "/taesd/tiled-start", test_tiled_start },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
