/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Networks beside a model's own in 16 bits: smaller, and within a stated error of what they compute in f32 (max |a - b| / max |b|). */
#include "engine/kernels/packed.h"
#include "engine/nets/gligen.h"
#include "engine/nets/ip_adapter.h"
#include "engine/nets/t2i_adapter.h"
#include "engine/nets/taesd.h"
#include "engine/ops/ops.h"
#include "tests/nets/nets_case.h"

#define BF16_TOLERANCE 0.02

static char *
data_path (const char *folder, const char *name)
{
  return g_build_filename (g_getenv ("PMT_TEST_DATA"), folder, name, NULL);
}

/* `make` computes something with a network whose weights are to be in `precision`; *bytes becomes their size. */
typedef PmtTensor (*Make) (PmtContext *ctx, PmtPrecision precision, size_t *bytes);

static void
compare (const char *name, Make make)
{
  PmtContext *ctx = nets_context_new (false);
  size_t wide, narrow;
  const PmtTensor wanted = make (ctx, PMT_PRECISION_F32, &wide), got = make (ctx, PMT_PRECISION_BF16, &narrow);
  nets_context_check (ctx);
  const double error = nets_difference (got, wanted);
  g_test_message ("%s in bf16: error %.2g, %.2f of the memory", name, error, (double) narrow / (double) wide);
  g_assert_cmpfloat (error, <, BF16_TOLERANCE);
  g_assert_cmpfloat (error, >, 1e-6); /* it did compute in it */
  g_assert_cmpuint (narrow, <, wide);
  nets_context_free (ctx);
}

static PmtTensor
taesd (PmtContext *ctx, PmtPrecision precision, size_t *bytes)
{
  GError *error = NULL;
  g_autofree char *path = data_path ("nets", "taesd");
  PmtTaesd *net = pmt_taesd_open (path, 4, &error);
  g_assert_no_error (error);
  pmt_weight_pool_set_precision (pmt_taesd_weights (net), precision);
  *bytes = pmt_taesd_weight_bytes (net);
  g_assert_true (pmt_taesd_load (net, NULL, &error));
  const PmtTensor out = pmt_taesd_decode (ctx, net, nets_random (ctx, PMT_SHAPE4 (1, 4, 4, 4), 2));
  pmt_taesd_free (net);
  return out;
}

static PmtTensor
t2i (PmtContext *ctx, PmtPrecision precision, size_t *bytes)
{
  GError *error = NULL;
  PmtT2iConfig config;
  PmtTensor feature[PMT_T2I_MAX_BLOCKS];
  NetsCase *nets = nets_case_open ("t2i-full", "diffusion_pytorch_model", PMT_NAMES_PLAIN);
  g_assert_true (pmt_t2i_config_parse (nets->config, nets->file, &config, &error));
  PmtT2iAdapter *net = pmt_t2i_new (&config, NULL, NULL, &error);
  pmt_weight_pool_set_precision (pmt_t2i_weights (net), precision);
  *bytes = pmt_weight_pool_bytes (pmt_t2i_weights (net));
  g_assert_true (pmt_t2i_load (net, nets->weights, NULL, &error));
  g_assert_true (pmt_t2i_forward (ctx, net, nets_read (ctx, nets, "x"), feature));
  pmt_t2i_free (net);
  nets_case_close (nets);
  return feature[config.n_blocks - 1];
}

static PmtTensor
ip_adapter (PmtContext *ctx, PmtPrecision precision, size_t *bytes)
{
  GError *error = NULL;
  PmtTensor k, v;
  g_autofree char *encoder = data_path ("grounding", "image_encoder"), *path = data_path ("grounding", "ip-plus.safetensors");
  PmtClipVision *vision = pmt_clip_vision_open (encoder, &error);
  PmtIpAdapter *adapter = vision ? pmt_ip_adapter_open (path, &error) : NULL;
  g_assert_no_error (error);
  pmt_weight_pool_set_precision (pmt_clip_vision_weights (vision), precision);
  pmt_weight_pool_set_precision (pmt_ip_adapter_weights (adapter), precision);
  *bytes = pmt_clip_vision_weight_bytes (vision) + pmt_ip_adapter_weight_bytes (adapter);
  g_assert_true (pmt_clip_vision_load (vision, NULL, &error) && pmt_ip_adapter_load (adapter, NULL, &error));
  const int side = pmt_clip_vision_config (vision)->image_size;
  const PmtTensor pixels = nets_random (ctx, PMT_SHAPE4 (1, side, side, 3), 5);
  pmt_ip_adapter_keys (ctx, adapter, 0, pmt_ip_adapter_tokens (ctx, adapter, vision, pixels, false), &k, &v);
  pmt_ip_adapter_free (adapter);
  pmt_clip_vision_free (vision);
  return pmt_add (ctx, k, v);
}

static PmtTensor
gligen (PmtContext *ctx, PmtPrecision precision, size_t *bytes)
{
  const double boxes[2][4] = { { 0.1, 0.2, 0.5, 0.6 }, { 0.3, 0.3, 0.9, 1.0 } };
  GError *error = NULL;
  PmtUnetConfig config;
  PmtTensor k, v;
  g_autofree char *path = data_path ("grounding", "sd/unet"), *file = g_build_filename (path, "config.json", NULL);
  g_autoptr (JsonObject) object = pmt_config_load (file, &error);
  g_assert_true (object && pmt_unet_config_parse (object, file, &config, &error));
  PmtGligen *net = pmt_gligen_open (path, &config, &error);
  g_assert_no_error (error);
  pmt_weight_pool_set_precision (pmt_gligen_weights (net), precision);
  *bytes = pmt_gligen_weight_bytes (net);
  g_assert_true (pmt_gligen_load (net, NULL, &error));
  const PmtTensor phrases = nets_random (ctx, PMT_SHAPE2 (2, pmt_gligen_phrase_width (net)), 8);
  pmt_gligen_keys (ctx, net, 0, pmt_gligen_objects (ctx, net, boxes, phrases, 2), &k, &v);
  const PmtTensor out = pmt_gligen_fuse (ctx, net, 0, nets_random (ctx, PMT_SHAPE3 (1, 16, config.block_out_channels[0]), 9), k, v);
  pmt_gligen_free (net);
  return out;
}

static void
test_all (void)
{
  if (!pmt_precision_available (PMT_PRECISION_BF16))
    return; /* such a level refuses it (tests/sample/test_precision.c) */
  compare ("tiny autoencoder", taesd);
  compare ("T2I-Adapter", t2i);
  compare ("image encoder and IP-Adapter", ip_adapter);
  compare ("GLIGEN", gligen);
}

int
main (int argc, char **argv)
{
  PmtCpuLevel level;
  GError *error = NULL;
  if (!pmt_cpu_select (&level, &error))
    g_error ("%s", error->message);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/nets/extras-precision", test_all);
  return g_test_run ();
}
