/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The autoencoder against diffusers' outputs, both ways. */
#include <math.h>

#include "engine/nets/vae.h"
#include "tests/nets/nets_case.h"

static const char *const names[] = { "vae-three-levels", "vae-no-attention", "vae-plain", "vae-mean-std" };

typedef struct Fixture {
  NetsCase *nets;
  PmtVae *vae;
  PmtContext *ctx;
} Fixture;

static void
set_up (Fixture *f, gconstpointer name)
{
  GError *error = NULL;
  PmtVaeConfig config;
  f->nets = nets_case_open (name, "diffusion_pytorch_model", PMT_NAMES_VAE);
  pmt_vae_config_parse (f->nets->config, f->nets->file, &config, &error);
  g_assert_no_error (error);
  f->vae = pmt_vae_new (&config, f->nets->weights, NULL, &error);
  g_assert_no_error (error);
  f->ctx = nets_context_new (false);
}

static void
tear_down (Fixture *f, gconstpointer name)
{
  nets_context_free (f->ctx);
  pmt_vae_free (f->vae);
  nets_case_close (f->nets);
}

static void
test_encode (Fixture *f, gconstpointer name)
{
  PmtTensor moments = pmt_vae_encode (f->ctx, f->vae, nets_read (f->ctx, f->nets, "pictures"));
  nets_compare (f->ctx, f->nets, "moments", moments);
  PmtTensor noise = nets_read (f->ctx, f->nets, "noise");
  nets_compare (f->ctx, f->nets, "sampled", pmt_vae_sample (f->ctx, f->vae, moments, noise, true));
  nets_compare (f->ctx, f->nets, "unscaled_mode", pmt_vae_sample (f->ctx, f->vae, moments, PMT_NO_TENSOR, false));
}

static void
test_decode (Fixture *f, gconstpointer name)
{
  PmtTensor latents = nets_read (f->ctx, f->nets, "latents");
  PmtTensor pictures = pmt_vae_decode (f->ctx, f->vae, latents);
  nets_compare (f->ctx, f->nets, "decoded", pictures);
  int factor = pmt_vae_factor (pmt_vae_config (f->vae));
  g_assert_cmpint (pictures.shape.dim[1], ==, latents.shape.dim[1] * factor);
  g_assert_cmpint (pictures.shape.dim[2], ==, latents.shape.dim[2] * factor);
}

/* One to four rows give equal rows, both ways. */
static void
test_rows (Fixture *f, gconstpointer name)
{
  const PmtVaeConfig *config = pmt_vae_config (f->vae);
  int factor = pmt_vae_factor (config);
  PmtTensor latents = nets_random (f->ctx, PMT_SHAPE4 (4, 3, 5, config->latent_channels), 5);
  PmtTensor pictures = nets_random (f->ctx, PMT_SHAPE4 (4, 2 * factor, 3 * factor, 3), 6);
  for (int rows = 2; rows <= 4; rows++) {
    PmtTensor decoded = pmt_vae_decode (f->ctx, f->vae, pmt_tensor_rows (latents, 0, rows));
    PmtTensor encoded = pmt_vae_encode (f->ctx, f->vae, pmt_tensor_rows (pictures, 0, rows));
    for (int row = 0; row < rows; row++) {
      PmtTensor one = pmt_vae_decode (f->ctx, f->vae, pmt_tensor_rows (latents, row, 1));
      g_assert_true (nets_same_bytes (pmt_tensor_rows (decoded, row, 1), one));
      one = pmt_vae_encode (f->ctx, f->vae, pmt_tensor_rows (pictures, row, 1));
      g_assert_true (nets_same_bytes (pmt_tensor_rows (encoded, row, 1), one));
    }
  }
  nets_context_check (f->ctx);
}

static void
test_dry (Fixture *f, gconstpointer name)
{
  GError *error = NULL;
  PmtVae *hollow = pmt_vae_new (pmt_vae_config (f->vae), NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (pmt_vae_weight_bytes (hollow), ==, pmt_vae_weight_bytes (f->vae));
  PmtContext *dry = nets_context_new (true);
  PmtTensor latents = nets_read (f->ctx, f->nets, "latents"), pictures = nets_read (f->ctx, f->nets, "pictures");
  size_t before = pmt_arena_used (f->ctx->step), before_dry = pmt_arena_used (dry->step);
  PmtTensor out = pmt_vae_decode (f->ctx, f->vae, latents), planned = pmt_vae_decode (dry, hollow, latents);
  g_assert_true (pmt_shape_equal (&out.shape, &planned.shape));
  out = pmt_vae_encode (f->ctx, f->vae, pictures), planned = pmt_vae_encode (dry, hollow, pictures);
  g_assert_true (pmt_shape_equal (&out.shape, &planned.shape));
  out = pmt_vae_sample (f->ctx, f->vae, out, PMT_NO_TENSOR, true);
  planned = pmt_vae_sample (dry, hollow, planned, PMT_NO_TENSOR, true);
  g_assert_true (pmt_shape_equal (&out.shape, &planned.shape));
  nets_context_check (f->ctx);
  nets_context_check (dry);
  g_assert_cmpfloat (dry->flops, ==, f->ctx->flops);
  g_assert_cmpuint (pmt_arena_peak (dry->step) - before_dry, ==, pmt_arena_peak (f->ctx->step) - before);
  nets_context_free (dry);
  pmt_vae_free (hollow);
}

/* The logarithm of the variance is clamped, so that extreme pictures cannot give infinite noise. */
static void
test_clamp (Fixture *f, gconstpointer name)
{
  PmtTensor pictures = nets_random (f->ctx, PMT_SHAPE4 (1, 8, 8, 3), 8);
  PmtTensor bias = pmt_weight (f->ctx, pmt_vae_weights (f->vae), pmt_weight_pool_find (pmt_vae_weights (f->vae), "encoder.conv_out.bias"));
  int z = pmt_vae_config (f->vae)->latent_channels;
  bias.data[z] += 100.0f;
  bias.data[z + 1] -= 100.0f;
  PmtTensor moments = pmt_vae_encode (f->ctx, f->vae, pictures);
  nets_context_check (f->ctx);
  for (int64_t i = 0; i < pmt_tensor_size (moments); i += 2 * z) {
    g_assert_cmpfloat (moments.data[i + z], ==, 20.0f);
    g_assert_cmpfloat (moments.data[i + z + 1], ==, -30.0f);
  }
}

static void
test_wrong_input (Fixture *f, gconstpointer name)
{
  GError *error = NULL;
  PmtTensor moments = nets_read (f->ctx, f->nets, "moments");
  for (int i = 0; i < 5; i++) {
    PmtTensor out = PMT_NO_TENSOR;
    if (i == 0) /* sides that do not divide */
      out = pmt_vae_encode (f->ctx, f->vae, nets_random (f->ctx, PMT_SHAPE4 (1, 9, 8, 3), 8));
    else if (i == 1)
      out = pmt_vae_encode (f->ctx, f->vae, nets_random (f->ctx, PMT_SHAPE4 (1, 8, 8, 1), 8));
    else if (i == 2)
      out = pmt_vae_decode (f->ctx, f->vae, nets_random (f->ctx, PMT_SHAPE4 (1, 8, 8, 9), 8));
    else if (i == 3)
      out = pmt_vae_sample (f->ctx, f->vae, nets_read (f->ctx, f->nets, "latents"), PMT_NO_TENSOR, true);
    else
      out = pmt_vae_sample (f->ctx, f->vae, moments, nets_random (f->ctx, PMT_SHAPE4 (1, 1, 1, 3), 8), true);
    g_assert_null (out.data);
    g_assert_true (pmt_context_take_error (f->ctx, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
    g_clear_error (&error);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *encode = g_strconcat ("/nets/vae/encode/", names[i], NULL);
    g_autofree char *decode = g_strconcat ("/nets/vae/decode/", names[i], NULL);
    g_test_add (encode, Fixture, names[i], set_up, test_encode, tear_down);
    g_test_add (decode, Fixture, names[i], set_up, test_decode, tear_down);
  }
  g_test_add ("/nets/vae/rows", Fixture, "vae-three-levels", set_up, test_rows, tear_down);
  g_test_add ("/nets/vae/dry", Fixture, "vae-plain", set_up, test_dry, tear_down);
  g_test_add ("/nets/vae/clamp", Fixture, "vae-plain", set_up, test_clamp, tear_down);
  g_test_add ("/nets/vae/wrong-input", Fixture, "vae-plain", set_up, test_wrong_input, tear_down);
  return g_test_run ();
}
