/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stable Diffusion 2.1 and XL at full size with random weights: one UNet evaluation on 64x64 latents and the text encoders against torch
 * (make_families.py writes both sides' numbers). */
#include "engine/base/threads.h"
#include "engine/nets/clip_text.h"
#include "engine/nets/unet.h"
#include "tests/nets/nets_case.h"

#define FULL_TOLERANCE 1e-3

/* A network's folder and, beside it, its inputs and outputs. */
static NetsCase *
open_part (const char *model, const char *part, const char *stem, PmtNames names)
{
  GError *error = NULL;
  NetsCase *nets = g_new0 (NetsCase, 1);
  g_autofree char *folder = g_build_filename (g_getenv ("PMT_TEST_DATA"), "full", model, part, NULL);
  g_autofree char *io = g_strconcat (folder, ".safetensors", NULL);
  if (!g_file_test (io, G_FILE_TEST_EXISTS))
    g_error ("%s is missing: tests/slow/make_families.py makes it, and \"./dev test slow\" runs that", io);
  nets->name = g_strdup (part);
  nets->file = g_build_filename (folder, "config.json", NULL);
  nets->config = pmt_config_load (nets->file, &error);
  g_assert_no_error (error);
  nets->weights = pmt_weights_new_folder (folder, stem, NULL, names, &error);
  g_assert_no_error (error);
  nets->io = pmt_safetensors_open (io, &error);
  g_assert_no_error (error);
  return nets;
}

static void
compare (PmtContext *ctx, const NetsCase *nets, const char *answer, PmtTensor out)
{
  double difference = nets_difference (out, nets_read (ctx, nets, answer));
  g_test_message ("%s differs by %.2e", answer, difference);
  g_assert_cmpfloat (difference, <=, FULL_TOLERANCE);
}

static void
test_unet (gconstpointer model)
{
  GError *error = NULL;
  PmtUnetConfig config;
  NetsCase *nets = open_part (model, "unet", "diffusion_pytorch_model", PMT_NAMES_UNET);
  PmtContext *ctx = nets_context_new (false);
  pmt_unet_config_parse (nets->config, nets->file, &config, &error);
  g_assert_no_error (error);
  gint64 start = g_get_monotonic_time ();
  PmtUnet *unet = pmt_unet_new (&config, nets->weights, NULL, &error);
  g_assert_no_error (error);
  g_test_message ("loading took %.1f s, %zu MiB of weights", (double) (g_get_monotonic_time () - start) / 1e6,
                  pmt_unet_weight_bytes (unet) >> 20);
  PmtUnetInput input = { .sample = nets_read (ctx, nets, "sample"), .timesteps = nets_read (ctx, nets, "timestep").data,
                         .context = nets_read (ctx, nets, "encoder_hidden_states") };
  if (nets_has (nets, "text_embeds")) {
    input.text_embeds = nets_read (ctx, nets, "text_embeds");
    input.time_ids = nets_read (ctx, nets, "time_ids");
  }
  start = g_get_monotonic_time ();
  pmt_arena_reset_peak (ctx->step);
  PmtTensor out = pmt_unet_forward (ctx, unet, &input, NULL);
  nets_context_check (ctx);
  double seconds = (double) (g_get_monotonic_time () - start) / 1e6;
  g_test_message ("one evaluation took %.1f s on %d threads, %.0f GFLOP/s, activations %zu MiB", seconds, pmt_threads (),
                  ctx->flops / 1e9 / seconds, pmt_arena_peak (ctx->step) >> 20);
  compare (ctx, nets, "out", out);
  pmt_unet_free (unet);
  nets_context_free (ctx);
  nets_case_close (nets);
}

typedef struct Text {
  const char *path, *model, *part;
} Text;

static const Text texts[] = {
  { "/slow/families/sd21/text", "sd21", "text_encoder" },
  { "/slow/families/sdxl/text", "sdxl", "text_encoder" },
  { "/slow/families/sdxl/text-2", "sdxl", "text_encoder_2" },
};

static void
test_text (gconstpointer data)
{
  const Text *t = data;
  GError *error = NULL;
  PmtClipTextConfig config;
  int64_t rows, tokens;
  NetsCase *nets = open_part (t->model, t->part, "model", PMT_NAMES_CLIP_TEXT);
  PmtContext *ctx = nets_context_new (false);
  pmt_clip_text_config_parse (nets->config, nets->file, &config, &error);
  g_assert_no_error (error);
  PmtClipText *text = pmt_clip_text_new (&config, nets->weights, NULL, &error);
  g_assert_no_error (error);
  g_autofree int32_t *ids = nets_read_ids (nets, "ids", &rows, &tokens);
  PmtClipTextOutput last = pmt_clip_text_forward (ctx, text, ids, rows, tokens, 0, true);
  nets_context_check (ctx);
  compare (ctx, nets, "last", last.hidden);
  compare (ctx, nets, "pooled", last.pooled);
  PmtClipTextOutput before = pmt_clip_text_forward (ctx, text, ids, rows, tokens, 1, false);
  nets_context_check (ctx);
  compare (ctx, nets, "penultimate", before.hidden);
  pmt_clip_text_free (text);
  nets_context_free (ctx);
  nets_case_close (nets);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (texts); i++)
    g_test_add_data_func (texts[i].path, &texts[i], test_text);
  g_test_add_data_func ("/slow/families/sd21/unet", "sd21", test_unet);
  g_test_add_data_func ("/slow/families/sdxl/unet", "sdxl", test_unet);
  return g_test_run ();
}
