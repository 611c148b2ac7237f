/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ControlNets against diffusers' outputs (tests/reference/make_controls.py), and what they promise about configurations, rows, dry runs
 * and bad input. */
#include <string.h>

#include <glib/gstdio.h>

#include "engine/nets/control_files.h"
#include "tests/nets/nets_case.h"

enum { MOST = 64 };

static const char *const names[] = { "controlnet-sd1",    "controlnet-sd2-bgr",  "controlnet-xl",
                                     "controlnet-xl-mid", "controlnet-xl-small", "controlnet-pool" };

typedef struct Case {
  NetsCase *nets;
  PmtControlNetConfig config;
  PmtControlNet *net;
  PmtContext *ctx;
} Case;

static Case
open_case (const char *name)
{
  GError *error = NULL;
  Case c = { .nets = nets_case_open (name, "diffusion_pytorch_model", PMT_NAMES_UNET) };
  pmt_controlnet_config_parse (c.nets->config, c.nets->file, &c.config, &error);
  g_assert_no_error (error);
  c.net = pmt_controlnet_new (&c.config, c.nets->weights, NULL, &error);
  g_assert_no_error (error);
  c.ctx = nets_context_new (false);
  return c;
}

static void
close_case (Case *c)
{
  nets_context_free (c->ctx);
  pmt_controlnet_free (c->net);
  nets_case_close (c->nets);
}

static PmtUnetInput
read_input (PmtContext *ctx, const NetsCase *nets)
{
  PmtUnetInput input = { .sample = nets_read (ctx, nets, "sample"), .timesteps = nets_read (ctx, nets, "timestep").data,
                         .context = nets_read (ctx, nets, "encoder_hidden_states") };
  if (nets_has (nets, "text_embeds")) {
    input.text_embeds = nets_read (ctx, nets, "text_embeds");
    input.time_ids = nets_read (ctx, nets, "time_ids");
  }
  return input;
}

static void
run (const Case *c, const PmtControlNet *net, bool guess, bool shuffle, PmtTensor *residual)
{
  PmtUnetInput input = read_input (c->ctx, c->nets);
  PmtTensor hint = pmt_controlnet_hint (c->ctx, net, nets_read (c->ctx, c->nets, "controlnet_cond"));
  const float scale = nets_read (c->ctx, c->nets, "conditioning_scale").data[0];
  g_assert_true (pmt_controlnet_forward (c->ctx, net, &input, hint, scale, guess, pmt_controlnet_pools (net, shuffle), residual));
  nets_context_check (c->ctx);
}

static void
test_parity (gconstpointer name)
{
  Case c = open_case (name);
  PmtTensor residual[MOST];
  g_assert_cmpint (pmt_controlnet_n_residuals (c.net), <=, MOST);
  for (int guess = 0; guess < 2; guess++) {
    run (&c, c.net, guess, false, residual);
    for (int k = 0; k < pmt_controlnet_n_residuals (c.net); k++) {
      g_autofree char *stored = g_strdup_printf ("%s%d", guess ? "guess." : "", k);
      nets_compare (c.ctx, c.nets, stored, residual[k]);
    }
    g_autofree char *next = g_strdup_printf ("%d", pmt_controlnet_n_residuals (c.net));
    g_assert_false (nets_has (c.nets, next));
  }
  close_case (&c);
}

/* Without config.json, the shapes and the base model say the same. */
static void
test_derive (gconstpointer name)
{
  Case c = open_case (name);
  GError *error = NULL;
  PmtControlNetConfig derived;
  pmt_controlnet_config_derive (c.nets->weights, &c.config.unet, &derived, &error);
  g_assert_no_error (error);
  derived.bgr = c.config.bgr; /* no shape shows it, and no file in one piece has it */
  g_assert_false (derived.global_pool || derived.pool_stated);
  PmtControlNet *again = pmt_controlnet_new (&derived, c.nets->weights, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (pmt_controlnet_n_residuals (again), ==, pmt_controlnet_n_residuals (c.net));
  g_assert_cmpuint (pmt_weight_pool_bytes (pmt_controlnet_weights (again)), ==, pmt_weight_pool_bytes (pmt_controlnet_weights (c.net)));
  PmtTensor one[MOST], two[MOST];
  run (&c, c.net, false, false, one);
  run (&c, again, false, c.config.global_pool, two); /* the control's type says that */
  for (int k = 0; k < pmt_controlnet_n_residuals (c.net); k++)
    g_assert_true (nets_same_bytes (one[k], two[k]));
  pmt_controlnet_free (again);
  close_case (&c);
}

/* `source` as a file of its own, opened without and with what lies beside it. */
static PmtControlNetConfig
open_copy (const char *folder, const char *name, const Case *c)
{
  g_autofree char *source = g_build_filename (g_getenv ("PMT_TEST_DATA"), "nets", c->nets->name, "diffusion_pytorch_model.safetensors", NULL);
  g_autofree char *path = g_build_filename (folder, name, NULL), *data = NULL;
  GError *error = NULL;
  PmtControlNetConfig config;
  gsize size;
  g_assert_true (g_file_get_contents (source, &data, &size, NULL) && g_file_set_contents (path, data, (gssize) size, NULL));
  PmtWeights *weights = pmt_controlnet_open (path, &c->config.unet, &config, &error);
  g_assert_no_error (error);
  pmt_weights_free (weights);
  return config;
}

/* A file's name says that it pools; a config.json beside it is taken for its own where it cannot be another one's. */
static void
test_single_file (void)
{
  Case c = open_case ("controlnet-pool");
  g_autofree char *folder = g_dir_make_tmp ("pmt-controlnet-XXXXXX", NULL), *json = g_build_filename (folder, "config.json", NULL);
  g_autofree char *own = g_build_filename (folder, "b.json", NULL), *text = NULL;
  static const char *const names_there[] = { "a.safetensors", "b.safetensors", "Control_Shuffle.safetensors", "diffusion_pytorch_model.safetensors",
                                             "config.json", "b.json" };

  PmtControlNetConfig plain = open_copy (folder, "a.safetensors", &c);
  g_assert_false (plain.global_pool || plain.pool_stated);
  g_assert_true (g_file_get_contents (c.nets->file, &text, NULL, NULL) && g_file_set_contents (json, text, -1, NULL));
  g_assert_true (open_copy (folder, "a.safetensors", &c).pool_stated); /* the only one there */
  g_assert_false (open_copy (folder, "b.safetensors", &c).pool_stated);
  g_assert_false (open_copy (folder, "a.safetensors", &c).pool_stated);
  PmtControlNetConfig shuffle = open_copy (folder, "Control_Shuffle.safetensors", &c);
  g_assert_true (shuffle.global_pool && !shuffle.pool_stated);
  g_assert_true (open_copy (folder, "diffusion_pytorch_model.safetensors", &c).pool_stated);
  g_assert_true (g_file_set_contents (own, "{\"activation text\": \"lines\"}", -1, NULL)); /* notes of another program */
  g_assert_false (open_copy (folder, "b.safetensors", &c).pool_stated);
  g_assert_true (g_file_set_contents (own, text, -1, NULL));
  PmtControlNetConfig stated = open_copy (folder, "b.safetensors", &c);
  g_assert_true (stated.pool_stated && stated.global_pool);
  for (size_t i = 0; i < G_N_ELEMENTS (names_there); i++) {
    g_autofree char *path = g_build_filename (folder, names_there[i], NULL);
    g_unlink (path);
  }
  g_rmdir (folder);
  close_case (&c);
}

/* Rows give together what they give alone, and one hint serves them all. */
static void
test_rows (gconstpointer name)
{
  Case c = open_case (name);
  const PmtUnetConfig *unet = &c.config.unet;
  const float times[3] = { 900.0f, 11.0f, 411.5f };
  const int side = 1 << (c.config.n_hint_widths - 1), n = pmt_controlnet_n_residuals (c.net);
  PmtTensor sample = nets_random (c.ctx, PMT_SHAPE4 (3, 5, 4, unet->in_channels), 1);
  PmtTensor text = nets_random (c.ctx, PMT_SHAPE3 (3, 6, unet->cross_attention_dim), 2);
  PmtTensor pooled = nets_random (c.ctx, PMT_SHAPE2 (3, MAX (1, unet->added_dim - 6 * unet->time_id_dim)), 3);
  PmtTensor ids = nets_random (c.ctx, PMT_SHAPE2 (3, 6), 4);
  PmtTensor hint = pmt_controlnet_hint (c.ctx, c.net, nets_random (c.ctx, PMT_SHAPE4 (1, 5 * side, 4 * side, 3), 5));
  PmtTensor alone[3][MOST], together[MOST];
  for (int rows = 1; rows <= 3; rows++)
    for (int first = 0; first < (rows == 1 ? 3 : 1); first++) {
      PmtUnetInput input = { .sample = pmt_tensor_rows (sample, first, rows), .timesteps = times + first,
                             .context = pmt_tensor_rows (text, first, rows) };
      if (unet->added_dim) {
        input.text_embeds = pmt_tensor_rows (pooled, first, rows);
        input.time_ids = pmt_tensor_rows (ids, first, rows);
      }
      g_assert_true (pmt_controlnet_forward (c.ctx, c.net, &input, hint, 0.7f, false, pmt_controlnet_pools (c.net, false),
                                             rows == 1 ? alone[first] : together));
      for (int k = 0; rows > 1 && k < n; k++)
        for (int row = 0; row < rows; row++)
          g_assert_true (nets_same_bytes (pmt_tensor_rows (together[k], row, 1), alone[row][k]));
    }
  g_assert_false (nets_same_bytes (alone[0][0], alone[1][0]));
  close_case (&c);
}

static void
test_dry (gconstpointer name)
{
  GError *error = NULL;
  Case c = open_case (name);
  PmtControlNet *hollow = pmt_controlnet_new (&c.config, NULL, NULL, &error);
  g_assert_no_error (error);
  PmtContext *dry = nets_context_new (true);
  PmtTensor residual[MOST], planned[MOST];
  PmtUnetInput input = read_input (c.ctx, c.nets), empty = read_input (dry, c.nets);
  PmtTensor picture = nets_read (c.ctx, c.nets, "controlnet_cond"), nothing = nets_read (dry, c.nets, "controlnet_cond");
  const size_t before = pmt_arena_used (c.ctx->step), before_dry = pmt_arena_used (dry->step);
  PmtTensor hint = pmt_controlnet_hint (c.ctx, c.net, picture), hint_dry = pmt_controlnet_hint (dry, hollow, nothing);
  g_assert_true (pmt_controlnet_forward (c.ctx, c.net, &input, hint, 1.0f, true, pmt_controlnet_pools (c.net, false), residual));
  g_assert_true (pmt_controlnet_forward (dry, hollow, &empty, hint_dry, 1.0f, true, pmt_controlnet_pools (hollow, false), planned));
  g_assert_cmpfloat (dry->flops, ==, c.ctx->flops);
  g_assert_cmpuint (pmt_arena_peak (dry->step) - before_dry, ==, pmt_arena_peak (c.ctx->step) - before);
  size_t kept = (size_t) pmt_tensor_size (hint) * sizeof (float) + 64;
  for (int k = 0; k < pmt_controlnet_n_residuals (c.net); k++) {
    g_assert_true (pmt_shape_equal (&residual[k].shape, &planned[k].shape));
    kept += (size_t) pmt_tensor_size (residual[k]) * sizeof (float) + 64;
  }
  g_assert_cmpuint (pmt_arena_used (c.ctx->step) - before, <=, kept);
  g_assert_cmpuint (pmt_weight_pool_bytes (pmt_controlnet_weights (hollow)), ==, pmt_weight_pool_bytes (pmt_controlnet_weights (c.net)));
  nets_context_free (dry);
  pmt_controlnet_free (hollow);
  close_case (&c);
}

static void
expect (PmtContext *ctx, const char *part)
{
  GError *error = NULL;
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  if (!strstr (error->message, part))
    g_error ("'%s' does not tell '%s'", error->message, part);
  g_clear_error (&error);
}

static void
test_wrong_input (void)
{
  Case c = open_case ("controlnet-sd1");
  PmtTensor residual[MOST];
  PmtUnetInput good = read_input (c.ctx, c.nets), bad = good;
  PmtTensor hint = pmt_controlnet_hint (c.ctx, c.net, nets_read (c.ctx, c.nets, "controlnet_cond"));
  bad.context = nets_random (c.ctx, PMT_SHAPE3 (2, 5, 13), 1);
  g_assert_false (pmt_controlnet_forward (c.ctx, c.net, &bad, hint, 1.0f, false, pmt_controlnet_pools (c.net, false), residual));
  g_assert_null (residual[0].data);
  expect (c.ctx, "The ControlNet takes a latent");
  PmtTensor small = pmt_controlnet_hint (c.ctx, c.net, nets_random (c.ctx, PMT_SHAPE4 (1, 40, 32, 3), 2));
  g_assert_false (pmt_controlnet_forward (c.ctx, c.net, &good, small, 1.0f, false, pmt_controlnet_pools (c.net, false), residual));
  expect (c.ctx, "8 times the latent's");
  g_assert_true (pmt_controlnet_forward (c.ctx, c.net, &good, hint, 1.0f, false, pmt_controlnet_pools (c.net, false), residual));
  close_case (&c);
}

typedef struct Bad {
  const char *json, *part;
} Bad;

static void
test_wrong_config (void)
{
  static const Bad bad[] = {
    { "{\"controlnet_conditioning_channel_order\": \"grb\"}", "controlnet_conditioning_channel_order" },
    { "{\"mid_block_type\": \"UNetMidBlock3D\"}", "mid_block_type" },
    { "{\"conditioning_embedding_out_channels\": []}", "conditioning_embedding_out_channels" },
    { "{\"conditioning_embedding_out_channels\": [16, 0]}", "conditioning_embedding_out_channels" },
    { "{\"conditioning_channels\": -1}", "conditioning_channels" },
    { "{\"down_block_types\": [\"DownBlock2D\", 3]}", "down_block_types" },
    { "{\"down_block_types\": [\"AttnDownBlock2D\", \"DownBlock2D\", \"DownBlock2D\", \"DownBlock2D\"]}", "AttnDownBlock2D" },
    { "{\"class_embed_type\": \"timestep\"}", "class_embed_type" },
    { "{\"global_pool_conditions\": 7}", "global_pool_conditions" },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
    GError *error = NULL;
    PmtControlNetConfig config;
    g_autoptr (JsonObject) object = pmt_config_from_text (bad[i].json, "here");
    g_assert_false (pmt_controlnet_config_parse (object, "here", &config, &error));
    g_assert_nonnull (error);
    if (!strstr (error->message, bad[i].part) || !strstr (error->message, "here"))
      g_error ("'%s' does not tell '%s'", error->message, bad[i].part);
    g_error_free (error);
  }
  /* the constructor's defaults are Stable Diffusion 1.x with a wider text */
  PmtControlNetConfig config;
  GError *error = NULL;
  g_autoptr (JsonObject) empty = pmt_config_from_text ("{}", "here");
  g_assert_true (pmt_controlnet_config_parse (empty, "here", &config, &error));
  g_assert_cmpint (config.unet.cross_attention_dim, ==, 1280);
  g_assert_cmpint (config.n_hint_widths, ==, 4);
  g_assert_cmpint (config.hint_widths[3], ==, 256);
  g_assert_false (config.bgr || config.global_pool || config.unet.mid_plain);
}

static void
test_wrong_weights (void)
{
  GError *error = NULL;
  NetsCase *unet = nets_case_open ("unet-sd1", "diffusion_pytorch_model", PMT_NAMES_UNET);
  NetsCase *vae = nets_case_open ("vae-plain", "diffusion_pytorch_model", PMT_NAMES_VAE);
  Case c = open_case ("controlnet-sd1");
  PmtControlNetConfig config;
  g_assert_false (pmt_controlnet_config_derive (unet->weights, &c.config.unet, &config, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_FORMAT);
  g_assert_nonnull (strstr (error->message, "controlnet_cond_embedding"));
  g_clear_error (&error);
  g_assert_false (pmt_controlnet_config_derive (vae->weights, &c.config.unet, &config, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_FORMAT);
  g_clear_error (&error);
  PmtUnetConfig base = c.config.unet;
  base.heads[1] = 5;
  g_assert_false (pmt_controlnet_config_derive (c.nets->weights, &base, &config, &error));
  g_assert_nonnull (strstr (error->message, "heads"));
  g_clear_error (&error);
  config = c.config;
  config.unet.layers_per_block = 3;
  g_assert_null (pmt_controlnet_new (&config, c.nets->weights, NULL, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND);
  g_clear_error (&error);
  close_case (&c);
  nets_case_close (vae);
  nets_case_close (unet);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *parity = g_strconcat ("/nets/controlnet/parity/", names[i], NULL);
    g_autofree char *derive = g_strconcat ("/nets/controlnet/derive/", names[i], NULL);
    g_test_add_data_func (parity, names[i], test_parity);
    g_test_add_data_func (derive, names[i], test_derive);
  }
  g_test_add_data_func ("/nets/controlnet/rows/sd1", "controlnet-sd1", test_rows);
  g_test_add_data_func ("/nets/controlnet/rows/xl", "controlnet-xl", test_rows);
  g_test_add_data_func ("/nets/controlnet/rows/pool", "controlnet-pool", test_rows);
  g_test_add_data_func ("/nets/controlnet/dry/odd", "controlnet-sd2-bgr", test_dry);
  g_test_add_data_func ("/nets/controlnet/dry/pool", "controlnet-pool", test_dry);
  g_test_add_func ("/nets/controlnet/single-file", test_single_file);
  g_test_add_func ("/nets/controlnet/wrong-input", test_wrong_input);
  g_test_add_func ("/nets/controlnet/wrong-config", test_wrong_config);
  g_test_add_func ("/nets/controlnet/wrong-weights", test_wrong_weights);
  return g_test_run ();
}
