/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading config.json: defaults of absent keys, and a refusal that names key and file for what cannot be run. */
#include <string.h>

#include "engine/nets/clip_text.h"
#include "engine/nets/unet.h"
#include "engine/nets/vae.h"
#include "engine/weights/config.h"

#define FILE_NAME "model/config.json"

typedef enum { UNET, VAE, TEXT } Kind;

typedef struct BadConfig {
  Kind kind;
  const char *json, *key;
  PmtError code;
} BadConfig;

static const BadConfig bad[] = {
  { UNET, "{\"act_fn\": \"gelu\"}", "act_fn", PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"addition_embed_type\": \"image_hint\"}", "addition_embed_type", PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"addition_embed_type\": \"text_time\"}", "projection_class_embeddings_input_dim", PMT_ERROR_FORMAT },
  { UNET, "{\"addition_embed_type\": \"text_time\", \"projection_class_embeddings_input_dim\": 2816}", "addition_time_embed_dim",
    PMT_ERROR_FORMAT },
  { UNET, "{\"class_embed_type\": \"timestep\"}", "class_embed_type", PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"time_cond_proj_dim\": -256}", "time_cond_proj_dim", PMT_ERROR_FORMAT },
  { UNET, "{\"only_cross_attention\": [false, true, true, false]}", "only_cross_attention", PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"dual_cross_attention\": true}", "dual_cross_attention", PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"downsample_padding\": 0}", "downsample_padding", PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"resnet_time_scale_shift\": \"scale_shift\"}", "resnet_time_scale_shift", PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"num_attention_heads\": 8}", "num_attention_heads", PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"mid_block_type\": null}", "mid_block_type", PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"mid_block_type\": \"UNetMidBlock2D\"}", "mid_block_type", PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"conv_in_kernel\": 1}", "conv_in_kernel", PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"attention_type\": \"gated-text-image\"}", "attention_type", PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"down_block_types\": [\"DownBlock2D\", \"KDownBlock2D\", \"DownBlock2D\", \"DownBlock2D\"]}", "down_block_types",
    PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"layers_per_block\": [1, 2, 2, 2]}", "layers_per_block", PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"cross_attention_dim\": [768, 1024, 768, 768]}", "cross_attention_dim", PMT_ERROR_UNSUPPORTED },
  { UNET, "{\"block_out_channels\": [320, 640]}", "down_block_types", PMT_ERROR_FORMAT },
  { UNET, "{\"block_out_channels\": []}", "block_out_channels", PMT_ERROR_FORMAT },
  { UNET, "{\"block_out_channels\": [320, 640, 1280, 1281]}", "norm_num_groups", PMT_ERROR_FORMAT },
  { UNET, "{\"attention_head_dim\": 7}", "attention_head_dim", PMT_ERROR_FORMAT },
  { UNET, "{\"attention_head_dim\": 0}", "attention_head_dim", PMT_ERROR_FORMAT },
  { UNET, "{\"norm_num_groups\": 0}", "norm_num_groups", PMT_ERROR_FORMAT },
  { UNET, "{\"in_channels\": -4}", "in_channels", PMT_ERROR_FORMAT },
  { UNET, "{\"in_channels\": \"four\"}", "in_channels", PMT_ERROR_FORMAT },
  { UNET, "{\"layers_per_block\": 1000}", "layers_per_block", PMT_ERROR_FORMAT },
  { VAE, "{\"act_fn\": \"relu\"}", "act_fn", PMT_ERROR_UNSUPPORTED },
  { VAE, "{\"down_block_types\": [\"AttnDownEncoderBlock2D\"]}", "down_block_types", PMT_ERROR_UNSUPPORTED },
  { VAE, "{\"latents_mean\": [0.0, 0.1, 0.0, 0.0]}", "latents_std", PMT_ERROR_FORMAT },
  { VAE, "{\"latents_mean\": [0.0, 0.1, 0.0], \"latents_std\": [1, 1, 1, 1]}", "latents_mean", PMT_ERROR_FORMAT },
  { VAE, "{\"latents_mean\": [0, 0, 0, 0], \"latents_std\": [1, 1, 0, 1]}", "latents_std", PMT_ERROR_FORMAT },
  { VAE, "{\"latents_mean\": [0, 0, 0, 0], \"latents_std\": [1, 1, \"1\", 1]}", "latents_std", PMT_ERROR_FORMAT },
  { VAE, "{\"scaling_factor\": 0.0}", "scaling_factor", PMT_ERROR_FORMAT },
  { VAE, "{\"block_out_channels\": [64, 65]}", "norm_num_groups", PMT_ERROR_FORMAT },
  { VAE, "{\"latent_channels\": 0}", "latent_channels", PMT_ERROR_FORMAT },
  { VAE, "{\"layers_per_block\": 0}", "layers_per_block", PMT_ERROR_FORMAT },
  { TEXT, "{\"hidden_act\": \"relu\"}", "hidden_act", PMT_ERROR_UNSUPPORTED },
  { TEXT, "{\"hidden_size\": 100, \"num_attention_heads\": 7}", "heads", PMT_ERROR_FORMAT },
  { TEXT, "{\"num_hidden_layers\": 0}", "num_hidden_layers", PMT_ERROR_FORMAT },
  { TEXT, "{\"vocab_size\": 0}", "vocab_size", PMT_ERROR_FORMAT },
  { TEXT, "{\"max_position_embeddings\": 2}", "max_position_embeddings", PMT_ERROR_FORMAT },
};

static gboolean
parse (Kind kind, JsonObject *object, GError **error)
{
  PmtUnetConfig unet;
  PmtVaeConfig vae;
  PmtClipTextConfig text;
  if (kind == UNET)
    return pmt_unet_config_parse (object, FILE_NAME, &unet, error);
  if (kind == VAE)
    return pmt_vae_config_parse (object, FILE_NAME, &vae, error);
  return pmt_clip_text_config_parse (object, FILE_NAME, &text, error);
}

static void
test_refusals (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
    GError *error = NULL;
    JsonObject *object = pmt_config_from_text (bad[i].json, FILE_NAME);
    gboolean read = parse (bad[i].kind, object, &error);
    if (read || !g_error_matches (error, PMT_ERROR, (int) bad[i].code) || !strstr (error->message, bad[i].key)
        || !strstr (error->message, FILE_NAME))
      g_error ("%s: %s", bad[i].json, read ? "was accepted" : error->message);
    g_clear_error (&error);
    json_object_unref (object);
  }
}

/* An empty file is the constructor's defaults: Stable Diffusion 1.x but for the text's width. */
static void
test_unet_defaults (void)
{
  GError *error = NULL;
  PmtUnetConfig config;
  JsonObject *object = pmt_config_from_text ("{}", FILE_NAME);
  g_assert_true (pmt_unet_config_parse (object, FILE_NAME, &config, &error));
  static const int widths[] = { 320, 640, 1280, 1280 };
  static const bool down[] = { true, true, true, false }, up[] = { false, true, true, true };
  g_assert_cmpint (config.in_channels, ==, 4);
  g_assert_cmpint (config.out_channels, ==, 4);
  g_assert_cmpint (config.n_levels, ==, 4);
  for (int i = 0; i < 4; i++) {
    g_assert_cmpint (config.block_out_channels[i], ==, widths[i]);
    g_assert_cmpint (config.heads[i], ==, 8);
    g_assert_cmpint (config.transformer_layers[i], ==, 1);
    g_assert_true (config.down_has_attention[i] == down[i]);
    g_assert_true (config.up_has_attention[i] == up[i]);
  }
  g_assert_cmpint (config.layers_per_block, ==, 2);
  g_assert_cmpint (config.cross_attention_dim, ==, 1280);
  g_assert_cmpint (config.norm_groups, ==, 32);
  g_assert_cmpfloat (config.norm_eps, ==, 1e-5f);
  g_assert_cmpfloat (config.freq_shift, ==, 0.0f);
  g_assert_true (config.flip_sin_to_cos);
  g_assert_false (config.linear_projection);
  json_object_unref (object);
}

static void
test_vae_defaults (void)
{
  GError *error = NULL;
  PmtVaeConfig config;
  JsonObject *object = pmt_config_from_text ("{\"shift_factor\": null, \"mid_block_add_attention\": true}", FILE_NAME);
  g_assert_true (pmt_vae_config_parse (object, FILE_NAME, &config, &error));
  g_assert_cmpint (config.n_levels, ==, 1);
  g_assert_cmpint (config.block_out_channels[0], ==, 64);
  g_assert_cmpint (config.layers_per_block, ==, 1);
  g_assert_cmpint (config.latent_channels, ==, 4);
  g_assert_cmpint (pmt_vae_factor (&config), ==, 1);
  g_assert_cmpfloat (config.scaling_factor, ==, 0.18215f);
  g_assert_cmpfloat (config.shift_factor, ==, 0.0f);
  g_assert_true (config.mid_attention && config.quant_conv && config.post_quant_conv);
  json_object_unref (object);
}

/* projection_dim is written for every encoder; only the architecture says whether there is a projection. */
static void
test_text_projection (void)
{
  GError *error = NULL;
  PmtClipTextConfig config;
  JsonObject *object = pmt_config_from_text ("{\"projection_dim\": 768, \"architectures\": [\"CLIPTextModel\"]}", FILE_NAME);
  g_assert_true (pmt_clip_text_config_parse (object, FILE_NAME, &config, &error));
  g_assert_cmpint (config.projection, ==, 0);
  g_assert_cmpint (config.eos_token_id, ==, 49407);
  g_assert_cmpint (config.activation, ==, PMT_ACT_QUICK_GELU);
  json_object_unref (object);
  object = pmt_config_from_text ("{\"projection_dim\": 1280, \"architectures\": [\"CLIPTextModelWithProjection\"]}", FILE_NAME);
  g_assert_true (pmt_clip_text_config_parse (object, FILE_NAME, &config, &error));
  g_assert_cmpint (config.projection, ==, 1280);
  json_object_unref (object);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/nets/config/refusals", test_refusals);
  g_test_add_func ("/nets/config/unet-defaults", test_unet_defaults);
  g_test_add_func ("/nets/config/vae-defaults", test_vae_defaults);
  g_test_add_func ("/nets/config/text-projection", test_text_projection);
  return g_test_run ();
}
