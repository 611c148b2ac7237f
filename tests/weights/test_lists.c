/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The published files' name lists, at full size and without values, through the real readers: every tensor that a network declares is
 * found with its shape, and the list holds nothing else but what is known to be ignored. */
#include <string.h>

#include "engine/nets/clip_text.h"
#include "engine/nets/controlnet.h"
#include "engine/nets/unet.h"
#include "engine/nets/vae.h"
#include "engine/weights/model.h"
#include "engine/weights/part.h"
#include "tests/weights/lists.h"

/* How many of the list's rows of a part are asked for; each must be one of `pool`'s, and the pool must ask for nothing more. */
static guint
compare (const char *list, const char *part, PmtWeights *weights, const PmtWeightPool *pool)
{
  const GPtrArray *rows = list_rows (list);
  g_autoptr (GHashTable) listed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GError) error = NULL;
  guint stored = 0;

  for (guint i = 0; i < rows->len; i++) {
    const ListRow *row = rows->pdata[i];
    if (strcmp (row->part, part) != 0)
      continue;
    stored++;
    g_auto (GStrv) ours = g_strsplit (row->ours, "|", -1);
    for (guint k = 0; ours[k]; k++) {
      if (pmt_weight_pool_find (pool, ours[k]) == PMT_NO_WEIGHT)
        g_error ("%s: no network asks for '%s' ('%s')", list, ours[k], row->name);
      PmtWeightInfo info;
      g_assert_true (pmt_weights_lookup (weights, ours[k], &info));
      g_assert_cmpstr (info.stored, ==, row->name);
      g_assert_true (g_hash_table_add (listed, g_strdup (ours[k])));
    }
  }
  for (int i = 1; i <= pmt_weight_pool_count (pool); i++) {
    const char *name = pmt_weight_pool_name (pool, i);
    PmtWeightLayout layout;
    PmtShape shape = pmt_weight_pool_shape (pool, i, &layout);
    if (!g_hash_table_contains (listed, name))
      g_error ("%s: the network asks for '%s', which the list lacks", list, name);
    pmt_weights_check (weights, name, shape.rank, shape.dim, &error);
    g_assert_no_error (error);
  }
  return stored;
}

static guint
compare_unet (const char *list, PmtWeights *weights, JsonObject *object)
{
  g_autoptr (GError) error = NULL;
  PmtUnetConfig config;

  pmt_unet_config_parse (object, list, &config, &error);
  g_assert_no_error (error);
  PmtUnet *unet = pmt_unet_new (&config, NULL, NULL, &error);
  g_assert_no_error (error);
  guint n = compare (list, "unet", weights, pmt_unet_weights (unet));
  pmt_unet_free (unet);
  return n;
}

static guint
compare_vae (const char *list, PmtWeights *weights, JsonObject *object)
{
  g_autoptr (GError) error = NULL;
  PmtVaeConfig config;

  pmt_vae_config_parse (object, list, &config, &error);
  g_assert_no_error (error);
  PmtVae *vae = pmt_vae_new (&config, NULL, NULL, &error);
  g_assert_no_error (error);
  guint n = compare (list, "vae", weights, pmt_vae_weights (vae));
  pmt_vae_free (vae);
  return n;
}

static guint
compare_text (const char *list, const char *part, PmtWeights *weights, JsonObject *object)
{
  g_autoptr (GError) error = NULL;
  PmtClipTextConfig config;

  pmt_clip_text_config_parse (object, list, &config, &error);
  g_assert_no_error (error);
  PmtClipText *text = pmt_clip_text_new (&config, NULL, NULL, &error);
  g_assert_no_error (error);
  guint n = compare (list, part, weights, pmt_clip_text_weights (text));
  pmt_clip_text_free (text);
  return n;
}

/* ---- whole models and UNets -------------------------------------------------------------------------------------------- */

typedef struct Model {
  const char *list, *family;
  PmtUnetUse use;
  guint unet, vae, text, text_2; /* stored tensors of each part */
  const char *prediction;        /* NULL = unknown */
} Model;

#define VAE 248
#define CLIP_L 196
#define OPEN_H (23 * 12 + 4)
#define BIG_G (32 * 12 + 5)

static const Model models[] = {
  { "sd1-checkpoint", "sd1", PMT_UNET_PLAIN, 686, VAE, CLIP_L, 0, "epsilon" },
  { "sd1-checkpoint-ema", "sd1", PMT_UNET_PLAIN, 686, VAE, CLIP_L, 0, "epsilon" },
  { "sd1-inpaint", "sd1", PMT_UNET_INPAINT, 686, VAE, CLIP_L, 0, "epsilon" },
  { "sd1-edit", "sd1", PMT_UNET_EDIT, 686, VAE, CLIP_L, 0, "epsilon" },
  { "sd1-merged", "sd1", PMT_UNET_PLAIN, 686, VAE, CLIP_L, 0, "epsilon" },
  { "sd2-checkpoint", "sd2", PMT_UNET_PLAIN, 686, VAE, OPEN_H, 0, NULL },
  { "sd2-inpaint", "sd2", PMT_UNET_INPAINT, 686, VAE, OPEN_H, 0, "epsilon" },
  { "sd2-depth", "sd2", PMT_UNET_DEPTH, 686, VAE, OPEN_H, 0, "epsilon" },
  { "sdxl-checkpoint", "sdxl", PMT_UNET_PLAIN, 1680, VAE, CLIP_L, BIG_G, "epsilon" },
  { "sdxl-turned", "sdxl", PMT_UNET_PLAIN, 1680, VAE, CLIP_L, BIG_G, "epsilon" },
  { "sdxl-v", "sdxl", PMT_UNET_PLAIN, 1680, VAE, CLIP_L, BIG_G, "v_prediction" },
  { "sdxl-inpaint", "sdxl", PMT_UNET_INPAINT, 1680, VAE, CLIP_L, BIG_G, "epsilon" },
  { "sdxl-edit", "sdxl", PMT_UNET_EDIT, 1680, VAE, CLIP_L, BIG_G, "epsilon" },
  { "refiner-checkpoint", "sdxl-refiner", PMT_UNET_PLAIN, 1220, VAE, 0, BIG_G, "epsilon" },
  { "sd1-unet-bare", "sd1", PMT_UNET_PLAIN, 686, 0, 0, 0, "epsilon" },
  { "sdxl-unet-diffusers", "sdxl", PMT_UNET_PLAIN, 1680, 0, 0, 0, "epsilon" },
  { "sd1-unet-lcm", "sd1", PMT_UNET_PLAIN, 687, 0, 0, 0, "epsilon" },
};

static guint
compare_part (const Model *m, PmtModelFiles *files, PmtComponent which)
{
  g_autoptr (GError) error = NULL;

  if (!pmt_model_files_has (files, which))
    return 0;
  PmtWeights *weights = pmt_model_files_weights (files, which, &error);
  g_assert_no_error (error);
  JsonObject *config = pmt_model_files_config (files, which, &error);
  switch (which) {
    case PMT_COMPONENT_UNET:
      return compare_unet (m->list, weights, config);
    case PMT_COMPONENT_VAE:
      return compare_vae (m->list, weights, config);
    default:
      return compare_text (m->list, which == PMT_COMPONENT_TEXT ? "text" : "text2", weights, config);
  }
}

static void
test_model (gconstpointer user)
{
  const Model *m = user;
  g_autofree char *folder = files_folder (), *path = list_write (m->list, folder, "model.safetensors");
  g_autoptr (GError) error = NULL;
  PmtModelFiles *files = pmt_model_files_open (path, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (pmt_model_files_family (files)->id, ==, m->family);
  g_assert_cmpint (pmt_model_files_use (files, PMT_COMPONENT_UNET), ==, m->use);
  g_assert_cmpuint (compare_part (m, files, PMT_COMPONENT_UNET), ==, m->unet);
  g_assert_cmpuint (compare_part (m, files, PMT_COMPONENT_VAE), ==, m->vae);
  g_assert_cmpuint (compare_part (m, files, PMT_COMPONENT_TEXT), ==, m->text);
  g_assert_cmpuint (compare_part (m, files, PMT_COMPONENT_TEXT_2), ==, m->text_2);
  g_assert_cmpint (pmt_model_files_prediction_known (files), ==, m->prediction != NULL);
  if (m->prediction)
    g_assert_cmpstr (json_object_get_string_member (pmt_model_files_scheduler (files), "prediction_type"), ==, m->prediction);
  pmt_model_files_free (files);
  files_remove (folder);
}

/* SD 2 comes in two sizes that no shape tells apart. */
static void
test_sd2_sizes (void)
{
  static const struct {
    const char *list, *name;
    int size, with_noise, with_velocity; /* as opened, and with what a run shows */
  } cases[] = {
    { "sd2-checkpoint", "model.safetensors", 768, 512, 768 },
    { "sd2-checkpoint", "v2-1_512-ema-pruned.safetensors", 512, 512, 512 },
    { "sd2-checkpoint", "v2-1_768-ema-pruned.safetensors", 768, 768, 768 },
    { "sd2-checkpoint", "sd_turbo.safetensors", 512, 512, 512 },
    { "sd2-inpaint", "model.safetensors", 512, 512, 512 },
    { "sd2-depth", "model.safetensors", 512, 512, 512 },
  };
  g_autofree char *folder = files_folder ();
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    for (int epsilon = 0; epsilon < 2; epsilon++) {
      g_autofree char *path = list_write (cases[i].list, folder, cases[i].name);
      g_autoptr (GError) error = NULL;
      PmtModelFiles *files = pmt_model_files_open (path, &error);
      g_assert_no_error (error);
      g_assert_cmpint (pmt_model_files_native_size (files), ==, cases[i].size);
      pmt_model_files_settle_prediction (files, epsilon != 0);
      g_assert_true (pmt_model_files_prediction_known (files));
      g_assert_cmpint (pmt_model_files_native_size (files), ==, epsilon ? cases[i].with_noise : cases[i].with_velocity);
      pmt_model_files_free (files);
    }
  files_remove (folder);
}

static const char *
prediction_of (PmtModelFiles *files)
{
  return json_object_get_string_member (pmt_model_files_scheduler (files), "prediction_type");
}

/* A UNet from elsewhere brings along what it predicts where it says so, and for SD 2 its size; one that says nothing predicts what the model's
 * own does. */
static void
test_replaced_prediction (void)
{
  g_autofree char *folder = files_folder (), *noise = list_write ("sdxl-checkpoint", folder, "noise.safetensors");
  g_autofree char *velocity = list_write ("sdxl-v", folder, "velocity.safetensors"), *plain = list_write ("sd2-checkpoint", folder, "plain.safetensors");
  g_autofree char *fill = list_write ("sd2-inpaint", folder, "fill.safetensors");
  g_autoptr (GError) error = NULL;

  PmtModelFiles *files = pmt_model_files_open (noise, &error);
  g_assert_true (pmt_model_files_replace (files, PMT_COMPONENT_UNET, velocity, &error));
  g_assert_cmpstr (prediction_of (files), ==, "v_prediction");
  pmt_model_files_free (files);
  files = pmt_model_files_open (velocity, &error);
  g_assert_true (pmt_model_files_replace (files, PMT_COMPONENT_UNET, noise, &error));
  g_assert_true (pmt_model_files_prediction_known (files));
  g_assert_cmpstr (prediction_of (files), ==, "v_prediction");
  pmt_model_files_free (files);
  files = pmt_model_files_open (noise, &error);
  g_assert_true (pmt_model_files_replace (files, PMT_COMPONENT_UNET, noise, &error));
  g_assert_cmpstr (prediction_of (files), ==, "epsilon");
  pmt_model_files_free (files);

  files = pmt_model_files_open (fill, &error);
  g_assert_true (pmt_model_files_prediction_known (files));
  g_assert_true (pmt_model_files_replace (files, PMT_COMPONENT_UNET, plain, &error));
  g_assert_false (pmt_model_files_prediction_known (files)); /* running it tells */
  g_assert_cmpint (pmt_model_files_native_size (files), ==, 768);
  g_assert_true (pmt_model_files_replace (files, PMT_COMPONENT_UNET, fill, &error));
  g_assert_true (pmt_model_files_prediction_known (files));
  g_assert_cmpint (pmt_model_files_native_size (files), ==, 512);
  g_assert_no_error (error);
  pmt_model_files_free (files);
  files_remove (folder);
}

/* ---- parts in files of their own ---------------------------------------------------------------------------------------- */

typedef struct Part {
  const char *list;
  PmtNames names;
  const char *base; /* family that the shapes tell; NULL = they do not */
  guint tensors;
} Part;

static const Part parts[] = {
  { "vae-ldm", PMT_NAMES_VAE, NULL, VAE },
  { "vae-prefixed", PMT_NAMES_VAE, NULL, VAE },
  { "vae-diffusers", PMT_NAMES_VAE, NULL, VAE },
  { "vae-diffusers-old", PMT_NAMES_VAE, NULL, VAE },
  { "sd1-checkpoint", PMT_NAMES_VAE, NULL, VAE }, /* a whole checkpoint given for its VAE */
  { "sd1-unet-bare", PMT_NAMES_UNET, "sd1", 686 },
  { "sdxl-unet-diffusers", PMT_NAMES_UNET, "sdxl", 1680 },
  { "text-clip-l", PMT_NAMES_CLIP_TEXT, NULL, CLIP_L },
  { "controlnet-sd1", PMT_NAMES_CONTROLNET, "sd1", 340 },
  { "controlnet-sd1-ldm", PMT_NAMES_CONTROLNET, "sd1", 340 },
  { "controlnet-sd2", PMT_NAMES_CONTROLNET, "sd2", 340 },
  { "controlnet-sd2-ldm", PMT_NAMES_CONTROLNET, "sd2", 340 },
  { "controlnet-sdxl-full", PMT_NAMES_CONTROLNET, "sdxl", 844 },
  { "controlnet-sdxl-mid", PMT_NAMES_CONTROLNET, "sdxl", 0 },
  { "controlnet-sdxl-small", PMT_NAMES_CONTROLNET, "sdxl", 0 },
};

static guint
compare_controlnet (const char *list, PmtWeights *weights, JsonObject *object)
{
  g_autoptr (GError) error = NULL;
  PmtControlNetConfig config;

  pmt_controlnet_config_parse (object, list, &config, &error);
  g_assert_no_error (error);
  PmtControlNet *net = pmt_controlnet_new (&config, NULL, NULL, &error);
  g_assert_no_error (error);
  guint n = compare (list, "controlnet", weights, pmt_controlnet_weights (net));
  pmt_controlnet_free (net);
  return n;
}

static void
test_part (gconstpointer user)
{
  const Part *p = user;
  g_autofree char *folder = files_folder (), *path = list_write (p->list, folder, "part.safetensors");
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) config = NULL;
  const PmtFamily *base;
  PmtWeights *weights = pmt_weights_open_part (path, p->names, NULL, &config, &base, &error);
  guint n;

  g_assert_no_error (error);
  g_assert_cmpstr (base ? base->id : NULL, ==, p->base);
  switch (p->names) {
    case PMT_NAMES_VAE:
      n = compare_vae (p->list, weights, config);
      break;
    case PMT_NAMES_UNET:
      n = compare_unet (p->list, weights, config);
      break;
    case PMT_NAMES_CONTROLNET:
      n = compare_controlnet (p->list, weights, config);
      break;
    default:
      n = compare_text (p->list, "text", weights, config);
      break;
  }
  g_assert_cmpuint (n, ==, p->tensors ? p->tensors : list_rows (p->list)->len);
  pmt_weights_free (weights);
  files_remove (folder);
}

/* A VAE or UNet file in place of a checkpoint's own: found, fitting, counted by the hash; what does not fit changes nothing. */
static void
test_replace (void)
{
  g_autofree char *folder = files_folder (), *path = list_write ("sd1-checkpoint", folder, "model.safetensors"),
                  *vae = list_write ("vae-diffusers-old", folder, "vae.safetensors"),
                  *unet = list_write ("sd1-unet-lcm", folder, "lcm.safetensors"), *xl = list_write ("sdxl-unet-diffusers", folder, "xl.safetensors"),
                  *text = list_write ("text-clip-l", folder, "text.safetensors");
  g_autoptr (GError) error = NULL;
  PmtModelFiles *files = pmt_model_files_open (path, &error);

  g_assert_no_error (error);
  g_autofree char *before = pmt_model_files_hash (files, &error);
  g_assert_true (pmt_model_files_replace (files, PMT_COMPONENT_VAE, vae, &error));
  g_assert_true (pmt_model_files_replace (files, PMT_COMPONENT_UNET, unet, &error));
  g_assert_no_error (error);
  g_autofree char *after = pmt_model_files_hash (files, &error);
  g_assert_cmpstr (before, !=, after);
  PmtWeights *weights = pmt_model_files_weights (files, PMT_COMPONENT_VAE, &error);
  g_assert_cmpuint (compare_vae ("vae-diffusers-old", weights, pmt_model_files_config (files, PMT_COMPONENT_VAE, &error)), ==, VAE);
  weights = pmt_model_files_weights (files, PMT_COMPONENT_UNET, &error);
  g_assert_cmpuint (compare_unet ("sd1-unet-lcm", weights, pmt_model_files_config (files, PMT_COMPONENT_UNET, &error)), ==, 687);

  g_assert_false (pmt_model_files_replace (files, PMT_COMPONENT_UNET, xl, &error));
  files_assert_error (error, PMT_ERROR_UNSUPPORTED, "a UNet for Stable Diffusion XL", path);
  g_clear_error (&error);
  g_assert_false (pmt_model_files_replace (files, PMT_COMPONENT_VAE, text, &error));
  files_assert_error (error, PMT_ERROR_UNSUPPORTED, "a text encoder alone", "give a VAE");
  g_clear_error (&error);
  g_assert_false (pmt_model_files_replace (files, PMT_COMPONENT_TEXT, text, &error));
  files_assert_error (error, PMT_ERROR_INPUT, "text_encoder", NULL);
  g_autofree char *same = pmt_model_files_hash (files, &error);
  g_assert_cmpstr (after, ==, same);
  pmt_model_files_free (files);
  files_remove (folder);
}

static void
add_all (const char *group, gconstpointer table, size_t n, size_t size, GTestDataFunc run)
{
  for (size_t i = 0; i < n; i++) {
    const char *const *row = (const void *) ((const char *) table + i * size);
    g_autofree char *name = g_strdup_printf ("/lists/%s/%s-%u", group, *row, (guint) i);
    g_test_add_data_func (name, row, run);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_all ("model", models, G_N_ELEMENTS (models), sizeof *models, test_model);
  add_all ("part", parts, G_N_ELEMENTS (parts), sizeof *parts, test_part);
  g_test_add_func ("/lists/replace", test_replace);
  g_test_add_func ("/lists/sd2-sizes", test_sd2_sizes);
  g_test_add_func ("/lists/replaced-prediction", test_replaced_prediction);
  return g_test_run ();
}
