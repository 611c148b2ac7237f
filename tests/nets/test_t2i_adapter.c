/* SPDX-License-Identifier: GPL-3.0-or-later */
/* T2I-Adapters of every type against diffusers' outputs (tests/reference/make_controls.py), under both spellings of their tensors. */
#include <string.h>

#include "engine/nets/t2i_adapter.h"
#include "tests/nets/nets_case.h"

static const char *const names[] = { "t2i-full", "t2i-full-grey", "t2i-xl", "t2i-xl-grey", "t2i-light", "t2i-light-grey" };

static void
same_config (const PmtT2iConfig *a, const PmtT2iConfig *b)
{
  g_assert_cmpint (a->type, ==, b->type);
  g_assert_cmpint (a->in_channels, ==, b->in_channels);
  g_assert_cmpint (a->n_blocks, ==, b->n_blocks);
  g_assert_cmpint (a->n_resnets, ==, b->n_resnets);
  g_assert_cmpint (a->downscale, ==, b->downscale);
  for (int i = 0; i < a->n_blocks; i++)
    g_assert_cmpint (a->channels[i], ==, b->channels[i]);
}

static void
compare (NetsCase *nets, PmtWeights *weights, const PmtT2iConfig *config)
{
  GError *error = NULL;
  PmtTensor feature[PMT_T2I_MAX_BLOCKS], planned[PMT_T2I_MAX_BLOCKS];
  PmtT2iAdapter *net = pmt_t2i_new (config, weights, NULL, &error);
  g_assert_no_error (error);
  PmtT2iAdapter *hollow = pmt_t2i_new (config, NULL, NULL, &error);
  PmtContext *ctx = nets_context_new (false), *dry = nets_context_new (true);
  PmtTensor picture = nets_read (ctx, nets, "x"), nothing = nets_read (dry, nets, "x");
  const size_t before = pmt_arena_used (ctx->step), before_dry = pmt_arena_used (dry->step);
  g_assert_true (pmt_t2i_forward (ctx, net, picture, feature));
  g_assert_true (pmt_t2i_forward (dry, hollow, nothing, planned));
  g_assert_cmpfloat (dry->flops, ==, ctx->flops);
  g_assert_cmpuint (pmt_arena_peak (dry->step) - before_dry, ==, pmt_arena_peak (ctx->step) - before);
  for (int k = 0; k < config->n_blocks; k++) {
    g_autofree char *stored = g_strdup_printf ("%d", k);
    nets_compare (ctx, nets, stored, feature[k]);
    const int64_t cell = pmt_t2i_cell (config, k);
    g_assert_cmpint (feature[k].shape.dim[1], ==, (picture.shape.dim[1] + cell - 1) / cell);
    g_assert_cmpint (feature[k].shape.dim[3], ==, config->channels[k]);
  }
  /* one row alone gives that row */
  if (picture.shape.dim[0] > 1) {
    g_assert_true (pmt_t2i_forward (ctx, net, pmt_tensor_rows (picture, 1, 1), planned));
    for (int k = 0; k < config->n_blocks; k++)
      g_assert_true (nets_same_bytes (planned[k], pmt_tensor_rows (feature[k], 1, 1)));
  }
  nets_context_free (ctx);
  nets_context_free (dry);
  pmt_t2i_free (net);
  pmt_t2i_free (hollow);
}

static void
test_parity (gconstpointer name)
{
  GError *error = NULL;
  NetsCase *nets = nets_case_open (name, "diffusion_pytorch_model", PMT_NAMES_PLAIN);
  PmtT2iConfig config, derived;
  pmt_t2i_config_parse (nets->config, nets->file, &config, &error);
  g_assert_no_error (error);
  compare (nets, nets->weights, &config);
  pmt_t2i_config_derive (nets->weights, &derived, &error);
  g_assert_no_error (error);
  g_assert_false (derived.original);
  same_config (&config, &derived);
  nets_case_close (nets);
}

static void
test_original (gconstpointer name)
{
  GError *error = NULL;
  NetsCase *nets = nets_case_open (name, "diffusion_pytorch_model", PMT_NAMES_PLAIN);
  g_autofree char *folder = g_path_get_dirname (nets->file), *path = g_build_filename (folder, "original.safetensors", NULL);
  PmtWeights *weights = pmt_weights_new_file (path, PMT_NAMES_PLAIN, &error);
  g_assert_no_error (error);
  PmtT2iConfig config, derived;
  g_assert_true (pmt_t2i_config_parse (nets->config, nets->file, &config, &error));
  pmt_t2i_config_derive (weights, &derived, &error);
  g_assert_no_error (error);
  g_assert_true (derived.original);
  /* the authors' full adapters have four blocks; how the resnets divide over them no name tells */
  same_config (&config, &derived);
  compare (nets, weights, &derived);
  pmt_weights_free (weights);
  nets_case_close (nets);
}

static void
test_wrong (void)
{
  static const struct {
    const char *json, *part;
  } bad[] = {
    { "{\"adapter_type\": \"heavy_adapter\"}", "heavy_adapter" },
    { "{\"channels\": []}", "channels" },
    { "{\"channels\": [8, 0]}", "channels" },
    { "{\"channels\": [2], \"adapter_type\": \"light_adapter\"}", "channels" },
    { "{\"num_res_blocks\": 0}", "num_res_blocks" },
    { "{\"downscale_factor\": 0}", "downscale_factor" },
    { "{\"in_channels\": \"three\"}", "in_channels" },
  };
  GError *error = NULL;
  PmtT2iConfig config;
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (JsonObject) object = pmt_config_from_text (bad[i].json, "here");
    g_assert_false (pmt_t2i_config_parse (object, "here", &config, &error));
    if (!strstr (error->message, bad[i].part) || !strstr (error->message, "here"))
      g_error ("'%s' does not tell '%s'", error->message, bad[i].part);
    g_clear_error (&error);
  }
  NetsCase *unet = nets_case_open ("unet-sd1", "diffusion_pytorch_model", PMT_NAMES_UNET);
  g_assert_false (pmt_t2i_config_derive (unet->weights, &config, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_FORMAT);
  g_assert_nonnull (strstr (error->message, "T2I-Adapter"));
  g_clear_error (&error);
  nets_case_close (unet);

  NetsCase *nets = nets_case_open ("t2i-full", "diffusion_pytorch_model", PMT_NAMES_PLAIN);
  PmtTensor feature[PMT_T2I_MAX_BLOCKS];
  g_assert_true (pmt_t2i_config_parse (nets->config, nets->file, &config, &error));
  PmtT2iAdapter *net = pmt_t2i_new (&config, nets->weights, NULL, &error);
  PmtContext *ctx = nets_context_new (false);
  g_assert_false (pmt_t2i_forward (ctx, net, nets_random (ctx, PMT_SHAPE4 (1, 40, 44, 3), 1), feature));
  g_assert_null (feature[0].data);
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "multiples of 8"));
  g_clear_error (&error);
  pmt_t2i_free (net);
  config.n_resnets = 3;
  g_assert_null (pmt_t2i_new (&config, nets->weights, NULL, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND);
  g_clear_error (&error);
  nets_context_free (ctx);
  nets_case_close (nets);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *parity = g_strconcat ("/nets/t2i-adapter/parity/", names[i], NULL);
    g_autofree char *original = g_strconcat ("/nets/t2i-adapter/original/", names[i], NULL);
    g_test_add_data_func (parity, names[i], test_parity);
    if (g_str_has_suffix (names[i], "grey"))
      g_test_add_data_func (original, names[i], test_original);
  }
  g_test_add_func ("/nets/t2i-adapter/wrong", test_wrong);
  return g_test_run ();
}
