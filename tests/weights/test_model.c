/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Model folders and checkpoints: what is recognised, derived, handed out and refused. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "engine/weights/model.h"
#include "engine/weights/source_files.h"
#include "tests/weights/files.h"

#define UNET "\"_class_name\":\"UNet2DConditionModel\""

typedef struct Box {
  char *folder;
  JsonArray *names[3]; /* unet, vae, text_encoder */
} Box;

static Box
box_new (const char *model)
{
  JsonObject *lists = json_object_get_object_member (files_names (), model);
  return (Box) { files_folder (),
                 { json_object_get_array_member (lists, "unet"), json_object_get_array_member (lists, "vae"),
                   json_object_get_array_member (lists, "text_encoder") } };
}

static void
box_clear (Box *box)
{
  files_remove (box->folder);
  g_free (box->folder);
}

static void
write_part (const Box *box, const char *part, const char *config, JsonArray *names, const char *file)
{
  g_autofree char *folder = files_make_folder (box->folder, part);
  files_write (folder, "config.json", config, -1);
  if (names) {
    FilesSparse *sparse = files_sparse_new ("F16", 2);
    files_sparse_add (sparse, names, 0);
    g_free (files_sparse_write (sparse, folder, file));
  }
}

/* A diffusers folder with all parts. */
static void
write_folder (const Box *box, const char *unet_config)
{
  files_write (box->folder, "model_index.json",
               "{\"_class_name\":\"StableDiffusionPipeline\",\"unet\":[\"diffusers\",\"UNet2DConditionModel\"],"
               "\"vae\":[\"diffusers\",\"AutoencoderKL\"],\"text_encoder\":[\"transformers\",\"CLIPTextModel\"],"
               "\"safety_checker\":[null,null]}",
               -1);
  write_part (box, "unet", unet_config, box->names[0], "diffusion_pytorch_model.safetensors");
  write_part (box, "vae", "{\"block_out_channels\":[32,64]}", box->names[1], "diffusion_pytorch_model.fp16.safetensors");
  write_part (box, "text_encoder", "{\"hidden_size\":64}", box->names[2], "model.safetensors");
}

static void
assert_problem_free (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) report = pmt_model_files_inspect (path, &error);
  g_assert_no_error (error);
  JsonArray *problems = json_object_get_array_member (report, "problems");
  if (json_array_get_length (problems) > 0)
    g_error ("%s", json_array_get_string_element (problems, 0));
}

/* The first problem that inspect tells of. */
static char *
problem_of (const char *path, char **family)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) report = pmt_model_files_inspect (path, &error);
  g_assert_no_error (error);
  if (family)
    *family = g_strdup (json_object_get_string_member_with_default (report, "family", "none"));
  JsonArray *problems = json_object_get_array_member (report, "problems");
  return json_array_get_length (problems) > 0 ? g_strdup (json_array_get_string_element (problems, 0)) : NULL;
}

static void
test_folder (void)
{
  Box box = box_new ("small");
  g_autoptr (GError) error = NULL;

  write_folder (&box, "{" UNET ",\"in_channels\":9,\"cross_attention_dim\":24,\"sample_size\":16,\"block_out_channels\":[32,64,64]}");
  g_free (files_make_folder (box.folder, "tokenizer"));
  g_autofree char *scheduler = files_make_folder (box.folder, "scheduler");
  files_write (scheduler, "scheduler_config.json", "{\"prediction_type\":\"v_prediction\"}", -1);
  PmtModelFiles *files = pmt_model_files_open (box.folder, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (pmt_model_files_family (files)->id, ==, "custom");
  g_assert_cmpint (pmt_model_files_use (files, PMT_COMPONENT_UNET), ==, PMT_UNET_INPAINT);
  g_assert_cmpint (pmt_model_files_native_size (files), ==, 32); /* 16 latent cells, one halving in the VAE */
  g_assert_cmpint (pmt_model_files_attention_divisor (files), ==, 2);
  g_assert_true (g_str_has_suffix (pmt_model_files_tokenizer (files), "/tokenizer"));
  g_assert_false (pmt_model_files_has (files, PMT_COMPONENT_UNET_FILL));
  g_assert_cmpstr (json_object_get_string_member (pmt_model_files_scheduler (files), "prediction_type"), ==, "v_prediction");
  static const PmtComponent parts[] = { PMT_COMPONENT_UNET, PMT_COMPONENT_VAE, PMT_COMPONENT_TEXT };
  for (int i = 0; i < 3; i++) {
    PmtWeights *weights = pmt_model_files_weights (files, parts[i], &error);
    g_assert_no_error (error);
    g_auto (GStrv) names = pmt_weights_names (weights);
    g_assert_cmpuint (g_strv_length (names), ==, json_array_get_length (box.names[i]));
    g_assert_true (weights == pmt_model_files_weights (files, parts[i], &error));
  }
  g_assert_null (pmt_model_files_weights (files, PMT_COMPONENT_UNET_FILL, &error));
  files_assert_error (error, PMT_ERROR_NOT_FOUND, "unet_fill", box.folder);
  pmt_model_files_free (files);
  g_autofree char *tokenizer = g_build_filename (box.folder, "tokenizer", NULL), *problem = problem_of (box.folder, NULL);
  g_assert_nonnull (strstr (problem, "neither tokenizer.json nor vocab.json"));
  files_write (tokenizer, "vocab.json", "{}", -1);
  g_autofree char *half = problem_of (box.folder, NULL);
  g_assert_cmpstr (half, ==, problem);
  files_write (tokenizer, "merges.txt", "", -1);
  assert_problem_free (box.folder);
  files_write (tokenizer, "tokenizer.json", "{}", -1);
  assert_problem_free (box.folder);
  box_clear (&box);
}

/* SD 1.5 at its full size: 2 GB of tensors, none of which takes room on the disk. */
static void
write_sd1 (const Box *box, const char *name)
{
  const gint64 ids[2] = { 1, 77 };
  FilesSparse *sparse = files_sparse_new ("F16", 2);
  files_sparse_add_one (sparse, "cond_stage_model.transformer.text_model.embeddings.position_ids", 2, ids);
  files_sparse_add_one (sparse, "alphas_cumprod", 1, ids);
  files_sparse_add_one (sparse, "model_ema.decay", 0, NULL);
  for (int i = 0; i < 3; i++)
    files_sparse_add (sparse, box->names[i], 1);
  g_free (files_sparse_write (sparse, box->folder, name));
}

static void
test_checkpoint (void)
{
  Box box = box_new ("sd1");
  g_autofree char *path = g_build_filename (box.folder, "v1-5.safetensors", NULL);
  g_autoptr (GError) error = NULL;
  static const PmtComponent parts[] = { PMT_COMPONENT_UNET, PMT_COMPONENT_VAE, PMT_COMPONENT_TEXT };

  write_sd1 (&box, "v1-5.safetensors");
  gint64 start = g_get_monotonic_time ();
  PmtModelFiles *files = pmt_model_files_open (path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (pmt_model_files_family (files)->id, ==, "sd1");
  g_assert_cmpint (pmt_model_files_use (files, PMT_COMPONENT_UNET), ==, PMT_UNET_PLAIN);
  g_assert_cmpint (pmt_model_files_native_size (files), ==, 512);
  g_assert_cmpint (pmt_model_files_attention_divisor (files), ==, 32);
  g_assert_null (pmt_model_files_tokenizer (files));
  for (int i = 0; i < 3; i++) {
    PmtWeights *weights = pmt_model_files_weights (files, parts[i], &error);
    g_assert_no_error (error);
    g_auto (GStrv) names = pmt_weights_names (weights);
    g_assert_cmpuint (g_strv_length (names), ==, json_array_get_length (box.names[i]));
    for (guint k = 0; names[k]; k++)
      g_assert_true (pmt_weights_has (weights, names[k]));
  }
  /* what was derived is what SD 1.5 ships */
  static const char *const keys[][2] = { { "block_out_channels", "[320,640,1280,1280]" },
                                         { "layers_per_block", "2" },
                                         { "cross_attention_dim", "768" },
                                         { "in_channels", "4" },
                                         { "use_linear_projection", "false" },
                                         { "transformer_layers_per_block", "[1,1,1,1]" },
                                         { "down_block_types", "[\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\",\"DownBlock2D\"]" },
                                         { "up_block_types", "[\"UpBlock2D\",\"CrossAttnUpBlock2D\",\"CrossAttnUpBlock2D\",\"CrossAttnUpBlock2D\"]" } };
  JsonObject *config = pmt_model_files_config (files, PMT_COMPONENT_UNET, &error);
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
    g_autofree char *text = json_to_string (json_object_get_member (config, keys[i][0]), FALSE);
    g_assert_cmpstr (text, ==, keys[i][1]);
  }
  JsonObject *text = pmt_model_files_config (files, PMT_COMPONENT_TEXT, &error);
  g_assert_cmpint (json_object_get_int_member (text, "hidden_size"), ==, 768);
  g_assert_cmpint (json_object_get_int_member (text, "num_hidden_layers"), ==, 12);
  g_assert_cmpint (json_object_get_int_member (text, "num_attention_heads"), ==, 12);
  g_assert_cmpint (json_object_get_int_member (text, "max_position_embeddings"), ==, 77);
  JsonObject *vae = pmt_model_files_config (files, PMT_COMPONENT_VAE, &error);
  g_autofree char *widths = json_to_string (json_object_get_member (vae, "block_out_channels"), FALSE);
  g_assert_cmpstr (widths, ==, "[128,256,512,512]");
  g_assert_cmpint (json_object_get_int_member (vae, "latent_channels"), ==, 4);
  pmt_model_files_free (files);
  assert_problem_free (path);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 5 * G_USEC_PER_SEC); /* headers only: no tensor is read */
  box_clear (&box);
}

/* The small model's config comes out of its shapes as it was put in. */
static void
test_derived (void)
{
  Box box = box_new ("small");
  g_autoptr (GError) error = NULL;
  FilesSparse *sparse = files_sparse_new ("F32", 4);
  for (int i = 0; i < 3; i++)
    files_sparse_add (sparse, box.names[i], 1);
  g_autofree char *path = files_sparse_write (sparse, box.folder, "small.safetensors");
  PmtModelFiles *files = pmt_model_files_open (path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (pmt_model_files_family (files)->id, ==, "custom");
  g_assert_cmpint (pmt_model_files_use (files, PMT_COMPONENT_UNET), ==, PMT_UNET_INPAINT);
  static const char *const keys[][2] = { { "block_out_channels", "[32,64,64]" },
                                         { "layers_per_block", "1" },
                                         { "cross_attention_dim", "24" },
                                         { "in_channels", "9" },
                                         { "use_linear_projection", "true" },
                                         { "transformer_layers_per_block", "[1,1,2]" },
                                         { "down_block_types", "[\"DownBlock2D\",\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\"]" } };
  JsonObject *config = pmt_model_files_config (files, PMT_COMPONENT_UNET, &error);
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
    g_autofree char *text = json_to_string (json_object_get_member (config, keys[i][0]), FALSE);
    g_assert_cmpstr (text, ==, keys[i][1]);
  }
  pmt_model_files_free (files);
  box_clear (&box);
}

typedef struct Refusal {
  const char *name;
  const char *unet;   /* the UNet's config in a folder */
  const char *says;
} Refusal;

static const Refusal refusals[] = {
  { "/model/refused/upscaler", "{\"cross_attention_dim\":1024,\"in_channels\":7}", "x4 upscaler" },
  { "/model/refused/video", "{\"_class_name\":\"UNetSpatioTemporalConditionModel\",\"in_channels\":8}", "a UNetSpatioTemporalConditionModel" },
  { "/model/refused/distilled", "{\"cross_attention_dim\":768,\"mid_block_type\":null}", "distilled" },
  { "/model/refused/channels", "{\"cross_attention_dim\":768,\"in_channels\":6}", "6 input channels" },
  { "/model/refused/type", "{\"cross_attention_dim\":\"wide\"}", "'cross_attention_dim'" },
  { "/model/refused/no-json", "{", "not valid JSON" },
  { "/model/refused/list", "[]", "JSON object" },
};

static void
test_refused_folder (gconstpointer user)
{
  const Refusal *r = user;
  Box box = box_new ("small");
  g_autoptr (GError) error = NULL;

  write_part (&box, "unet", r->unet, NULL, NULL);
  g_assert_null (pmt_model_files_open (box.folder, &error));
  g_assert_nonnull (error);
  files_assert_error (error, error->code, box.folder, r->says);
  g_autofree char *problem = problem_of (box.folder, NULL);
  g_assert_cmpstr (problem, ==, error->message);
  box_clear (&box);
}

typedef struct Tensor {
  const char *name;
  int rank;
  gint64 dim[4];
} Tensor;

typedef struct FileRefusal {
  const char *name, *family, *says;
  Tensor tensors[4];
} FileRefusal;

#define FIRST(cin) { "model.diffusion_model.input_blocks.0.0.weight", 4, { 320, cin, 3, 3 } }
#define OUT { "model.diffusion_model.out.2.weight", 4, { 4, 320, 3, 3 } }
#define CROSS(block, ctx) { "model.diffusion_model.input_blocks." block ".1.transformer_blocks.0.attn2.to_k.weight", 2, { 320, ctx } }

static const FileRefusal file_refusals[] = {
  { "/model/refused-file/upscaler", "x4-upscaler", "x4 upscaler", { FIRST (7), CROSS ("1", 1024), OUT } },
  { "/model/refused-file/distilled", "sd1", "distilled", { FIRST (4), CROSS ("1", 768), OUT } },
  { "/model/refused-file/lora", NULL, "a LoRA", { { "lora_unet_down_blocks_0.lora_down.weight", 2, { 4, 320 } } } },
  { "/model/refused-file/controlnet", NULL, "a ControlNet", { { "control_model.input_blocks.0.0.weight", 4, { 320, 4, 3, 3 } } } },
  { "/model/refused-file/t2i", NULL, "a T2I-Adapter", { { "body.0.block1.weight", 4, { 320, 320, 3, 3 } } } },
  { "/model/refused-file/ip", NULL, "an IP-Adapter", { { "image_proj.proj.weight", 2, { 3072, 1024 } } } },
  { "/model/refused-file/vae", NULL, "a VAE alone", { { "decoder.conv_in.weight", 4, { 512, 4, 3, 3 } } } },
  { "/model/refused-file/unet", NULL, "a UNet alone", { { "down_blocks.0.resnets.0.time_emb_proj.weight", 2, { 320, 1280 } },
                                                        { "mid_block.attentions.0.norm.weight", 1, { 1280 } } } },
  { "/model/refused-file/embedding", "sd1", "textual inversion", { { "<cat-toy>", 1, { 768 } } } },
  { "/model/refused-file/unknown", NULL, "not known here", { { "some.tensor", 1, { 3 } } } },
};

static void
test_refused_file (gconstpointer user)
{
  const FileRefusal *r = user;
  g_autofree char *folder = files_folder (), *family = NULL;
  g_autoptr (GError) error = NULL;
  FilesSparse *sparse = files_sparse_new ("F16", 2);

  for (int i = 0; i < 4 && r->tensors[i].name; i++)
    files_sparse_add_one (sparse, r->tensors[i].name, r->tensors[i].rank, r->tensors[i].dim);
  g_autofree char *path = files_sparse_write (sparse, folder, "x.safetensors");
  g_assert_null (pmt_model_files_open (path, &error));
  files_assert_error (error, PMT_ERROR_UNSUPPORTED, path, r->says);
  /* inspect shows what it is; only what cannot be used is a problem */
  g_autofree char *problem = problem_of (path, &family);
  g_autoptr (JsonObject) report = pmt_model_files_inspect (path, NULL);
  g_assert_true (strstr (json_object_get_string_member (report, "what"), r->says) || strstr (problem, r->says));
  g_assert_cmpstr (family, ==, r->family ? r->family : "none");
  files_remove (folder);
}

static void
test_bad_paths (void)
{
  g_autofree char *folder = files_folder ();
  static const struct {
    const char *name, *bytes;
    gssize size;
    PmtError code;
    const char *says;
  } files[] = {
    { "model.ckpt", "PK\003\004....archive/data.pkl", -1, PMT_ERROR_UNSUPPORTED, "safetensors.torch.save_file" },
    { "old.pt", "\x80\002}q\001(X\005", 8, PMT_ERROR_UNSUPPORTED, "pickled" },
    { "renamed.safetensors", "\x80\002}q\001(X\005", 8, PMT_ERROR_UNSUPPORTED, "pickled" },
    { "model.gguf", "GGUF\003\0\0\0", 8, PMT_ERROR_FORMAT, "sound GGUF file: it ends in the middle" },
    { "old.gguf", "GGUF\001\0\0\0", 8, PMT_ERROR_FORMAT, "version 1" },
    { "pointer.safetensors", "version https://git-lfs.github.com/spec/v1\n", -1, PMT_ERROR_FORMAT, "Git LFS pointer" },
    { "page.safetensors", "<html>404</html>", -1, PMT_ERROR_FORMAT, "web page" },
    { "cut.safetensors", "\377\377\0\0\0\0\0\0{\"a\"", 12, PMT_ERROR_FORMAT, "cut short" },
    { "empty.safetensors", "", 0, PMT_ERROR_FORMAT, "0 bytes" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *path = g_build_filename (folder, files[i].name, NULL);
    g_autoptr (GError) error = NULL;
    files_write (folder, files[i].name, files[i].bytes, files[i].size);
    g_assert_null (pmt_model_files_open (path, &error));
    files_assert_error (error, (int) files[i].code, path, files[i].says);
    g_autofree char *problem = problem_of (path, NULL);
    g_assert_nonnull (strstr (problem, files[i].says));
  }
  g_autoptr (GError) missing = NULL, empty = NULL, part = NULL, nothing = NULL;
  g_autofree char *nowhere = g_build_filename (folder, "nowhere", NULL), *bare = files_make_folder (folder, "bare"),
                  *component = files_make_folder (folder, "component");
  g_assert_null (pmt_model_files_open (nowhere, &missing));
  files_assert_error (missing, PMT_ERROR_NOT_FOUND, nowhere, NULL);
  g_assert_null (pmt_model_files_inspect (nowhere, &nothing));
  files_assert_error (nothing, PMT_ERROR_NOT_FOUND, nowhere, NULL);
  g_assert_null (pmt_model_files_open (bare, &empty));
  files_assert_error (empty, PMT_ERROR_NOT_FOUND, bare, "model_index.json");
  g_autoptr (GError) flux = NULL;
  files_write (bare, "model_index.json", "{\"_class_name\":\"FluxPipeline\",\"transformer\":[\"diffusers\",\"FluxTransformer2DModel\"]}", -1);
  g_assert_null (pmt_model_files_open (bare, &flux));
  files_assert_error (flux, PMT_ERROR_UNSUPPORTED, bare, "FluxPipeline");
  files_write (component, "config.json", "{}", -1);
  g_assert_null (pmt_model_files_open (component, &part));
  files_assert_error (part, PMT_ERROR_NOT_FOUND, component, "folder above");
  files_remove (folder);
}

/* What an interrupted download leaves of a folder. */
static void
test_incomplete_folder (void)
{
  static const char *const remove[][3] = {
    /* file or folder, what the message names, and where it comes up: opening or first use */
    { "vae", "'vae'", "open" },
    { "unet/config.json", "'config.json'", "open" },
    { "unet/diffusion_pytorch_model.safetensors", "'diffusion_pytorch_model.safetensors'", "use" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (remove); i++) {
    Box box = box_new ("small");
    g_autoptr (GError) error = NULL;
    g_autofree char *path = g_build_filename (box.folder, remove[i][0], NULL);
    write_folder (&box, "{" UNET ",\"in_channels\":9,\"cross_attention_dim\":24}");
    if (g_file_test (path, G_FILE_TEST_IS_DIR))
      files_remove (path);
    else
      g_unlink (path);
    PmtModelFiles *files = pmt_model_files_open (box.folder, &error);
    if (strcmp (remove[i][2], "open") == 0) {
      g_assert_null (files);
    } else {
      g_assert_no_error (error);
      g_assert_null (pmt_model_files_weights (files, PMT_COMPONENT_UNET, &error));
    }
    files_assert_error (error, PMT_ERROR_NOT_FOUND, box.folder, remove[i][1]);
    g_autofree char *problem = problem_of (box.folder, NULL);
    g_assert_cmpstr (problem, ==, error->message);
    pmt_model_files_free (files);
    box_clear (&box);
  }
}

static char *
hash_of (const char *path)
{
  g_autoptr (GError) error = NULL;
  PmtModelFiles *files = pmt_model_files_open (path, &error);
  g_assert_no_error (error);
  char *hash = pmt_model_files_hash (files, &error);
  g_assert_no_error (error);
  pmt_model_files_free (files);
  return hash;
}

static void
test_hash (void)
{
  Box box = box_new ("small");
  const char *config = "{" UNET ",\"in_channels\":9,\"cross_attention_dim\":24}";

  write_folder (&box, config);
  g_autofree char *first = hash_of (box.folder), *again = hash_of (box.folder);
  g_assert_cmpuint (strlen (first), ==, 64);
  g_assert_cmpstr (first, ==, again);
  /* a config that says something else */
  write_folder (&box, "{" UNET ",\"in_channels\":9,\"cross_attention_dim\":24,\"norm_eps\":1e-6}");
  g_autofree char *other = hash_of (box.folder);
  g_assert_cmpstr (other, !=, first);
  write_folder (&box, config);
  g_autofree char *back = hash_of (box.folder);
  g_assert_cmpstr (back, ==, first);
  /* another VAE */
  g_autofree char *vae = g_build_filename (box.folder, "vae", NULL);
  FilesSparse *sparse = files_sparse_new ("F32", 4);
  files_sparse_add (sparse, box.names[1], 0);
  g_free (files_sparse_write (sparse, vae, "diffusion_pytorch_model.fp16.safetensors"));
  g_autofree char *changed = hash_of (box.folder);
  g_assert_cmpstr (changed, !=, first);
  box_clear (&box);
}

/* A VAE in a file of its own is known by its header, as every file: its values are read by nobody. */
static void
test_hash_of_replaced (void)
{
  Box box = box_new ("small");
  g_autoptr (GError) error = NULL;
  char *hashes[3] = { NULL };

  write_folder (&box, "{" UNET ",\"in_channels\":9,\"cross_attention_dim\":24}");
  FilesSparse *sparse = files_sparse_new ("F16", 2);
  files_sparse_add (sparse, box.names[1], 0);
  g_autofree char *path = files_sparse_write (sparse, box.folder, "mine.safetensors");
  for (int i = 0; i < 3; i++) {
    if (i == 1) { /* other values under the same header */
      FILE *file = g_fopen (path, "r+b");
      g_assert_cmpint (fseek (file, -4, SEEK_END), ==, 0);
      g_assert_cmpint (fputc (1, file), ==, 1);
      fclose (file);
    }
    PmtModelFiles *files = pmt_model_files_open (box.folder, &error);
    g_assert_no_error (error);
    if (i < 2)
      pmt_model_files_replace (files, PMT_COMPONENT_VAE, path, &error);
    g_assert_no_error (error);
    hashes[i] = pmt_model_files_hash (files, &error);
    g_assert_no_error (error);
    pmt_model_files_free (files);
  }
  g_assert_cmpstr (hashes[0], ==, hashes[1]);
  g_assert_cmpstr (hashes[0], !=, hashes[2]);
  for (int i = 0; i < 3; i++)
    g_free (hashes[i]);
  box_clear (&box);
}

/* Folders of models that count noise another way, as CosXL and Playground 2.5. */
static void
test_schedulers (void)
{
  static const struct {
    const char *config;
    const char *says; /* NULL = is good */
  } cases[] = {
    { "{\"_class_name\":\"EDMDPMSolverMultistepScheduler\",\"sigma_max\":80}", "EDMDPMSolverMultistepScheduler" },
    { "{\"_class_name\":\"FlowMatchEulerDiscreteScheduler\"}", "FlowMatchEulerDiscreteScheduler" },
    { "{\"sigma_data\":0.5}", "EDM" },
    { "{\"_class_name\":\"EulerDiscreteScheduler\",\"prediction_type\":\"epsilon\"}", NULL },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    Box box = box_new ("small");
    g_autoptr (GError) error = NULL;
    write_folder (&box, "{" UNET ",\"in_channels\":9,\"cross_attention_dim\":24}");
    g_autofree char *scheduler = files_make_folder (box.folder, "scheduler");
    files_write (scheduler, "scheduler_config.json", cases[i].config, -1);
    PmtModelFiles *files = pmt_model_files_open (box.folder, &error);
    g_assert_cmpint (files != NULL, ==, cases[i].says == NULL);
    if (cases[i].says) {
      files_assert_error (error, PMT_ERROR_UNSUPPORTED, box.folder, cases[i].says);
      g_assert_nonnull (strstr (error->message, "counts noise another way"));
    }
    pmt_model_files_free (files);
    box_clear (&box);
  }
}

/* Opening a pipe that nobody writes to would never end. */
static void
test_pipe (void)
{
  g_autofree char *folder = files_folder (), *path = g_build_filename (folder, "pipe.safetensors", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  alarm (20);
  g_assert_null (pmt_model_files_open (path, &error));
  files_assert_error (error, PMT_ERROR_INPUT, path, "not a regular file");
  g_clear_error (&error);
  g_assert_null (pmt_config_load (path, &error));
  files_assert_error (error, PMT_ERROR_INPUT, path, "not a regular file");
  alarm (0);
  files_remove (folder);
}

static void
test_random (void)
{
  g_autoptr (GError) error = NULL;
  PmtModelFiles *files = pmt_model_files_new_random ("sd15", 3, &error);
  const int64_t dim[2] = { 320, 768 };
  static float values[320 * 768];

  g_assert_no_error (error);
  g_assert_cmpstr (pmt_model_files_family (files)->id, ==, "sd1");
  g_assert_cmpint (pmt_model_files_native_size (files), ==, 512);
  PmtWeights *weights = pmt_model_files_weights (files, PMT_COMPONENT_UNET, &error);
  g_assert_true (pmt_weights_read_packed (weights, "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", PMT_LAYOUT_PLAIN,
                                          2, dim, values, &error));
  g_assert_cmpfloat (values[0], !=, values[1]);
  pmt_model_files_free (files);
  g_assert_null (pmt_model_files_new_random ("sd3", 3, &error));
  files_assert_error (error, PMT_ERROR_INPUT, "'sd3'", NULL);
}

static void
test_config (void)
{
  JsonObject *c = pmt_config_from_text ("{\"i\":3,\"d\":1.5,\"whole\":2.0,\"big\":5000000000,\"b\":true,\"s\":\"x\",\"n\":null,"
                                        "\"l\":[1,2,3],\"m\":[\"a\",\"b\"],\"mixed\":[1,\"a\"]}", "the.json");
  g_autoptr (GError) error = NULL;
  const int fallback[] = { 7, 8 };
  int i = -1, list[4] = { 0 }, n;
  double d;
  gboolean b;
  const char *s;

  g_assert_true (pmt_config_int (c, "i", 0, &i, &error) && i == 3);
  g_assert_true (pmt_config_int (c, "whole", 0, &i, &error) && i == 2);
  g_assert_true (pmt_config_int (c, "n", 9, &i, &error) && i == 9);
  g_assert_true (pmt_config_int (c, "absent", 5, &i, &error) && i == 5);
  g_assert_true (pmt_config_double (c, "i", 0, &d, &error) && d == 3.0);
  g_assert_true (pmt_config_double (c, "d", 0, &d, &error) && d == 1.5);
  g_assert_true (pmt_config_bool (c, "b", FALSE, &b, &error) && b);
  g_assert_true (pmt_config_string (c, "s", NULL, &s, &error) && strcmp (s, "x") == 0);
  g_assert_true (pmt_config_string (c, "n", NULL, &s, &error) && s == NULL);
  n = 0;
  g_assert_true (pmt_config_ints (c, "l", fallback, 2, list, 4, &n, &error) && n == 3 && list[2] == 3);
  n = 3;
  g_assert_true (pmt_config_ints (c, "i", fallback, 2, list, 4, &n, &error) && n == 3 && list[0] == 3 && list[2] == 3);
  n = 0;
  g_assert_true (pmt_config_ints (c, "absent", fallback, 2, list, 4, &n, &error) && n == 2 && list[1] == 8);
  g_auto (GStrv) strings = NULL;
  g_assert_true (pmt_config_strings (c, "m", NULL, &strings, &error));
  g_assert_cmpstr (strings[1], ==, "b");
  g_assert_no_error (error);

  static const char *const bad_ints[] = { "d", "big", "b", "s", "l" };
  for (guint k = 0; k < G_N_ELEMENTS (bad_ints); k++) {
    g_autofree char *key = g_strdup_printf ("'%s'", bad_ints[k]);
    g_assert_false (pmt_config_int (c, bad_ints[k], 0, &i, &error));
    files_assert_error (error, PMT_ERROR_FORMAT, key, "'the.json'");
    g_clear_error (&error);
  }
  g_assert_cmpint (i, ==, 5); /* untouched */
  g_assert_false (pmt_config_bool (c, "i", FALSE, &b, &error));
  g_clear_error (&error);
  g_assert_false (pmt_config_string (c, "i", NULL, &s, &error));
  g_clear_error (&error);
  g_assert_false (pmt_config_strings (c, "mixed", NULL, &strings, &error));
  g_clear_error (&error);
  n = 0;
  g_assert_false (pmt_config_ints (c, "mixed", fallback, 2, list, 4, &n, &error));
  g_clear_error (&error);
  n = 2;
  g_assert_false (pmt_config_ints (c, "l", fallback, 2, list, 4, &n, &error));
  files_assert_error (error, PMT_ERROR_FORMAT, "'l'", "3 entries where 2");
  json_object_unref (c);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/model/folder", test_folder);
  g_test_add_func ("/model/checkpoint", test_checkpoint);
  g_test_add_func ("/model/derived", test_derived);
  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++)
    g_test_add_data_func (refusals[i].name, &refusals[i], test_refused_folder);
  for (guint i = 0; i < G_N_ELEMENTS (file_refusals); i++)
    g_test_add_data_func (file_refusals[i].name, &file_refusals[i], test_refused_file);
  g_test_add_func ("/model/bad-paths", test_bad_paths);
  g_test_add_func ("/model/incomplete-folder", test_incomplete_folder);
  g_test_add_func ("/model/hash", test_hash);
  g_test_add_func ("/model/hash-of-replaced", test_hash_of_replaced);
  g_test_add_func ("/model/schedulers", test_schedulers);
  g_test_add_func ("/model/pipe", test_pipe);
  g_test_add_func ("/model/random", test_random);
  g_test_add_func ("/model/config", test_config);
  return g_test_run ();
}
