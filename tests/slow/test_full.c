/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Stable Diffusion 1.5 architecture at full size with random weights: text encoder, one UNet evaluation and decoding of 64x64
 * latents against torch, from a diffusers folder and from a single-file checkpoint (make_full.py writes both). */
#include <string.h>

#include "engine/base/threads.h"
#include "engine/nets/clip_text.h"
#include "engine/nets/unet.h"
#include "engine/nets/vae.h"
#include "engine/weights/model.h"
#include "tests/nets/nets_case.h"

#define FULL_TOLERANCE 1e-3

static const char *const sources[] = { "model", "model.safetensors" };

/* What one network makes of the stored input, in ctx. */
typedef PmtTensor (*RunFunc) (PmtContext *ctx, PmtModelFiles *files, const NetsCase *io);

static char *
data_path (const char *name)
{
  const char *root = g_getenv ("PMT_TEST_DATA");
  g_assert_nonnull (root);
  char *path = g_build_filename (root, "full", name, NULL);
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    g_error ("%s is missing: tests/slow/make_full.py makes it, and \"./dev test slow\" runs that", path);
  return path;
}

static PmtTensor
run_unet (PmtContext *ctx, PmtModelFiles *files, const NetsCase *io)
{
  GError *error = NULL;
  PmtUnetConfig config;
  JsonObject *object = pmt_model_files_config (files, PMT_COMPONENT_UNET, &error);
  g_assert_no_error (error);
  pmt_unet_config_parse (object, pmt_model_files_path (files), &config, &error);
  g_assert_no_error (error);
  PmtWeights *weights = pmt_model_files_weights (files, PMT_COMPONENT_UNET, &error);
  g_assert_no_error (error);
  gint64 start = g_get_monotonic_time ();
  PmtUnet *unet = pmt_unet_new (&config, weights, NULL, &error);
  g_assert_no_error (error);
  g_test_message ("loading took %.1f s", (double) (g_get_monotonic_time () - start) / 1e6);

  PmtUnetInput input = { .sample = nets_read (ctx, io, "sample"), .timesteps = nets_read (ctx, io, "timestep").data,
                         .context = nets_read (ctx, io, "encoder_hidden_states") };
  start = g_get_monotonic_time ();
  pmt_arena_reset_peak (ctx->step);
  ctx->flops = 0.0;
  PmtTensor out = pmt_unet_forward (ctx, unet, &input, NULL);
  nets_context_check (ctx);
  double seconds = (double) (g_get_monotonic_time () - start) / 1e6;
  g_test_message ("one evaluation took %.1f s on %d threads, %.0f GFLOP/s, activations %zu MiB", seconds, pmt_threads (),
                  ctx->flops / 1e9 / seconds, pmt_arena_peak (ctx->step) >> 20);

  /* In company of another row, the row is the same to the bit, at the sizes where products are cut into blocks. */
  float times[2] = { input.timesteps[0], 33.0f };
  PmtTensor sample = nets_random (ctx, PMT_SHAPE4 (2, 64, 64, 4), 9), text = nets_random (ctx, PMT_SHAPE3 (2, 77, 768), 10);
  memcpy (sample.data, input.sample.data, (size_t) pmt_tensor_size (input.sample) * sizeof (float));
  memcpy (text.data, input.context.data, (size_t) pmt_tensor_size (input.context) * sizeof (float));
  PmtUnetInput pair = { sample, times, text };
  PmtTensor both = pmt_unet_forward (ctx, unet, &pair, NULL);
  nets_context_check (ctx);
  g_assert_true (nets_same_bytes (pmt_tensor_rows (both, 0, 1), out));
  pmt_unet_free (unet);
  return out;
}

static PmtTensor
run_vae (PmtContext *ctx, PmtModelFiles *files, const NetsCase *io)
{
  GError *error = NULL;
  PmtVaeConfig config;
  JsonObject *object = pmt_model_files_config (files, PMT_COMPONENT_VAE, &error);
  g_assert_no_error (error);
  pmt_vae_config_parse (object, pmt_model_files_path (files), &config, &error);
  g_assert_no_error (error);
  PmtWeights *weights = pmt_model_files_weights (files, PMT_COMPONENT_VAE, &error);
  g_assert_no_error (error);
  PmtVae *vae = pmt_vae_new (&config, weights, NULL, &error);
  g_assert_no_error (error);
  PmtTensor latents = nets_read (ctx, io, "latents");
  gint64 start = g_get_monotonic_time ();
  pmt_arena_reset_peak (ctx->step);
  PmtTensor out = pmt_vae_decode (ctx, vae, latents);
  nets_context_check (ctx);
  g_test_message ("decoding took %.1f s, activations %zu MiB", (double) (g_get_monotonic_time () - start) / 1e6,
                  pmt_arena_peak (ctx->step) >> 20);
  pmt_vae_free (vae);
  return out;
}

static PmtTensor
run_text (PmtContext *ctx, PmtModelFiles *files, const NetsCase *io)
{
  GError *error = NULL;
  PmtClipTextConfig config;
  int64_t rows, tokens;
  JsonObject *object = pmt_model_files_config (files, PMT_COMPONENT_TEXT, &error);
  g_assert_no_error (error);
  pmt_clip_text_config_parse (object, pmt_model_files_path (files), &config, &error);
  g_assert_no_error (error);
  PmtWeights *weights = pmt_model_files_weights (files, PMT_COMPONENT_TEXT, &error);
  g_assert_no_error (error);
  PmtClipText *text = pmt_clip_text_new (&config, weights, NULL, &error);
  g_assert_no_error (error);
  g_autofree int32_t *ids = nets_read_ids (io, "ids", &rows, &tokens);
  PmtClipTextOutput out = pmt_clip_text_forward (ctx, text, ids, rows, tokens, 0, true);
  nets_context_check (ctx);
  double pooled = nets_difference (out.pooled, nets_read (ctx, io, "pooled"));
  g_test_message ("pooled differs by %.2e", pooled);
  g_assert_cmpfloat (pooled, <=, FULL_TOLERANCE);
  pmt_clip_text_free (text);
  return out.hidden;
}

/* Both sources within the tolerance of torch, and equal to each other to the bit. */
static void
compare (const char *stored, const char *answer, RunFunc run)
{
  GError *error = NULL;
  PmtTensor out[G_N_ELEMENTS (sources)];
  PmtContext *ctx = nets_context_new (false);
  g_autofree char *path = data_path (stored);
  NetsCase io = { .io = pmt_safetensors_open (path, &error) };
  g_assert_no_error (error);
  for (size_t i = 0; i < G_N_ELEMENTS (sources); i++) {
    g_autofree char *model = data_path (sources[i]);
    PmtModelFiles *files = pmt_model_files_open (model, &error);
    g_assert_no_error (error);
    out[i] = run (ctx, files, &io);
    double difference = nets_difference (out[i], nets_read (ctx, &io, answer));
    g_test_message ("%s: %s differs by %.2e", sources[i], answer, difference);
    g_assert_cmpfloat (difference, <=, FULL_TOLERANCE);
    pmt_model_files_free (files);
  }
  g_assert_true (nets_same_bytes (out[0], out[1]));
  pmt_safetensors_free (io.io);
  nets_context_free (ctx);
}

static void
test_unet (void)
{
  compare ("unet.safetensors", "out", run_unet);
}

static void
test_vae (void)
{
  compare ("vae.safetensors", "decoded", run_vae);
}

static void
test_text (void)
{
  compare ("text.safetensors", "hidden", run_text);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/slow/full/text", test_text);
  g_test_add_func ("/slow/full/unet", test_unet);
  g_test_add_func ("/slow/full/vae-decode", test_vae);
  return g_test_run ();
}
