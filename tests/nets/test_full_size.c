/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The published architectures at full size, without weights: number of tensors and parameters, work and memory of a pass, against what
 * counting hooks on diffusers' modules gave (formats.md 1.3 and 5.5). */
#include <math.h>

#include "engine/nets/clip_text.h"
#include "engine/nets/unet.h"
#include "engine/nets/vae.h"
#include "tests/nets/nets_case.h"

#define MIB ((size_t) 1 << 20)

typedef struct FullUnet {
  const char *name, *json;
  int size, text_width; /* of the latent and the context */
  double parameters, multiplications;
  int tensors, time_ids; /* 0 = 686, none */
} FullUnet;

static const FullUnet unets[] = {
  { "sd1-512", "{\"cross_attention_dim\": 768}", 64, 768, 859.5e6, 401.6e9 },
  { "sd1-768", "{\"cross_attention_dim\": 768}", 96, 768, 859.5e6, 1074e9 },
  { "sd2-512", "{\"cross_attention_dim\": 1024, \"attention_head_dim\": [5, 10, 20, 20], \"use_linear_projection\": true}", 64, 1024,
    865.9e6, 402.1e9 },
  { "sdxl-1024",
    "{\"cross_attention_dim\": 2048, \"attention_head_dim\": [5, 10, 20], \"use_linear_projection\": true, \"block_out_channels\": "
    "[320, 640, 1280], \"transformer_layers_per_block\": [1, 2, 10], \"down_block_types\": [\"DownBlock2D\", "
    "\"CrossAttnDownBlock2D\", \"CrossAttnDownBlock2D\"], \"up_block_types\": [\"CrossAttnUpBlock2D\", \"CrossAttnUpBlock2D\", "
    "\"UpBlock2D\"], \"addition_embed_type\": \"text_time\", \"addition_time_embed_dim\": 256, "
    "\"projection_class_embeddings_input_dim\": 2816}",
    128, 2048, 2567.5e6, 3381e9, 1680, 6 },
  { "refiner-1024",
    "{\"cross_attention_dim\": 1280, \"attention_head_dim\": [6, 12, 24, 24], \"use_linear_projection\": true, "
    "\"block_out_channels\": [384, 768, 1536, 1536], \"transformer_layers_per_block\": 4, \"down_block_types\": [\"DownBlock2D\", "
    "\"CrossAttnDownBlock2D\", \"CrossAttnDownBlock2D\", \"DownBlock2D\"], \"up_block_types\": [\"UpBlock2D\", "
    "\"CrossAttnUpBlock2D\", \"CrossAttnUpBlock2D\", \"UpBlock2D\"], \"addition_embed_type\": \"text_time\", "
    "\"addition_time_embed_dim\": 256, \"projection_class_embeddings_input_dim\": 2560}",
    128, 1280, 2259.5e6, 3643e9, 1220, 5 },
};

static void
assert_near (double value, double wanted, double fraction)
{
  g_test_message ("%.5g, wanted %.5g", value, wanted);
  g_assert_cmpfloat (fabs (value - wanted), <=, fraction * wanted);
}

/* Memory is theirs but for alignment, and for convolutions of large maps, whose transformed weights are larger. */
static void
assert_parameters (const PmtWeightPool *pool, double wanted)
{
  assert_near ((double) pmt_weight_pool_values (pool), wanted, 0.001);
  g_assert_cmpfloat ((double) pmt_weight_pool_bytes (pool) / sizeof (float), >=, wanted);
  g_assert_cmpfloat ((double) pmt_weight_pool_bytes (pool) / sizeof (float), <, 1.25 * wanted);
}

static void
test_unet (gconstpointer data)
{
  const FullUnet *full = data;
  GError *error = NULL;
  PmtUnetConfig config;
  JsonObject *object = pmt_config_from_text (full->json, full->name);
  g_assert_true (pmt_unet_config_parse (object, full->name, &config, &error));
  PmtUnet *unet = pmt_unet_new (&config, NULL, NULL, &error);
  g_assert_cmpint (pmt_weight_pool_count (pmt_unet_weights (unet)), ==, full->tensors ? full->tensors : 686);
  assert_parameters (pmt_unet_weights (unet), full->parameters);
  PmtContext *dry = nets_context_new (true);
  float time = 1.0f;
  PmtUnetInput input = { .sample = pmt_tensor_new (dry, PMT_SHAPE4 (1, full->size, full->size, 4)), .timesteps = &time,
                         .context = pmt_tensor_new (dry, PMT_SHAPE3 (1, 77, full->text_width)) };
  if (full->time_ids) {
    input.text_embeds = pmt_tensor_new (dry, PMT_SHAPE2 (1, 1280));
    input.time_ids = pmt_tensor_new (dry, PMT_SHAPE2 (1, full->time_ids));
  }
  pmt_unet_forward (dry, unet, &input, NULL);
  nets_context_check (dry);
  /* The count of multiplications leaves out norms and activations. */
  assert_near (dry->flops / 2.0, full->multiplications, 0.005);
  if (full->size == 64)
    g_assert_cmpuint (pmt_arena_peak (dry->step), <, 160 * MIB);
  nets_context_free (dry);
  pmt_unet_free (unet);
  json_object_unref (object);
}

static void
test_vae (void)
{
  GError *error = NULL;
  PmtVaeConfig config;
  JsonObject *object = pmt_config_from_text ("{\"block_out_channels\": [128, 256, 512, 512], \"layers_per_block\": 2}", "vae");
  g_assert_true (pmt_vae_config_parse (object, "vae", &config, &error));
  PmtVae *vae = pmt_vae_new (&config, NULL, NULL, &error);
  g_assert_cmpint (pmt_weight_pool_count (pmt_vae_weights (vae)), ==, 248);
  PmtContext *dry = nets_context_new (true);
  PmtTensor latents = pmt_tensor_new (dry, PMT_SHAPE4 (1, 64, 64, 4));
  PmtTensor picture = pmt_vae_decode (dry, vae, latents);
  nets_context_check (dry);
  g_assert_cmpint (picture.shape.dim[1], ==, 512);
  assert_near (dry->flops / 2.0, 1257e9, 0.005);
  g_assert_cmpuint (pmt_arena_peak (dry->step), <, 720 * MIB);
  dry->flops = 0.0;
  pmt_vae_encode (dry, vae, picture);
  nets_context_check (dry);
  assert_near (dry->flops / 2.0, 558e9, 0.005);
  nets_context_free (dry);
  pmt_vae_free (vae);
  json_object_unref (object);
}

static void
test_text (void)
{
  GError *error = NULL;
  PmtClipTextConfig config;
  JsonObject *object = pmt_config_from_text ("{\"hidden_size\": 768, \"intermediate_size\": 3072, \"num_attention_heads\": 12}", "text");
  g_assert_true (pmt_clip_text_config_parse (object, "text", &config, &error));
  PmtClipText *text = pmt_clip_text_new (&config, NULL, NULL, &error);
  g_assert_cmpint (pmt_weight_pool_count (pmt_clip_text_weights (text)), ==, 196);
  assert_parameters (pmt_clip_text_weights (text), 123.06e6);
  pmt_clip_text_free (text);
  json_object_unref (object);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (unets); i++) {
    g_autofree char *path = g_strconcat ("/nets/full-size/unet/", unets[i].name, NULL);
    g_test_add_data_func (path, &unets[i], test_unet);
  }
  g_test_add_func ("/nets/full-size/vae", test_vae);
  g_test_add_func ("/nets/full-size/text", test_text);
  return g_test_run ();
}
