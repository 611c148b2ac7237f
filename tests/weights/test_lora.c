/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names that trainers write for full-size models (tests/reference/make_loras.py), read against the weights of such a model: everything has
 * to find its place, and the other base has to be refused. Values are all zero and lie nowhere but in a sparse file. */
#include <json-glib/json-glib.h>
#include <string.h>

#include "engine/nets/clip_text.h"
#include "engine/nets/unet.h"
#include "engine/weights/config.h"
#include "engine/weights/lora_parts.h"
#include "tests/weights/files.h"

static JsonObject *lists;
static char *folder;

/* ---- a model's weights, from its family's configuration -------------------------------------------------------------------- */

typedef struct Full {
  PmtUnet *unet;
  PmtClipText *text[2];
  GArray *weights;
  PmtLoraModel model;
} Full;

static JsonObject *
parse (const char *text, JsonNode **node)
{
  GError *error = NULL;
  *node = json_from_string (text, &error);
  g_assert_no_error (error);
  return json_node_get_object (*node);
}

static void
add_pool (Full *full, PmtLoraPart part, const PmtWeightPool *pool)
{
  for (PmtWeightRef ref = 1; ref <= pmt_weight_pool_count (pool); ref++) {
    PmtLoraWeight weight = { .part = part, .name = pmt_weight_pool_name (pool, ref) };
    const PmtShape shape = pmt_weight_pool_shape (pool, ref, &weight.layout);
    weight.rank = shape.rank;
    memcpy (weight.dim, shape.dim, sizeof weight.dim);
    g_array_append_val (full->weights, weight);
  }
}

static void
add_text (Full *full, int k, const char *text)
{
  g_autoptr (JsonNode) node = NULL;
  PmtClipTextConfig config;
  GError *error = NULL;
  pmt_clip_text_config_parse (parse (text, &node), "text", &config, &error);
  g_assert_no_error (error);
  full->text[k] = pmt_clip_text_new (&config, NULL, NULL, &error);
  g_assert_no_error (error);
  add_pool (full, (PmtLoraPart) (PMT_LORA_TEXT + k), pmt_clip_text_weights (full->text[k]));
}

static void
full_open (Full *full, const char *id)
{
  const PmtFamily *family = pmt_family_by_id (id);
  g_autoptr (JsonNode) node = NULL;
  PmtUnetConfig config;
  GError *error = NULL;
  *full = (Full) { .weights = g_array_new (FALSE, FALSE, sizeof (PmtLoraWeight)) };
  pmt_unet_config_parse (parse (family->unet_config, &node), "unet", &config, &error);
  g_assert_no_error (error);
  full->unet = pmt_unet_new (&config, NULL, NULL, &error);
  g_assert_no_error (error);
  add_pool (full, PMT_LORA_UNET, pmt_unet_weights (full->unet));
  add_text (full, 0, family->text_config);
  if (family->text_2_config)
    add_text (full, 1, family->text_2_config);
  full->model = (PmtLoraModel) { .weights = (const PmtLoraWeight *) (const void *) full->weights->data, .n_weights = full->weights->len,
                                 .layers_per_block = config.layers_per_block, .levels = config.n_levels,
                                 .context_width = config.cross_attention_dim, .path = "the-model", .family = family };
}

static void
full_close (Full *full)
{
  pmt_unet_free (full->unet);
  for (int k = 0; k < 2; k++)
    pmt_clip_text_free (full->text[k]);
  g_array_unref (full->weights);
}

/* ---- a file with a list's names, rank 1 -------------------------------------------------------------------------------------- */

static char *
write_list (const char *name, const char *down_end, const char *up_end)
{
  JsonArray *list = json_object_get_array_member (lists, name);
  FilesSparse *sparse = files_sparse_new ("F16", 2);
  for (guint i = 0; i < json_array_get_length (list); i++) {
    JsonArray *row = json_array_get_array_element (list, i);
    const char *stem = json_array_get_string_element (row, 0);
    const gint64 in = json_array_get_int_element (row, 1), out = json_array_get_int_element (row, 2), k = json_array_get_int_element (row, 3);
    const gint64 down[] = { 1, in, k, k }, up[] = { out, 1, 1, 1 };
    g_autofree char *down_name = g_strconcat (stem, down_end, NULL), *up_name = g_strconcat (stem, up_end, NULL);
    g_autofree char *alpha_name = g_strconcat (stem, ".alpha", NULL);
    const int rank = k > 1 ? 4 : 2;
    files_sparse_add_one (sparse, down_name, rank, down);
    files_sparse_add_one (sparse, up_name, rank, up);
    files_sparse_add_one (sparse, alpha_name, 0, down);
  }
  g_autofree char *file = g_strconcat (name, ".safetensors", NULL);
  return files_sparse_write (sparse, folder, file);
}

typedef struct Expected {
  const char *list, *family;
  guint unet, text, text_2;
} Expected;

static void
test_list (gconstpointer data)
{
  const Expected *e = data;
  g_autofree char *path = write_list (e->list, ".lora_down.weight", ".lora_up.weight");
  GError *error = NULL;
  Full full;
  full_open (&full, e->family);
  PmtLora *lora = pmt_lora_open (path, &full.model, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length ((char **) pmt_lora_unmatched (lora)), ==, 0);
  g_assert_cmpuint (pmt_lora_count (lora, PMT_LORA_UNET), ==, e->unet);
  g_assert_cmpuint (pmt_lora_count (lora, PMT_LORA_TEXT), ==, e->text);
  g_assert_cmpuint (pmt_lora_count (lora, PMT_LORA_TEXT_2), ==, e->text_2);
  guint changed = 0;
  for (guint i = 0; i < full.model.n_weights; i++)
    changed += pmt_lora_changes (lora, i) != 0;
  g_assert_cmpuint (changed, ==, e->unet + e->text + e->text_2);
  pmt_lora_free (lora);
  full_close (&full);
}

static void
refused (const char *list, const char *family, const char *part)
{
  g_autofree char *path = write_list (list, ".lora_down.weight", ".lora_up.weight");
  GError *error = NULL;
  Full full;
  full_open (&full, family);
  g_assert_null (pmt_lora_open (path, &full.model, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_nonnull (strstr (error->message, part));
  g_assert_nonnull (strstr (error->message, pmt_family_by_id (family)->label));
  g_clear_error (&error);
  full_close (&full);
}

static void
test_other_base (void)
{
  refused ("kohya-sdxl", "sd1", "Stable Diffusion XL");
  refused ("kohya-sd1", "sdxl", "Stable Diffusion 1.x");
  refused ("locon-sd1", "sd2", "Stable Diffusion 1.x");
}

/* LyCORIS has its rs_lora in alpha already; of PEFT, whose alpha stands in the metadata, the root of the rank is ours to take. */
static void
test_root_rank (void)
{
  static const struct {
    const char *metadata;
    bool alpha;
    float scale;
  } cases[] = {
    { "\"ss_network_args\":\"{\\\"algo\\\": \\\"lora\\\", \\\"rs_lora\\\": \\\"True\\\"}\"", true, 2 },
    { "\"ss_network_args\":\"{}\"", true, 2 },
    { "\"lora_adapter_metadata\":\"{\\\"lora_alpha\\\": 8, \\\"use_rslora\\\": true}\"", true, 2 },
    { "\"lora_adapter_metadata\":\"{\\\"lora_alpha\\\": 8, \\\"use_rslora\\\": true}\"", false, 4 },
  };
  const char *stem = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";
  const float alpha = 8;
  g_autofree char *path = g_build_filename (folder, "root.safetensors", NULL);
  GError *error = NULL;
  Full full;
  full_open (&full, "sd1");
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    gsize size;
    g_autofree char *header = g_strdup_printf (
      "{\"__metadata__\":{%s},\"%s.lora_down.weight\":{\"dtype\":\"F16\",\"shape\":[4,320],\"data_offsets\":[0,2560]},"
      "\"%s.lora_up.weight\":{\"dtype\":\"F16\",\"shape\":[320,4],\"data_offsets\":[2560,5120]},"
      "\"%s.%s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[5120,5124]}}",
      cases[i].metadata, stem, stem, stem, cases[i].alpha ? "alpha" : "other");
    g_autofree guint8 *bytes = files_safetensors (header, -1, 0, 5124, &size);
    memcpy (bytes + size - 4, &alpha, 4);
    files_write (folder, "root.safetensors", bytes, (gssize) size);
    PmtLora *lora = pmt_lora_open (path, &full.model, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (lora->modules->len, ==, 1);
    g_assert_cmpfloat (((PmtLoraModule *) lora->modules->pdata[0])->scale, ==, cases[i].scale);
    pmt_lora_free (lora);
  }
  full_close (&full);
}

int
main (int argc, char **argv)
{
  static const Expected expected[] = {
    { "kohya-sd1", "sd1", 192, 72, 0 },
    { "locon-sd1", "sd1", 278, 72, 0 },
    { "kohya-sdxl", "sdxl", 722, 72, 192 },
  };
  g_test_init (&argc, &argv, NULL);
  folder = files_folder ();
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), "loras", "names.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  GError *error = NULL;
  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  lists = json_node_get_object (json_parser_get_root (parser));
  for (size_t i = 0; i < G_N_ELEMENTS (expected); i++) {
    g_autofree char *name = g_strconcat ("/lora/list/", expected[i].list, NULL);
    g_test_add_data_func (name, &expected[i], test_list);
  }
  g_test_add_func ("/lora/other-base", test_other_base);
  g_test_add_func ("/lora/root-rank", test_root_rank);
  int status = g_test_run ();
  files_remove (folder);
  g_free (folder);
  return status;
}
