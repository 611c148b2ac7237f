/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The name lists of networks that stand beside a model, through the doors that their methods use: each is opened, and asks for every tensor
 * of the published file and for no other. */
#include <string.h>

#include "engine/nets/clip_vision.h"
#include "engine/nets/control_files.h"
#include "engine/nets/gligen.h"
#include "engine/nets/ip_adapter.h"
#include "engine/nets/taesd.h"
#include "engine/weights/config.h"
#include "engine/weights/families.h"
#include "tests/weights/lists.h"

/* Parameters of the list's tensors; `part` restricts it to names that contain one of two texts. */
static int64_t
values_of (const char *list, const char *part, const char *other)
{
  const GPtrArray *rows = list_rows (list);
  int64_t values = 0;

  for (guint i = 0; i < rows->len; i++) {
    const ListRow *row = rows->pdata[i];
    int64_t count = 1;
    if (part && !strstr (row->name, part) && !strstr (row->name, other))
      continue;
    for (int d = 0; d < row->rank; d++)
      count *= row->dim[d];
    values += count;
  }
  return values;
}

static void
compare_pool (const char *list, PmtWeights *weights, const PmtWeightPool *pool)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (pmt_weight_pool_count (pool), ==, (int) list_rows (list)->len);
  for (int i = 1; i <= pmt_weight_pool_count (pool); i++) {
    PmtWeightLayout layout;
    PmtShape shape = pmt_weight_pool_shape (pool, i, &layout);
    pmt_weights_check (weights, pmt_weight_pool_name (pool, i), shape.rank, shape.dim, &error);
    g_assert_no_error (error);
  }
}

static void
test_adapters (void)
{
  static const char *const lists[] = { "t2i-full", "t2i-full-original", "t2i-gray", "t2i-gray-original", "t2i-light", "t2i-light-original",
                                       "t2i-xl", "t2i-xl-original" };
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++) {
    g_autofree char *folder = files_folder (), *path = list_write (lists[i], folder, "adapter.safetensors");
    g_autoptr (GError) error = NULL;
    PmtT2iConfig config;
    PmtWeights *weights = pmt_t2i_open (path, &config, &error);
    g_assert_no_error (error);
    PmtT2iAdapter *net = pmt_t2i_new (&config, NULL, NULL, &error);
    g_assert_no_error (error);
    compare_pool (lists[i], weights, pmt_t2i_weights (net));
    pmt_t2i_free (net);
    pmt_weights_free (weights);
    files_remove (folder);
  }
}

static PmtUnetConfig
unet_of (const char *family)
{
  g_autoptr (JsonObject) object = pmt_config_from_text (pmt_family_by_id (family)->unet_config, family);
  g_autoptr (GError) error = NULL;
  PmtUnetConfig config;
  pmt_unet_config_parse (object, family, &config, &error);
  g_assert_no_error (error);
  return config;
}

static void
test_controlnets (void)
{
  static const char *const lists[][2] = { { "controlnet-sd1", "sd1" },         { "controlnet-sd1-ldm", "sd1" },
                                          { "controlnet-sd2", "sd2" },         { "controlnet-sd2-ldm", "sd2" },
                                          { "controlnet-sdxl-full", "sdxl" },  { "controlnet-sdxl-mid", "sdxl" },
                                          { "controlnet-sdxl-small", "sdxl" } };
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++) {
    g_autofree char *folder = files_folder (), *path = list_write (lists[i][0], folder, "net.safetensors");
    g_autoptr (GError) error = NULL;
    PmtUnetConfig unet = unet_of (lists[i][1]);
    PmtControlNetConfig config;
    PmtWeights *weights = pmt_controlnet_open (path, &unet, &config, &error);
    g_assert_no_error (error);
    PmtControlNet *net = pmt_controlnet_new (&config, NULL, NULL, &error);
    g_assert_no_error (error);
    compare_pool (lists[i][0], weights, pmt_controlnet_weights (net));
    pmt_controlnet_free (net);
    pmt_weights_free (weights);
    files_remove (folder);
  }
}

static void
test_ip_adapters (void)
{
  static const struct {
    const char *list;
    PmtIpKind kind;
    int context, sites;
    const char *unet, *encoder;
  } cases[] = { { "ip-adapter-sd1", PMT_IP_BASE, 768, 16, "sd1", "clip-vision-h" },
                { "ip-adapter-plus-sd1", PMT_IP_PLUS, 768, 16, "sd1", "clip-vision-h" },
                { "ip-adapter-sdxl", PMT_IP_BASE, 2048, 70, "sdxl", "clip-vision-bigg" },
                { "ip-adapter-plus-sdxl", PMT_IP_PLUS, 2048, 70, "sdxl", "clip-vision-h" } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *folder = files_folder (), *path = list_write (cases[i].list, folder, "ip.safetensors"),
                    *encoder = list_write (cases[i].encoder, folder, "encoder.safetensors");
    g_autoptr (GError) error = NULL;
    PmtUnetConfig unet = unet_of (cases[i].unet), other = unet_of (strcmp (cases[i].unet, "sd1") == 0 ? "sdxl" : "sd1");
    PmtIpAdapter *adapter = pmt_ip_adapter_open (path, &error);
    g_assert_no_error (error);
    const PmtIpAdapterConfig *config = pmt_ip_adapter_config (adapter);
    g_assert_cmpint (config->kind, ==, cases[i].kind);
    g_assert_cmpint (config->context_width, ==, cases[i].context);
    g_assert_cmpint (config->sites, ==, cases[i].sites);
    g_assert_cmpint (pmt_weight_pool_values (pmt_ip_adapter_weights (adapter)), ==, values_of (cases[i].list, NULL, NULL));
    g_assert_true (pmt_ip_adapter_check_unet (adapter, &unet, "m", &error));
    g_assert_false (pmt_ip_adapter_check_unet (adapter, &other, "m", NULL));
    PmtClipVision *vision = pmt_clip_vision_open (encoder, &error);
    g_assert_no_error (error);
    g_assert_true (pmt_ip_adapter_takes (adapter, pmt_clip_vision_config (vision)));
    g_assert_cmpint (pmt_weight_pool_values (pmt_clip_vision_weights (vision)), ==, values_of (cases[i].encoder, NULL, NULL));
    pmt_clip_vision_free (vision);
    pmt_ip_adapter_free (adapter);
    files_remove (folder);
  }
}

static void
test_gligen (void)
{
  static const char *const lists[] = { "gligen-diffusers", "gligen-ldm" };
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++) {
    g_autofree char *folder = files_folder (), *path = list_write (lists[i], folder, "gligen.safetensors");
    g_autoptr (GError) error = NULL;
    PmtUnetConfig unet = unet_of ("sd1");
    PmtGligen *gligen = pmt_gligen_open (path, &unet, &error);
    g_assert_no_error (error);
    g_assert_cmpint (pmt_gligen_blocks (gligen), ==, 16);
    g_assert_cmpint (pmt_gligen_phrase_width (gligen), ==, 768);
    g_assert_cmpint (pmt_weight_pool_values (pmt_gligen_weights (gligen)), ==, values_of (lists[i], ".fuser.", "position_net."));
    pmt_gligen_free (gligen);
    files_remove (folder);
  }
}

static void
test_taesd (void)
{
  static const struct {
    const char *list;
    bool decoder, encoder;
  } cases[] = { { "taesd-diffusers", true, true }, { "taesd-decoder", true, false }, { "taesd-encoder", false, true } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *folder = files_folder (), *path = list_write (cases[i].list, folder, "taesd.safetensors");
    g_autoptr (GError) error = NULL;
    PmtTaesd *taesd = pmt_taesd_open (path, 4, &error);
    g_assert_no_error (error);
    g_assert_true (pmt_taesd_has_decoder (taesd) == cases[i].decoder && pmt_taesd_has_encoder (taesd) == cases[i].encoder);
    g_assert_cmpint (pmt_weight_pool_values (pmt_taesd_weights (taesd)), ==, values_of (cases[i].list, NULL, NULL));
    g_assert_true (pmt_taesd_load (taesd, NULL, &error));
    pmt_taesd_free (taesd);
    files_remove (folder);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/list-nets/t2i-adapter", test_adapters);
  g_test_add_func ("/list-nets/controlnet", test_controlnets);
  g_test_add_func ("/list-nets/ip-adapter", test_ip_adapters);
  g_test_add_func ("/list-nets/gligen", test_gligen);
  g_test_add_func ("/list-nets/taesd", test_taesd);
  return g_test_run ();
}
