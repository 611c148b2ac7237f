/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tiny autoencoder against diffusers' AutoencoderTiny (make_vae_extras.py), in all its files. */
#include <string.h>

#include "engine/nets/taesd.h"
#include "tests/nets/nets_case.h"

static char *
data_path (const char *name)
{
  return g_build_filename (g_getenv ("PMT_TEST_DATA"), "nets", "taesd", name, NULL);
}

static PmtTaesd *
load (const char *name)
{
  g_autofree char *path = data_path (name);
  GError *error = NULL;
  PmtTaesd *taesd = pmt_taesd_open (path, 4, &error);
  g_assert_no_error (error);
  pmt_taesd_load (taesd, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (pmt_taesd_factor (taesd), ==, 8);
  return taesd;
}

static void
test_file (gconstpointer user)
{
  const char *name = user;
  NetsCase *nets = nets_case_open ("taesd", "diffusion_pytorch_model", PMT_NAMES_PLAIN);
  PmtContext *ctx = nets_context_new (false);
  PmtTaesd *taesd = load (name);
  g_assert_cmpint (pmt_taesd_has_decoder (taesd), ==, !strstr (name, "encoder"));
  g_assert_cmpint (pmt_taesd_has_encoder (taesd), ==, !strstr (name, "decoder"));
  if (pmt_taesd_has_decoder (taesd))
    nets_compare (ctx, nets, "decoded", pmt_taesd_decode (ctx, taesd, nets_read (ctx, nets, "latents")));
  if (pmt_taesd_has_encoder (taesd))
    nets_compare (ctx, nets, "encoded", pmt_taesd_encode (ctx, taesd, nets_read (ctx, nets, "pictures")));
  nets_context_check (ctx);
  pmt_taesd_free (taesd);
  nets_context_free (ctx);
  nets_case_close (nets);
}

/* A dry run before loading takes what a real one takes; rows don't see each other. */
static void
test_dry_and_rows (void)
{
  g_autofree char *path = data_path ("");
  GError *error = NULL;
  PmtTaesd *hollow = pmt_taesd_open (path, 4, &error), *taesd = load ("");
  g_assert_no_error (error);
  g_assert_cmpuint (pmt_taesd_weight_bytes (hollow), ==, pmt_taesd_weight_bytes (taesd));
  PmtContext *ctx = nets_context_new (false), *dry = nets_context_new (true);
  PmtTensor latents = nets_random (ctx, PMT_SHAPE4 (2, 3, 5, 4), 1);
  const size_t before = pmt_arena_used (ctx->step), before_dry = pmt_arena_used (dry->step);
  PmtTensor out = pmt_taesd_decode (ctx, taesd, latents), planned = pmt_taesd_decode (dry, hollow, latents);
  g_assert_true (pmt_shape_equal (&out.shape, &planned.shape));
  g_assert_cmpuint (pmt_arena_peak (dry->step) - before_dry, ==, pmt_arena_peak (ctx->step) - before);
  g_assert_cmpfloat (dry->flops, ==, ctx->flops);
  for (int row = 0; row < 2; row++)
    g_assert_true (nets_same_bytes (pmt_tensor_rows (out, row, 1), pmt_taesd_decode (ctx, taesd, pmt_tensor_rows (latents, row, 1))));
  nets_context_check (ctx);
  nets_context_check (dry);
  nets_context_free (ctx);
  nets_context_free (dry);
  pmt_taesd_free (taesd);
  pmt_taesd_free (hollow);
}

static void
expect (GError *error, int code, const char *part)
{
  g_assert_error (error, PMT_ERROR, code);
  if (!strstr (error->message, part))
    g_error ("'%s' is not in: %s", part, error->message);
  g_error_free (error);
}

static void
test_refusals (void)
{
  GError *error = NULL;
  g_autofree char *folder = data_path (""), *decoder = data_path ("taesd_decoder.safetensors"), *none = data_path ("none.safetensors");
  g_assert_null (pmt_taesd_open (folder, 16, &error));
  expect (g_steal_pointer (&error), PMT_ERROR_UNSUPPORTED, "latents of 4 channels and the model has 16");
  g_assert_null (pmt_taesd_open (none, 4, &error));
  expect (g_steal_pointer (&error), PMT_ERROR_NOT_FOUND, "none.safetensors");
  g_autofree char *other = g_build_filename (g_getenv ("PMT_TEST_DATA"), "nets", "vae-tiled", NULL);
  g_assert_null (pmt_taesd_open (other, 4, &error));
  expect (g_steal_pointer (&error), PMT_ERROR_UNSUPPORTED, "vae-tiled");

  PmtTaesd *half = pmt_taesd_open (decoder, 4, &error);
  g_assert_no_error (error);
  PmtContext *ctx = nets_context_new (false);
  g_assert_null (pmt_taesd_encode (ctx, half, nets_random (ctx, PMT_SHAPE4 (1, 16, 16, 3), 1)).data);
  pmt_context_take_error (ctx, &error);
  expect (g_steal_pointer (&error), PMT_ERROR_INPUT, "has no half for pictures");
  nets_context_free (ctx);
  pmt_taesd_free (half);
}

int
main (int argc, char **argv)
{
  static const char *const files[] = { "", "diffusion_pytorch_model.safetensors", "taesd_decoder.safetensors", "taesd_encoder.safetensors" };
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *path = g_strconcat ("/taesd/", *files[i] ? files[i] : "folder", NULL);
    g_test_add_data_func (path, files[i], test_file);
  }
  g_test_add_func ("/taesd/dry-and-rows", test_dry_and_rows);
  g_test_add_func ("/taesd/refusals", test_refusals);
  return g_test_run ();
}
