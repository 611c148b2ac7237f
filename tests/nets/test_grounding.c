/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GLIGEN and IP-Adapter in single evaluations against diffusers (tests/reference/make_grounding.py): objects, gates, tokens, second
 * attentions; and the list of a UNet's transformer blocks that both rely on. */
#include <string.h>

#include "engine/nets/gligen.h"
#include "engine/nets/ip_adapter.h"
#include "engine/nets/layers.h"
#include "engine/nets/unet_sites.h"
#include "engine/ops/ops.h"
#include "tests/nets/nets_case.h"

static const char *const kinds[] = { "base", "plus", "full" };
static const float strengths[] = { 0.8f, 0.5f, 0.3f }; /* of make_nets in that script */

typedef struct Fixture {
  NetsCase nets; /* name and io only */
  PmtUnet *unet;
  PmtContext *ctx;
  PmtUnetInput input;
  int rows;
} Fixture;

static char *
data_path (const char *name)
{
  return g_build_filename (g_getenv ("PMT_TEST_DATA"), "grounding", name, NULL);
}

static PmtUnetConfig
unet_config (void)
{
  GError *error = NULL;
  PmtUnetConfig config;
  g_autofree char *path = data_path ("sd/unet/config.json");
  g_autoptr (JsonObject) object = pmt_config_load (path, &error);
  g_assert_no_error (error);
  pmt_unet_config_parse (object, path, &config, &error);
  g_assert_no_error (error);
  return config;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  GError *error = NULL;
  const PmtUnetConfig config = unet_config ();
  g_autofree char *folder = data_path ("sd/unet"), *io = data_path ("nets.safetensors");
  g_assert_true (config.gated);
  PmtWeights *weights = pmt_weights_new_folder (folder, "diffusion_pytorch_model", NULL, PMT_NAMES_UNET, &error);
  g_assert_no_error (error);
  f->unet = pmt_unet_new (&config, weights, NULL, &error);
  g_assert_no_error (error);
  pmt_weights_free (weights);
  f->nets.name = g_strdup ("grounding");
  f->nets.io = pmt_safetensors_open (io, &error);
  g_assert_no_error (error);
  f->ctx = nets_context_new (false);
  f->input = (PmtUnetInput) { .sample = nets_read (f->ctx, &f->nets, "sample"), .timesteps = nets_read (f->ctx, &f->nets, "timestep").data,
                              .context = nets_read (f->ctx, &f->nets, "encoder_hidden_states") };
  f->rows = (int) f->input.sample.shape.dim[0];
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  nets_context_free (f->ctx);
  pmt_unet_free (f->unet);
  pmt_safetensors_free (f->nets.io);
  g_free (f->nets.name);
}

static PmtTensor
run (Fixture *f, const PmtTaps *taps)
{
  PmtTensor out = pmt_unet_forward (f->ctx, f->unet, &f->input, taps);
  nets_context_check (f->ctx);
  return out;
}

static PmtTensor
stack (PmtContext *ctx, PmtTensor a, PmtTensor b)
{
  PmtShape shape = a.shape;
  shape.dim[0] = 2;
  PmtTensor both = pmt_tensor_new (ctx, shape);
  const size_t n = (size_t) pmt_tensor_size (a);
  memcpy (both.data, a.data, n * sizeof (float));
  memcpy (both.data + n, b.data, n * sizeof (float));
  return both;
}

/* ---- the list of blocks ----------------------------------------------------------------------------------------------- */

typedef struct Asked {
  const PmtUnetSite *sites;
  int n, seen;
} Asked;

static unsigned
ask (void *user, const PmtAttnSite *site)
{
  Asked *asked = user;
  g_assert_cmpint (site->block, <, asked->n);
  const PmtUnetSite *listed = &asked->sites[site->block];
  g_autofree char *name = g_strconcat (listed->name, site->cross ? ".attn2" : ".attn1", NULL);
  g_assert_cmpstr (site->name, ==, name);
  g_assert_cmpint (site->heads, ==, listed->heads);
  g_assert_cmpint (site->place, ==, listed->place);
  asked->seen++;
  return PMT_ATTN_QKV;
}

static void
look (void *user, PmtContext *ctx, PmtAttnStage stage, PmtAttnCall *call)
{
  const Asked *asked = user;
  g_assert_cmpint (call->q.shape.dim[2], ==, asked->sites[call->site->block].width);
}

/* What a UNet tells its taps, on networks of several depths, is what the list says. */
static void
test_sites (gconstpointer name)
{
  GError *error = NULL;
  NetsCase *nets = nets_case_open (name, "diffusion_pytorch_model", PMT_NAMES_UNET);
  PmtContext *ctx = nets_context_new (false);
  PmtUnetConfig config;
  Asked asked = { 0 };
  pmt_unet_config_parse (nets->config, nets->file, &config, &error);
  g_assert_no_error (error);
  PmtUnet *unet = pmt_unet_new (&config, nets->weights, NULL, &error);
  g_assert_no_error (error);
  PmtUnetSite *sites = pmt_unet_sites (&config, &asked.n);
  asked.sites = sites;
  PmtTaps taps = { .user = &asked, .attn_wants = ask, .attn = look };
  PmtUnetInput input = { .sample = nets_read (ctx, nets, "sample"), .timesteps = nets_read (ctx, nets, "timestep").data,
                         .context = nets_read (ctx, nets, "encoder_hidden_states") };
  pmt_unet_forward (ctx, unet, &input, &taps);
  nets_context_check (ctx);
  g_assert_cmpint (asked.seen, ==, 2 * asked.n);
  /* down in order, then up, then the middle: each place once */
  g_autofree bool *taken = g_new0 (bool, asked.n);
  int last = -1;
  for (int pass = 0; pass < 3; pass++)
    for (int i = 0; i < asked.n; i++)
      if (sites[i].place == (const PmtPlace[]) { PMT_PLACE_DOWN, PMT_PLACE_UP, PMT_PLACE_MID }[pass]) {
        const int at = pmt_unet_site_processor (sites, asked.n, i);
        g_assert_cmpint (at, ==, ++last);
        taken[at] = true;
      }
  g_assert_cmpint (last, ==, asked.n - 1);
  g_free (sites);
  pmt_unet_free (unet);
  nets_context_free (ctx);
  nets_case_close (nets);
}

/* SDXL has 70 blocks and its adapters 140 numbers. */
static void
test_sdxl_sites (void)
{
  GError *error = NULL;
  PmtUnetConfig config;
  int n;
  g_autoptr (JsonObject) object = pmt_config_from_text (
    "{\"block_out_channels\": [320, 640, 1280], \"down_block_types\": [\"DownBlock2D\", \"CrossAttnDownBlock2D\", \"CrossAttnDownBlock2D\"],"
    " \"up_block_types\": [\"CrossAttnUpBlock2D\", \"CrossAttnUpBlock2D\", \"UpBlock2D\"], \"transformer_layers_per_block\": [1, 2, 10],"
    " \"attention_head_dim\": [5, 10, 20], \"cross_attention_dim\": 2048, \"use_linear_projection\": true}", "SDXL");
  pmt_unet_config_parse (object, "SDXL", &config, &error);
  g_assert_no_error (error);
  PmtUnetSite *sites = pmt_unet_sites (&config, &n);
  g_assert_cmpint (n, ==, 70);
  g_assert_cmpstr (sites[0].name, ==, "down_blocks.1.attentions.0.transformer_blocks.0");
  g_assert_cmpstr (sites[24].name, ==, "mid_block.attentions.0.transformer_blocks.0");
  g_assert_cmpint (pmt_unet_site_processor (sites, n, 24), ==, 60);
  g_assert_cmpint (pmt_unet_site_processor (sites, n, 34), ==, 24);
  g_assert_cmpint (pmt_unet_site_processor (sites, n, 69), ==, 59);
  g_free (sites);
}

/* ---- GLIGEN ----------------------------------------------------------------------------------------------------------- */

typedef struct Gates {
  PmtGligen *gligen;
  PmtTensor objects[2]; /* of the two rows */
} Gates;

static unsigned
gates_want (void *user, const PmtAttnSite *site)
{
  return site->cross ? 0 : PMT_ATTN_AFTER;
}

static void
open_gates (void *user, PmtContext *ctx, PmtAttnStage stage, PmtAttnCall *call)
{
  Gates *gates = user;
  PmtTensor k[2], v[2];
  for (int i = 0; i < 2; i++)
    pmt_gligen_keys (ctx, gates->gligen, call->site->block, gates->objects[i], &k[i], &v[i]);
  call->hidden = pmt_gligen_fuse (ctx, gates->gligen, call->site->block, call->hidden, stack (ctx, k[0], k[1]), stack (ctx, v[0], v[1]));
}

static void
test_gligen (Fixture *f, gconstpointer data)
{
  GError *error = NULL;
  const PmtUnetConfig config = unet_config ();
  g_autofree char *path = data_path ("sd/unet");
  Gates gates = { .gligen = pmt_gligen_open (path, &config, &error) };
  g_assert_no_error (error);
  pmt_gligen_load (gates.gligen, NULL, &error);
  g_assert_no_error (error);
  PmtTensor stored = nets_read (f->ctx, &f->nets, "boxes"), phrases = nets_read (f->ctx, &f->nets, "phrases");
  double boxes[3][4];
  for (int i = 0; i < 12; i++)
    boxes[i / 4][i % 4] = stored.data[i];
  gates.objects[0] = pmt_gligen_objects (f->ctx, gates.gligen, (const double (*)[4]) boxes, phrases, 3);
  gates.objects[1] = pmt_gligen_objects (f->ctx, gates.gligen, NULL, PMT_NO_TENSOR, 0);
  nets_context_check (f->ctx);
  nets_compare (f->ctx, &f->nets, "objects", gates.objects[0]);
  nets_compare (f->ctx, &f->nets, "null_objects", gates.objects[1]);
  PmtTaps taps = { .user = &gates, .attn_wants = gates_want, .attn = open_gates };
  PmtTensor out = run (f, &taps), plain = run (f, NULL);
  nets_compare (f->ctx, &f->nets, "gligen", out);
  nets_compare (f->ctx, &f->nets, "plain", plain);
  g_assert_cmpfloat (nets_difference (out, plain), >, 0.1);
  pmt_gligen_free (gates.gligen);
}

/* ---- IP-Adapter ------------------------------------------------------------------------------------------------------- */

typedef struct Adapters {
  PmtIpAdapter *adapter[3];
  PmtTensor tokens[3];
  PmtUnetSite *sites;
  int n;
} Adapters;

static unsigned
adapters_want (void *user, const PmtAttnSite *site)
{
  return site->cross ? PMT_ATTN_OUT : 0;
}

static void
second_attentions (void *user, PmtContext *ctx, PmtAttnStage stage, PmtAttnCall *call)
{
  Adapters *a = user;
  const PmtAttentionParams params = { .heads = call->site->heads };
  for (int i = 0; i < 3; i++) {
    PmtTensor k, v;
    pmt_ip_adapter_keys (ctx, a->adapter[i], pmt_unet_site_processor (a->sites, a->n, call->site->block), a->tokens[i], &k, &v);
    call->out = pmt_add (ctx, call->out, pmt_scale (ctx, pmt_attention (ctx, call->q, k, v, params), strengths[i]));
  }
}

static void
test_ip_adapter (Fixture *f, gconstpointer data)
{
  static const PmtIpKind kind[] = { PMT_IP_BASE, PMT_IP_PLUS, PMT_IP_FULL };
  GError *error = NULL;
  const PmtUnetConfig config = unet_config ();
  g_autofree char *encoder = data_path ("image_encoder");
  Adapters a;
  PmtClipVision *vision = pmt_clip_vision_open (encoder, &error);
  g_assert_no_error (error);
  pmt_clip_vision_load (vision, NULL, &error);
  g_assert_no_error (error);
  a.sites = pmt_unet_sites (&config, &a.n);
  PmtTensor pixels = nets_read (f->ctx, &f->nets, "pixels");
  for (int i = 0; i < 3; i++) {
    g_autofree char *file = g_strdup_printf ("ip-%s.safetensors", kinds[i]), *path = data_path (file);
    g_autofree char *tokens = g_strconcat (kinds[i], ".tokens", NULL), *none = g_strconcat (kinds[i], ".none", NULL);
    a.adapter[i] = pmt_ip_adapter_open (path, &error);
    g_assert_no_error (error);
    g_assert_cmpint (pmt_ip_adapter_config (a.adapter[i])->kind, ==, kind[i]);
    g_assert_true (pmt_ip_adapter_check_unet (a.adapter[i], &config, "sd", &error));
    g_assert_true (pmt_ip_adapter_takes (a.adapter[i], pmt_clip_vision_config (vision)));
    pmt_ip_adapter_load (a.adapter[i], NULL, &error);
    g_assert_no_error (error);
    a.tokens[i] = pmt_ip_adapter_tokens (f->ctx, a.adapter[i], vision, pixels, false);
    PmtTensor nothing = pmt_ip_adapter_tokens (f->ctx, a.adapter[i], vision, pmt_tensor_rows (pixels, 0, 1), true);
    nets_context_check (f->ctx);
    nets_compare (f->ctx, &f->nets, tokens, a.tokens[i]);
    nets_compare (f->ctx, &f->nets, none, nothing);
  }
  PmtTaps taps = { .user = &a, .attn_wants = adapters_want, .attn = second_attentions };
  PmtTensor out = run (f, &taps);
  nets_compare (f->ctx, &f->nets, "ip", out);
  g_assert_cmpfloat (nets_difference (out, run (f, NULL)), >, 0.1);
  for (int i = 0; i < 3; i++)
    pmt_ip_adapter_free (a.adapter[i]);
  g_free (a.sites);
  pmt_clip_vision_free (vision);
}

static void
test_wrong_features (Fixture *f, gconstpointer data)
{
  GError *error = NULL;
  g_autofree char *path = data_path ("ip-plus.safetensors");
  PmtIpAdapter *adapter = pmt_ip_adapter_open (path, &error);
  g_assert_no_error (error);
  g_assert_null (pmt_ip_adapter_project (f->ctx, adapter, nets_random (f->ctx, PMT_SHAPE3 (1, 5, 33), 1)).data);
  g_assert_true (pmt_context_take_error (f->ctx, &error));
  g_assert_nonnull (strstr (error->message, "width 32"));
  g_clear_error (&error);
  pmt_ip_adapter_free (adapter);
}

int
main (int argc, char **argv)
{
  static const char *const unets[] = { "unet-sd1", "unet-deep", "unet-middle", "unet-fill" };
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (unets); i++) {
    g_autofree char *name = g_strconcat ("/nets/grounding/sites/", unets[i], NULL);
    g_test_add_data_func (name, unets[i], test_sites);
  }
  g_test_add_func ("/nets/grounding/sites/sdxl", test_sdxl_sites);
  g_test_add ("/nets/grounding/gligen", Fixture, NULL, set_up, test_gligen, tear_down);
  g_test_add ("/nets/grounding/ip-adapter", Fixture, NULL, set_up, test_ip_adapter, tear_down);
  g_test_add ("/nets/grounding/wrong-features", Fixture, NULL, set_up, test_wrong_features, tear_down);
  return g_test_run ();
}
