/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What files are told to be, by name lists and by a few telling tensors; the sentences that refuse them; and that inspect reads no
 * weights: a file of many gigabytes takes no longer than its header. */
#include <string.h>

#include <unistd.h>

#include "engine/weights/kinds.h"
#include "engine/weights/kinds_table.h"
#include "engine/weights/model.h"
#include "tests/weights/lists.h"

/* ---- by the lists of published files ------------------------------------------------------------------------------------ */

typedef struct Case {
  const char *list;
  PmtKind kind;
  const char *form, *base; /* base NULL = any, or not told */
} Case;

static const Case cases[] = {
  { "sd1-checkpoint", PMT_KIND_CHECKPOINT, "", "sd1" },
  { "sd1-checkpoint-ema", PMT_KIND_CHECKPOINT, "", "sd1" },
  { "sd1-inpaint", PMT_KIND_CHECKPOINT, "", "sd1" },
  { "sd1-edit", PMT_KIND_CHECKPOINT, "", "sd1" },
  { "sd1-merged", PMT_KIND_CHECKPOINT, "", "sd1" },
  { "sd2-checkpoint", PMT_KIND_CHECKPOINT, "", "sd2" },
  { "sd2-inpaint", PMT_KIND_CHECKPOINT, "", "sd2" },
  { "sd2-depth", PMT_KIND_CHECKPOINT, "", "sd2" },
  { "sdxl-checkpoint", PMT_KIND_CHECKPOINT, "", "sdxl" },
  { "sdxl-turned", PMT_KIND_CHECKPOINT, "", "sdxl" },
  { "sdxl-v", PMT_KIND_CHECKPOINT, "", "sdxl" },
  { "sdxl-inpaint", PMT_KIND_CHECKPOINT, "", "sdxl" },
  { "sdxl-edit", PMT_KIND_CHECKPOINT, "", "sdxl" },
  { "refiner-checkpoint", PMT_KIND_CHECKPOINT, "", "sdxl-refiner" },
  { "sd1-unet-bare", PMT_KIND_UNET, "ldm", "sd1" },
  { "sdxl-unet-diffusers", PMT_KIND_UNET, "diffusers", "sdxl" },
  { "sd1-unet-lcm", PMT_KIND_UNET, "diffusers", "sd1" },
  { "vae-ldm", PMT_KIND_VAE, "", NULL },
  { "vae-prefixed", PMT_KIND_VAE, "", NULL },
  { "vae-diffusers", PMT_KIND_VAE, "", NULL },
  { "vae-diffusers-old", PMT_KIND_VAE, "", NULL },
  { "text-clip-l", PMT_KIND_TEXT_ENCODER, "clip", NULL },
  { "controlnet-sd1", PMT_KIND_CONTROLNET, "full", "sd1" },
  { "controlnet-sd1-ldm", PMT_KIND_CONTROLNET, "full", "sd1" },
  { "controlnet-sd2", PMT_KIND_CONTROLNET, "full", "sd2" },
  { "controlnet-sd2-ldm", PMT_KIND_CONTROLNET, "full", "sd2" },
  { "controlnet-sdxl-full", PMT_KIND_CONTROLNET, "full", "sdxl" },
  { "controlnet-sdxl-mid", PMT_KIND_CONTROLNET, "mid", "sdxl" },
  { "controlnet-sdxl-small", PMT_KIND_CONTROLNET, "small", "sdxl" },
  { "controlnet-union", PMT_KIND_CONTROLNET, "union", "sdxl" },
  { "t2i-full", PMT_KIND_T2I_ADAPTER, "full", "sd1" },
  { "t2i-full-original", PMT_KIND_T2I_ADAPTER, "full", "sd1" },
  { "t2i-gray", PMT_KIND_T2I_ADAPTER, "full", "sd1" },
  { "t2i-gray-original", PMT_KIND_T2I_ADAPTER, "full", "sd1" },
  { "t2i-light", PMT_KIND_T2I_ADAPTER, "light", "sd1" },
  { "t2i-light-original", PMT_KIND_T2I_ADAPTER, "light", "sd1" },
  { "t2i-xl", PMT_KIND_T2I_ADAPTER, "full", "sdxl" },
  { "t2i-xl-original", PMT_KIND_T2I_ADAPTER, "full", "sdxl" },
  { "gligen-diffusers", PMT_KIND_GLIGEN, "", "sd1" },
  { "gligen-ldm", PMT_KIND_GLIGEN, "", "sd1" },
  { "ip-adapter-sd1", PMT_KIND_IP_ADAPTER, "base", "sd1" },
  { "ip-adapter-plus-sd1", PMT_KIND_IP_ADAPTER, "plus", "sd1" },
  { "ip-adapter-sdxl", PMT_KIND_IP_ADAPTER, "base", "sdxl" },
  { "ip-adapter-plus-sdxl", PMT_KIND_IP_ADAPTER, "plus", "sdxl" },
  { "clip-vision-h", PMT_KIND_CLIP_VISION, "vit-h", NULL },
  { "clip-vision-bigg", PMT_KIND_CLIP_VISION, "vit-bigg", NULL },
  { "lora-kohya-sd1", PMT_KIND_LORA, "kohya", "sd1" },
  { "lora-kohya-sd2", PMT_KIND_LORA, "kohya", "sd2" },
  { "lora-kohya-sdxl", PMT_KIND_LORA, "kohya", "sdxl" },
  { "lora-diffusers-sd1", PMT_KIND_LORA, "diffusers", "sd1" },
  { "lora-old-sd1", PMT_KIND_LORA, "diffusers-old", "sd1" },
  { "lora-peft-sdxl", PMT_KIND_LORA, "peft", "sdxl" },
  { "lora-peft-sd1", PMT_KIND_LORA, "peft", "sd1" },
  { "lora-dora-sd1", PMT_KIND_LORA, "dora", "sd1" },
  { "lora-loha-sd1", PMT_KIND_LORA, "loha", "sd1" },
  { "lora-lokr-sd1", PMT_KIND_LORA, "lokr", NULL }, /* its factors show no widths */
  { "lora-text-sd1", PMT_KIND_LORA, "kohya", "sd1" },
  { "taesd-diffusers", PMT_KIND_TAESD, "diffusers", NULL },
  { "taesd-decoder", PMT_KIND_TAESD, "decoder", NULL },
  { "taesd-encoder", PMT_KIND_TAESD, "encoder", NULL },
  { "ti-diffusers-sd1", PMT_KIND_EMBEDDING, "diffusers", "sd1" },
  { "ti-diffusers-sd2", PMT_KIND_EMBEDDING, "diffusers", "sd2" },
  { "ti-a1111-sd1", PMT_KIND_EMBEDDING, "a1111", "sd1" },
  { "ti-sdxl", PMT_KIND_EMBEDDING, "sdxl", "sdxl" },
};

/* Every file is inspected too, in a time that leaves no room for reading weights, and without problems unless it is one to refuse. */
static void
inspect_quickly (const char *path, const Case *c)
{
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();
  g_autoptr (JsonObject) report = pmt_model_files_inspect (path, &error);

  g_assert_no_error (error);
  g_assert_cmpint (g_get_monotonic_time () - start, <, G_USEC_PER_SEC);
  g_assert_cmpstr (json_object_get_string_member (report, "kind"), ==, pmt_kind_id (c->kind));
  g_assert_cmpstr (json_object_get_string_member_with_default (report, "family", NULL), ==, c->base);
  if (strcmp (c->form, "union") != 0 && c->kind != PMT_KIND_UNET) {
    JsonArray *problems = json_object_get_array_member (report, "problems");
    if (json_array_get_length (problems) > 0)
      g_error ("%s: %s", c->list, json_array_get_string_element (problems, 0));
  }
  if (c->kind != PMT_KIND_CHECKPOINT)
    g_assert_cmpuint (json_array_get_length (json_object_get_array_member (report, "needs")), >, 0);
}

static void
test_lists (void)
{
  const GPtrArray *names = list_names ();
  guint covered = 0;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *folder = files_folder (), *path = list_write (cases[i].list, folder, "x.safetensors");
    g_autoptr (GError) error = NULL;
    PmtKindInfo info;
    g_assert_true (pmt_kind_of_file (path, &info, &error));
    g_assert_no_error (error);
    if (info.kind != cases[i].kind || strcmp (info.form, cases[i].form) != 0 || g_strcmp0 (info.base ? info.base->id : NULL, cases[i].base) != 0)
      g_error ("%s is told to be %s (%s) for %s", cases[i].list, info.label, info.form, info.base ? info.base->id : "any");
    inspect_quickly (path, &cases[i]);
    files_remove (folder);
  }
  /* no list may be forgotten here */
  for (guint i = 0; i < names->len; i++)
    for (guint k = 0; k < G_N_ELEMENTS (cases); k++)
      covered += strcmp (names->pdata[i], cases[k].list) == 0;
  g_assert_cmpuint (covered, ==, names->len);
}

/* ---- by telling tensors --------------------------------------------------------------------------------------------------- */

typedef struct Sign {
  const char *name;
  PmtKind kind;
  const char *base;
  const char *says; /* in the refusal; NULL = usable */
  struct {
    const char *name;
    int rank;
    gint64 dim[4];
  } tensors[5];
} Sign;

#define FIRST(cin) { "model.diffusion_model.input_blocks.0.0.weight", 4, { 320, cin, 3, 3 } }
#define MIDDLE { "model.diffusion_model.middle_block.1.norm.weight", 1, { 1280 } }
#define CROSS(ctx) { "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight", 2, { 640, ctx } }
#define LORA(name, ctx) { name ".lora_down.weight", 2, { 4, ctx } }

static const Sign signs[] = {
  { "cosxl", PMT_KIND_CHECKPOINT, "sdxl", "CosXL", { FIRST (4), MIDDLE, CROSS (2048), { "edm_vpred.sigma_max", 0, { 0 } } } },
  { "playground", PMT_KIND_CHECKPOINT, "sdxl", "Playground 2.5", { FIRST (4), MIDDLE, CROSS (2048), { "edm_mean", 4, { 1, 4, 1, 1 } } } },
  { "upscaler", PMT_KIND_CHECKPOINT, "x4-upscaler", "x4 upscaler", { FIRST (7), MIDDLE, CROSS (1024) } },
  { "zero123", PMT_KIND_CHECKPOINT, NULL, "Zero123", { FIRST (8), MIDDLE, CROSS (768), { "cc_projection.weight", 2, { 768, 772 } } } },
  { "unclip", PMT_KIND_CHECKPOINT, "sd2", "unCLIP", { FIRST (4), MIDDLE, CROSS (1024), { "noise_augmentor.data_mean", 2, { 1, 1024 } } } },
  { "ssd-1b", PMT_KIND_CHECKPOINT, "sdxl", "distilled", { FIRST (4), CROSS (2048) } },
  { "tiny-sd", PMT_KIND_UNET, "sd1", "distilled",
    { { "down_blocks.0.resnets.0.time_emb_proj.weight", 2, { 320, 1280 } }, { "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", 2, { 320, 768 } } } },
  { "control-lora", PMT_KIND_CONTROLNET, NULL, "Control-LoRA", { { "lora_controlnet", 0, { 0 } }, { "input_hint_block.0.weight", 4, { 16, 3, 3, 3 } } } },
  { "lllite", PMT_KIND_CONTROLNET, NULL, "LLLite", { { "lllite_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.down.0.weight", 2, { 16, 640 } } } },
  { "flux", PMT_KIND_OTHER, NULL, "Flux model", { { "model.diffusion_model.double_blocks.0.img_attn.norm.key_norm.scale", 1, { 128 } } } },
  { "flux-lora", PMT_KIND_LORA, NULL, "Flux", { LORA ("lora_unet_double_blocks_0_img_attn_qkv", 3072) } },
  { "sd3", PMT_KIND_OTHER, NULL, "Stable Diffusion 3", { { "model.diffusion_model.joint_blocks.0.context_block.adaLN_modulation.1.bias", 1, { 9216 } } } },
  { "cascade", PMT_KIND_OTHER, NULL, "Stable Cascade", { { "clip_txt_mapper.weight", 2, { 2048, 1280 } } } },
  { "svd", PMT_KIND_OTHER, NULL, "Stable Video", { FIRST (8), { "model.diffusion_model.input_blocks.1.1.time_stack.0.norm1.weight", 1, { 320 } } } },
  { "animatediff", PMT_KIND_OTHER, NULL, "AnimateDiff",
    { { "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0.pos_encoder.pe", 3, { 1, 24, 320 } } } },
  { "wan", PMT_KIND_OTHER, NULL, "Wan", { { "head.modulation", 3, { 1, 2, 1536 } } } },
  { "pixart", PMT_KIND_OTHER, NULL, "PixArt", { { "adaln_single.linear.weight", 2, { 6912, 1152 } } } },
  { "t5", PMT_KIND_OTHER, NULL, "T5", { { "encoder.block.0.layer.0.SelfAttention.q.weight", 2, { 4096, 4096 } } } },
  { "flux-vae", PMT_KIND_VAE, NULL, "16 latent channels", { { "decoder.conv_in.weight", 4, { 512, 16, 3, 3 } } } },
  { "taesd3", PMT_KIND_TAESD, NULL, "16 latent channels", { { "1.weight", 4, { 64, 16, 3, 3 } }, { "3.conv.0.weight", 4, { 64, 64, 3, 3 } } } },
  { "faceid", PMT_KIND_IP_ADAPTER, "sd1", "FaceID",
    { { "image_proj.proj.0.weight", 2, { 1024, 512 } }, { "ip_adapter.0.to_q_lora.down.weight", 2, { 128, 320 } }, { "ip_adapter.1.to_k_ip.weight", 2, { 320, 768 } } } },
  { "oft", PMT_KIND_LORA, NULL, "OFT", { { "lora_unet_mid_block_attentions_0_proj_in.oft_blocks", 3, { 4, 8, 8 } } } },
  { "openclip", PMT_KIND_CLIP_VISION, NULL, "OpenCLIP", { { "visual.conv1.weight", 4, { 1280, 3, 14, 14 } } } },
  { "safety", PMT_KIND_OTHER, NULL, "safety checker", { { "concept_embeds", 2, { 17, 768 } }, { "vision_model.vision_model.pre_layrnorm.weight", 1, { 1024 } } } },
  { "esrgan", PMT_KIND_OTHER, NULL, "ESRGAN", { { "model.1.sub.0.RDB1.conv1.0.weight", 4, { 32, 64, 3, 3 } } } },
  { "hypernetwork", PMT_KIND_HYPERNETWORK, "sd1", NULL, { { "768.0.linear.0.weight", 2, { 1536, 768 } }, { "320.1.linear.0.weight", 2, { 640, 320 } } } },
  { "lora-te2", PMT_KIND_LORA, "sdxl", NULL, { LORA ("lora_te2_text_model_encoder_layers_0_mlp_fc1", 1280) } },
  { "lora-diff", PMT_KIND_LORA, "sd1", NULL, { { "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.diff", 2, { 320, 768 } } } },
  { "custom", PMT_KIND_CHECKPOINT, "custom", NULL, { FIRST (4), MIDDLE, CROSS (32) } },
  { "open-clip-text", PMT_KIND_TEXT_ENCODER, "sd2", NULL, { { "transformer.resblocks.0.ln_1.weight", 1, { 1024 } }, { "token_embedding.weight", 2, { 49408, 1024 } } } },
  { "unknown", PMT_KIND_UNKNOWN, NULL, NULL, { { "some.tensor", 1, { 3 } } } },
};

static char *
write_sign (const Sign *s, const char *folder)
{
  FilesSparse *sparse = files_sparse_new ("F16", 2);
  for (int i = 0; i < 5 && s->tensors[i].name; i++)
    files_sparse_add_one (sparse, s->tensors[i].name, s->tensors[i].rank, s->tensors[i].dim);
  return files_sparse_write (sparse, folder, "x.safetensors");
}

static void
test_signs (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (signs); i++) {
    const Sign *s = &signs[i];
    g_autofree char *folder = files_folder (), *path = write_sign (s, folder);
    g_autoptr (GError) error = NULL;
    PmtKindInfo info;
    g_assert_true (pmt_kind_of_file (path, &info, &error));
    if (info.kind != s->kind || g_strcmp0 (info.base ? info.base->id : NULL, s->base) != 0 || (info.refusal != NULL) != (s->says != NULL))
      g_error ("%s is told to be %s for %s, %s", s->name, info.label, info.base ? info.base->id : "any", info.refusal);
    g_autoptr (JsonObject) report = pmt_model_files_inspect (path, &error);
    JsonArray *problems = json_object_get_array_member (report, "problems");
    if (s->says) {
      const char *problem = json_array_get_string_element (problems, 0);
      if (!strstr (problem, s->says) || !strstr (problem, path) || !g_str_has_suffix (problem, "."))
        g_error ("%s: '%s' does not say '%s'", s->name, problem, s->says);
      /* the same refusal comes to whoever wants to run it */
      g_assert_null (pmt_model_files_open (path, &error));
      files_assert_error (error, PMT_ERROR_UNSUPPORTED, path, s->says);
    }
    files_remove (folder);
  }
}

/* ---- what methods ask ------------------------------------------------------------------------------------------------------ */

static void
test_require (void)
{
  static const struct {
    const char *list;
    PmtKind wanted;
    const char *family, *says, *too; /* says NULL = accepted */
  } asks[] = {
    { "lora-kohya-sdxl", PMT_KIND_LORA, "sd1", "a LoRA for Stable Diffusion XL", "the model 'MODEL' is Stable Diffusion 1.x; use a LoRA made for that" },
    { "lora-kohya-sd1", PMT_KIND_LORA, "sd1", NULL, NULL },
    { "lora-lokr-sd1", PMT_KIND_LORA, "sdxl", NULL, NULL }, /* not told: shapes will say */
    { "lora-kohya-sd1", PMT_KIND_LORA, NULL, NULL, NULL },
    { "controlnet-sd1", PMT_KIND_CONTROLNET, "sdxl", "a ControlNet for Stable Diffusion 1.x", "or a Stable Diffusion 1.x model" },
    { "controlnet-sd2-ldm", PMT_KIND_CONTROLNET, "sd1", "a ControlNet for Stable Diffusion 2.x", "Stable Diffusion 1.x" },
    { "controlnet-sdxl-small", PMT_KIND_CONTROLNET, "sdxl", NULL, NULL },
    { "controlnet-union", PMT_KIND_CONTROLNET, "sdxl", "a union ControlNet", "made for one control type" },
    { "lora-kohya-sd1", PMT_KIND_CONTROLNET, "sd1", "a LoRA, not a ControlNet", "give a ControlNet for Stable Diffusion 1.x instead" },
    { "sd1-checkpoint", PMT_KIND_EMBEDDING, "sd1", "a checkpoint, not a textual inversion embedding", NULL },
    { "ti-sdxl", PMT_KIND_EMBEDDING, "sd1", "embedding for Stable Diffusion XL", NULL },
    { "ip-adapter-sdxl", PMT_KIND_IP_ADAPTER, "sd1", "an IP-Adapter for Stable Diffusion XL", NULL },
    { "t2i-xl", PMT_KIND_T2I_ADAPTER, "sd1", "a T2I-Adapter for Stable Diffusion XL", NULL },
    { "controlnet-sd1", PMT_KIND_CONTROLNET, "custom", NULL, NULL }, /* a model of no known size: shapes will say */
  };

  for (guint i = 0; i < G_N_ELEMENTS (asks); i++) {
    g_autofree char *folder = files_folder (), *path = list_write (asks[i].list, folder, "x.safetensors");
    g_autoptr (GError) error = NULL;
    const PmtFamily *family = asks[i].family ? pmt_family_by_id (asks[i].family) : NULL;
    gboolean ok = pmt_kind_require (path, asks[i].wanted, "MODEL", family, NULL, &error);
    if (asks[i].says && ok)
      g_error ("%s was accepted for %s", asks[i].list, asks[i].family);
    if (asks[i].says) {
      files_assert_error (error, PMT_ERROR_UNSUPPORTED, asks[i].says, asks[i].too);
      g_assert_nonnull (strstr (error->message, path));
    } else {
      g_assert_no_error (error);
      g_assert_true (ok);
    }
    files_remove (folder);
  }
}

/* ---- folders ---------------------------------------------------------------------------------------------------------------- */

static void
test_folders (void)
{
  g_autofree char *folder = files_folder (), *unet = files_make_folder (folder, "unet"), *bins = files_make_folder (folder, "bins");
  g_autofree char *net = files_make_folder (folder, "net");
  g_autoptr (GError) error = NULL;
  PmtKindInfo info;

  g_free (list_write ("controlnet-sdxl-mid", net, "diffusion_pytorch_model.fp16.safetensors"));
  files_write (net, "config.json", "{\"_class_name\":\"ControlNetModel\"}", -1);
  g_assert_true (pmt_kind_of_file (net, &info, &error));
  g_assert_cmpint (info.kind, ==, PMT_KIND_CONTROLNET);
  g_assert_cmpstr (info.form, ==, "mid");
  g_assert_cmpstr (info.base->id, ==, "sdxl");
  g_autoptr (JsonObject) report = pmt_model_files_inspect (net, &error);
  g_assert_cmpstr (json_object_get_string_member (report, "kind"), ==, "controlnet");
  g_assert_cmpstr (json_object_get_string_member (report, "family"), ==, "sdxl");

  /* a whole model given where a part belongs */
  g_free (list_write ("sd1-unet-lcm", unet, "diffusion_pytorch_model.safetensors"));
  files_write (folder, "model_index.json", "{}", -1);
  g_assert_true (pmt_kind_of_file (folder, &info, &error));
  g_assert_cmpint (info.kind, ==, PMT_KIND_CHECKPOINT);
  g_assert_cmpstr (info.base->id, ==, "sd1");
  g_assert_false (pmt_kind_require (folder, PMT_KIND_LORA, "MODEL", NULL, NULL, &error));
  files_assert_error (error, PMT_ERROR_UNSUPPORTED, "a whole model, not a LoRA", folder);
  g_clear_error (&error);

  files_write (bins, "diffusion_pytorch_model.bin", "PK\003\004", 4);
  g_assert_false (pmt_kind_of_file (bins, &info, &error));
  files_assert_error (error, PMT_ERROR_UNSUPPORTED, "pickled", "safetensors.torch.save_file");
  g_clear_error (&error);
  g_autofree char *nowhere = g_build_filename (folder, "nowhere", NULL);
  g_assert_false (pmt_kind_of_file (nowhere, &info, &error));
  files_assert_error (error, PMT_ERROR_NOT_FOUND, nowhere, NULL);
  files_remove (folder);
}

/* A download that broke off: the header is whole, the data is not. */
static void
test_cut_short (void)
{
  g_autofree char *folder = files_folder (), *path = list_write ("sdxl-checkpoint", folder, "sdxl.safetensors");
  g_autoptr (GError) error = NULL;
  PmtKindInfo info;

  g_assert_cmpint (truncate (path, (off_t) 3 << 30), ==, 0);
  g_assert_false (pmt_kind_of_file (path, &info, &error));
  files_assert_error (error, PMT_ERROR_FORMAT, path, "bytes are missing at its end, as when a download has broken off; get a fresh copy of it.");
  g_autoptr (JsonObject) report = pmt_model_files_inspect (path, NULL);
  g_assert_cmpstr (json_array_get_string_element (json_object_get_array_member (report, "problems"), 0), ==, error->message);
  files_remove (folder);
}

/* Tensors without any axis have no last one. */
static void
test_no_axes (void)
{
  g_autofree char *folder = files_folder (), *path = g_build_filename (folder, "word.safetensors", NULL);
  g_autoptr (GError) error = NULL;
  gsize size;
  g_autofree guint8 *bytes = files_safetensors ("{\"emb_params\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", -1, 0, 4, &size);

  files_write (folder, "word.safetensors", bytes, (gssize) size);
  PmtSafetensors *file = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
  g_assert_null (pmt_kind_base_of_embedding (file));
  pmt_safetensors_free (file);
  files_remove (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kinds/lists", test_lists);
  g_test_add_func ("/kinds/signs", test_signs);
  g_test_add_func ("/kinds/require", test_require);
  g_test_add_func ("/kinds/folders", test_folders);
  g_test_add_func ("/kinds/cut-short", test_cut_short);
  g_test_add_func ("/kinds/no-axes", test_no_axes);
  return g_test_run ();
}
