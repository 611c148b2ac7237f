/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/kinds_table.h"

#include <string.h>

static int64_t
dim_of (const PmtSafetensors *file, const char *name, int axis)
{
  const PmtSafetensor *t = pmt_safetensors_lookup (file, name);
  return t && axis < t->rank ? t->dim[axis] : 0;
}

static gboolean
takes_seven_channels (const PmtSafetensors *file)
{
  return dim_of (file, "model.diffusion_model.input_blocks.0.0.weight", 1) == 7 || dim_of (file, "input_blocks.0.0.weight", 1) == 7
         || dim_of (file, "conv_in.weight", 1) == 7;
}

static const PmtFamily *
base_of_upscaler (const PmtSafetensors *file)
{
  (void) file;
  return pmt_family_by_id ("x4-upscaler");
}

static gboolean
has_sixteen_latents (const PmtSafetensors *file)
{
  static const char *const names[] = { "decoder.conv_in.weight", "first_stage_model.decoder.conv_in.weight", "vae.decoder.conv_in.weight",
                                       "decoder.layers.0.weight", "decoder.layers.1.weight", "1.weight" };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    if (dim_of (file, names[i], 1) == 16)
      return TRUE;
  return FALSE;
}

static gboolean
sees_1280_wide (const PmtSafetensors *file)
{
  return dim_of (file, "vision_model.embeddings.patch_embedding.weight", 0) == 1280;
}

static gboolean
sees_1664_wide (const PmtSafetensors *file)
{
  return dim_of (file, "vision_model.embeddings.patch_embedding.weight", 0) == 1664;
}

/* diffusers' textual inversions: one tensor, named like the word, as wide as a text encoder. */
static gboolean
is_one_word (const PmtSafetensors *file)
{
  if (pmt_safetensors_count (file) != 1)
    return FALSE;
  const PmtSafetensor *t = pmt_safetensors_at (file, 0);
  int64_t width = t->rank > 0 ? t->dim[t->rank - 1] : 0;
  return t->rank <= 2 && (width == 768 || width == 1024 || width == 1280);
}

#define NEEDS_VIDEO N_("which works on video; use a Stable Diffusion 1.x, 2.x or XL model")
#define OTHER_FAMILY N_("which is another architecture than this version runs; use a Stable Diffusion 1.x, 2.x or XL model")
#define OTHER_LORA N_("which changes an architecture that this version does not run; use a LoRA for Stable Diffusion 1.x, 2.x or XL")
#define DISTILLED N_("whose middle block has no attention, which this version cannot run; use the full model that it was made from")
#define CHECKPOINT_SIGN "^model.diffusion_model.input_blocks.0.0."

const PmtKindRow pmt_kind_rows[] = {
  /* ---- control networks in forms that need something else to run ---- */
  { PMT_KIND_CONTROLNET, "control-lora", N_("a Control-LoRA"), .any = { "=lora_controlnet" }, .base = pmt_kind_base_of_unet,
    .refusal = N_("which holds only differences from a model and not a whole network; use a full ControlNet of the same type") },
  { PMT_KIND_CONTROLNET, "lllite", N_("a ControlNet-LLLite"), .any = { "^lllite_" }, .base = pmt_kind_base_of_unet,
    .refusal = N_("which this version cannot run; use a full ControlNet of the same type") },
  { PMT_KIND_CONTROLNET, "union", N_("a union ControlNet"), .any = { "^task_embedding", "^control_add_embedding.", "^control_mode_embedder." },
    .base = pmt_kind_base_of_unet, .refusal = N_("which this version cannot run; use a ControlNet made for one control type") },

  /* ---- video and other architectures ---- */
  { PMT_KIND_OTHER, "motion", N_("a motion module for video (AnimateDiff)"), .any = { ".motion_modules.", "temporal_transformer." },
    .refusal = NEEDS_VIDEO },
  { PMT_KIND_OTHER, "svd", N_("a Stable Video Diffusion model"), .any = { ".time_stack.", ".time_mixer.", ".temporal_transformer_blocks." },
    .refusal = NEEDS_VIDEO },
  { PMT_KIND_OTHER, "modelscope", N_("a text-to-video model (ModelScope)"), .any = { ".temopral_conv.", ".temp_convs." }, .refusal = NEEDS_VIDEO },
  { PMT_KIND_OTHER, "wan", N_("a Wan video model"), .any = { "head.modulation$", "^vace_blocks.", "^motion_encoder.dec." }, .refusal = NEEDS_VIDEO },
  { PMT_KIND_OTHER, "hunyuan", N_("a Hunyuan Video model"), .any = { "txt_in.individual_token_refiner." }, .refusal = NEEDS_VIDEO },
  { PMT_KIND_OTHER, "ltx", N_("an LTX Video model"), .any = { "patchify_proj.weight$" }, .refusal = NEEDS_VIDEO },
  { PMT_KIND_OTHER, "mochi", N_("a Mochi video model"), .any = { "blocks.0.attn.qkv_x.weight$" }, .refusal = NEEDS_VIDEO },
  { PMT_KIND_OTHER, "cosmos", N_("a Cosmos model"), .any = { "^net.x_embedder.proj.1." }, .refusal = OTHER_FAMILY },
  { PMT_KIND_LORA, "flux", N_("a LoRA for Flux"),
    .any = { "lora_unet_double_blocks_", "lora_unet_single_blocks_", "single_transformer_blocks.0.attn.to_q.lora", "double_blocks.0.img_attn.qkv.lora" },
    .refusal = OTHER_LORA },
  { PMT_KIND_LORA, "sd3", N_("a LoRA for Stable Diffusion 3"), .any = { "lora_unet_joint_blocks_", "^transformer.transformer_blocks.", "joint_blocks.0.x_block.attn.qkv.lora" },
    .refusal = OTHER_LORA },
  { PMT_KIND_OTHER, "chroma", N_("a Chroma model"), .any = { "distilled_guidance_layer.in_proj." }, .refusal = OTHER_FAMILY },
  { PMT_KIND_OTHER, "flux2", N_("a Flux 2 model"), .any = { "single_stream_modulation.lin." }, .refusal = OTHER_FAMILY },
  { PMT_KIND_OTHER, "flux", N_("a Flux model"), .any = { "double_blocks.0.img_attn.", "^single_transformer_blocks.0." }, .refusal = OTHER_FAMILY },
  { PMT_KIND_OTHER, "sd3", N_("a Stable Diffusion 3 model"), .any = { "joint_blocks.0.context_block.", "^transformer_blocks.0.norm1_context." },
    .refusal = OTHER_FAMILY },
  { PMT_KIND_OTHER, "cascade", N_("a Stable Cascade model"), .any = { "^clip_txt_mapper.", "^down_blocks.1.0.channelwise.", "^clip_mapper." },
    .refusal = OTHER_FAMILY },
  { PMT_KIND_OTHER, "auraflow", N_("an AuraFlow model"), .any = { "double_layers.0.attn.w2q.", "^joint_transformer_blocks." }, .refusal = OTHER_FAMILY },
  { PMT_KIND_OTHER, "hunyuan-dit", N_("a Hunyuan-DiT model"), .any = { "mlp_t5.0.weight$", "pooler.positional_embedding$" }, .refusal = OTHER_FAMILY },
  { PMT_KIND_OTHER, "pixart", N_("a PixArt model"), .any = { "^adaln_single.", "t_block.1.weight$" }, .refusal = OTHER_FAMILY },
  { PMT_KIND_OTHER, "lumina", N_("a Lumina model"), .any = { "cap_embedder.0.weight$" }, .refusal = OTHER_FAMILY },
  { PMT_KIND_OTHER, "sana", N_("a Sana model"), .any = { "blocks.0.cross_attn.kv_linear." }, .refusal = OTHER_FAMILY },
  { PMT_KIND_OTHER, "hidream", N_("a HiDream model"), .any = { "double_stream_blocks.0.block." }, .refusal = OTHER_FAMILY },
  { PMT_KIND_OTHER, "qwen", N_("a Qwen-Image model"), .any = { "transformer_blocks.0.img_mod.1." }, .refusal = OTHER_FAMILY },
  { PMT_KIND_OTHER, "kandinsky", N_("a Kandinsky 2 model"), .any = { "^add_embedding.image_norm.", "^encoder_hid_proj.image_embeds." }, .refusal = OTHER_FAMILY },
  { PMT_KIND_OTHER, "t5", N_("a T5 text encoder"), .any = { "encoder.block.0.layer.0.SelfAttention." },
    .refusal = N_("which none of the models that this version runs uses; there is nothing to do with it here") },

  /* ---- IP-Adapter: before LoRA, since the face ones hold LoRA pairs too ---- */
  { PMT_KIND_IP_ADAPTER, "faceid", N_("a FaceID IP-Adapter"), .any = { ".to_q_lora.down.weight$", ".to_k_lora.down.weight$" }, .all = { "^ip_adapter." },
    .base = pmt_kind_base_of_ip_adapter,
    .refusal = N_("which needs a face recognition network that this version does not have; use a plain, plus or plus-face IP-Adapter") },
  { PMT_KIND_IP_ADAPTER, "plus", N_("an IP-Adapter (plus)"), .any = { "^image_proj.latents" }, .base = pmt_kind_base_of_ip_adapter },
  { PMT_KIND_IP_ADAPTER, "full", N_("an IP-Adapter (full face)"), .any = { "^image_proj.proj.0." }, .base = pmt_kind_base_of_ip_adapter },
  { PMT_KIND_IP_ADAPTER, "base", N_("an IP-Adapter"), .any = { "^image_proj." }, .base = pmt_kind_base_of_ip_adapter },

  /* ---- LoRA and relatives ---- */
  { PMT_KIND_LORA, "oft", N_("a LoRA (OFT)"), .any = { ".oft_blocks$", ".oft_diag$", ".oft_R.weight$" }, .base = pmt_kind_base_of_lora,
    .refusal = N_("which this version cannot apply; use a plain LoRA") },
  { PMT_KIND_LORA, "ia3", N_("a LoRA ((IA)^3)"), .any = { ".on_input$" }, .base = pmt_kind_base_of_lora,
    .refusal = N_("which this version cannot apply; use a plain LoRA") },
  { PMT_KIND_LORA, "lokr", N_("a LoRA (LoKr)"), .any = { ".lokr_w1$", ".lokr_w1_a$" }, .base = pmt_kind_base_of_lora },
  { PMT_KIND_LORA, "loha", N_("a LoRA (LoHa)"), .any = { ".hada_w1_a$" }, .base = pmt_kind_base_of_lora },
  { PMT_KIND_LORA, "dora", N_("a LoRA (DoRA)"), .any = { ".dora_scale$", ".lora_magnitude_vector$", ".lora_magnitude_vector.weight$" },
    .base = pmt_kind_base_of_lora },
  { PMT_KIND_LORA, "kohya", N_("a LoRA"), .any = { ".lora_down.weight$" }, .base = pmt_kind_base_of_lora },
  { PMT_KIND_LORA, "peft", N_("a LoRA"), .any = { ".lora_A.weight$", ".lora_A.default.weight$", ".lora_A$" }, .base = pmt_kind_base_of_lora },
  { PMT_KIND_LORA, "diffusers", N_("a LoRA"), .any = { ".lora.down.weight$", ".lora_linear_layer.down.weight$" }, .base = pmt_kind_base_of_lora },
  { PMT_KIND_LORA, "diffusers-old", N_("a LoRA"), .any = { "_lora.down.weight$" }, .base = pmt_kind_base_of_lora },
  { PMT_KIND_LORA, "diff", N_("a LoRA (full differences)"), .any = { ".diff$", ".diff_b$" }, .base = pmt_kind_base_of_lora },

  /* ---- ControlNet ---- */
  { PMT_KIND_CONTROLNET, "full", N_("a ControlNet"), .any = { "down_blocks.1.attentions.0.transformer_blocks.0." },
    .all = { "^controlnet_cond_embedding.conv_in.", "^add_embedding." }, .base = pmt_kind_base_of_unet },
  { PMT_KIND_CONTROLNET, "mid", N_("a ControlNet (mid)"), .any = { "down_blocks.1.attentions.0.norm." },
    .all = { "^controlnet_cond_embedding.conv_in.", "^add_embedding." }, .base = pmt_kind_base_of_unet },
  { PMT_KIND_CONTROLNET, "small", N_("a ControlNet (small)"), .any = { "^add_embedding." }, .all = { "^controlnet_cond_embedding.conv_in." },
    .base = pmt_kind_base_of_unet },
  { PMT_KIND_CONTROLNET, "full", N_("a ControlNet"),
    .any = { "^control_model.", "^zero_convs.0.0.", "controlnet_cond_embedding.conv_in.", "^input_hint_block." }, .base = pmt_kind_base_of_unet },

  /* ---- whole models ---- */
  { PMT_KIND_GLIGEN, "", N_("a GLIGEN model"), .any = { "position_net.null_position_feature", ".fuser.alpha_attn" }, .base = pmt_kind_base_of_unet },
  { PMT_KIND_CHECKPOINT, "cosxl", N_("a CosXL model"), .any = { "=edm_vpred.sigma_max" }, .all = { CHECKPOINT_SIGN }, .base = pmt_kind_base_of_unet,
    .refusal = N_("which counts noise another way than this version's samplers do; use a Stable Diffusion XL model") },
  { PMT_KIND_CHECKPOINT, "playground", N_("a Playground 2.5 model"), .any = { "=edm_mean", "=edm_std" }, .base = pmt_kind_base_of_unet,
    .refusal = N_("which counts noise another way than this version's samplers do; use a Stable Diffusion XL model") },
  { PMT_KIND_CHECKPOINT, "zero123", N_("a Zero123 model"), .any = { "^cc_projection." }, .all = { CHECKPOINT_SIGN },
    .refusal = N_("which turns objects and takes no text; use a Stable Diffusion 1.x, 2.x or XL model") },
  { PMT_KIND_CHECKPOINT, "unclip", N_("a Stable unCLIP model"), .any = { "^noise_augmentor.", "^embedder.model.visual." }, .all = { CHECKPOINT_SIGN },
    .base = pmt_kind_base_of_unet, .refusal = N_("which takes pictures through CLIP in place of text; use a Stable Diffusion 2.x model") },
  { PMT_KIND_CHECKPOINT, "x4-upscaler", N_("a Stable Diffusion x4 upscaler"), .any = { CHECKPOINT_SIGN }, .fits = takes_seven_channels,
    .base = base_of_upscaler, .refusal = N_("which this version cannot run; use a Stable Diffusion 1.x, 2.x or XL model") },
  { PMT_KIND_CHECKPOINT, "distilled", N_("a distilled checkpoint"), .any = { CHECKPOINT_SIGN }, .none = { "^model.diffusion_model.middle_block.1." },
    .base = pmt_kind_base_of_unet, .refusal = DISTILLED },
  { PMT_KIND_CHECKPOINT, "", N_("a checkpoint"), .any = { CHECKPOINT_SIGN }, .base = pmt_kind_base_of_unet },

  /* ---- parts ---- */
  { PMT_KIND_T2I_ADAPTER, "light", N_("a T2I-Adapter (light)"), .any = { "^adapter.body.0.out_conv.", "^body.0.body.0.block1." },
    .base = pmt_kind_base_of_adapter },
  { PMT_KIND_T2I_ADAPTER, "full", N_("a T2I-Adapter"), .any = { "^adapter.body.", "^body.0.block1." }, .base = pmt_kind_base_of_adapter },
  { PMT_KIND_UNET, "x4-upscaler", N_("the UNet of a Stable Diffusion x4 upscaler"), .any = { "^input_blocks.0.0.", "^down_blocks.0.resnets.0.time_emb_proj." },
    .fits = takes_seven_channels, .refusal = N_("which this version cannot run; use a Stable Diffusion 1.x, 2.x or XL model") },
  { PMT_KIND_UNET, "distilled", N_("a distilled UNet"), .any = { "^input_blocks.0.0." }, .none = { "^middle_block.1." },
    .base = pmt_kind_base_of_unet, .refusal = DISTILLED },
  { PMT_KIND_UNET, "ldm", N_("a UNet alone"), .any = { "^input_blocks.0.0." }, .base = pmt_kind_base_of_unet },
  { PMT_KIND_UNET, "distilled", N_("a distilled UNet"), .any = { "^down_blocks.0.resnets.0.time_emb_proj." }, .none = { "^mid_block.attentions.0." },
    .base = pmt_kind_base_of_unet, .refusal = DISTILLED },
  { PMT_KIND_UNET, "diffusers", N_("a UNet alone"), .any = { "^down_blocks.0.resnets.0.time_emb_proj." }, .base = pmt_kind_base_of_unet },
  { PMT_KIND_CLIP_VISION, "", N_("a CLIP image encoder"), .any = { "^embeddings.patch_embedding." }, .all = { "=embeddings.class_embedding" } },
  { PMT_KIND_TAESD, "foreign", N_("a tiny autoencoder for Flux or Stable Diffusion 3"), .any = { "^encoder.layers.0.", "^decoder.layers.1.", "=3.conv.0.weight" },
    .fits = has_sixteen_latents, .refusal = N_("whose 16 latent channels fit no model that this version runs; use TAESD or TAESDXL") },
  { PMT_KIND_TAESD, "diffusers", N_("a tiny autoencoder (TAESD)"), .any = { "^encoder.layers.0.", "^decoder.layers.0.", "^decoder.layers.1." } },
  { PMT_KIND_TAESD, "decoder", N_("a tiny decoder (TAESD)"), .any = { "=3.conv.0.weight" }, .all = { "=1.weight" } },
  { PMT_KIND_TAESD, "encoder", N_("a tiny encoder (TAESD)"), .any = { "=1.conv.0.weight" }, .all = { "=0.weight" } },
  { PMT_KIND_VAE, "foreign", N_("a VAE for Flux or Stable Diffusion 3"),
    .any = { "^decoder.conv_in.", "^first_stage_model.decoder.conv_in.", "^vae.decoder.conv_in." }, .fits = has_sixteen_latents,
    .refusal = N_("whose 16 latent channels fit no model that this version runs; use a VAE for Stable Diffusion") },
  { PMT_KIND_VAE, "", N_("a VAE alone"), .any = { "^decoder.conv_in.", "^first_stage_model.decoder.conv_in.", "^vae.decoder.conv_in." } },
  { PMT_KIND_OTHER, "safety-checker", N_("a safety checker"), .any = { "=concept_embeds" },
    .refusal = N_("which this version has no use for; there is nothing to do with it here") },
  { PMT_KIND_CLIP_VISION, "open-clip", N_("a CLIP model in OpenCLIP's names"), .any = { "^visual.conv1.", "^visual.trunk." },
    .refusal = N_("which this version reads in transformers' names only; use the image_encoder folder that comes with the IP-Adapter") },
  { PMT_KIND_CLIP_VISION, "vit-h", N_("a CLIP image encoder (ViT-H)"), .any = { "^vision_model.embeddings.patch_embedding." }, .fits = sees_1280_wide },
  { PMT_KIND_CLIP_VISION, "vit-bigg", N_("a CLIP image encoder (ViT-bigG)"), .any = { "^vision_model.embeddings.patch_embedding." }, .fits = sees_1664_wide },
  { PMT_KIND_CLIP_VISION, "", N_("a CLIP image encoder"), .any = { "^vision_model.embeddings.patch_embedding." } },
  { PMT_KIND_TEXT_ENCODER, "open-clip", N_("a text encoder alone"), .any = { "transformer.resblocks.0.ln_1." }, .base = pmt_kind_base_of_text_encoder },
  { PMT_KIND_TEXT_ENCODER, "clip", N_("a text encoder alone"), .any = { "embeddings.token_embedding." }, .base = pmt_kind_base_of_text_encoder },
  { PMT_KIND_EMBEDDING, "sdxl", N_("a textual inversion embedding"), .any = { "=clip_l", "=clip_g", "=text_encoders_1" }, .base = pmt_kind_base_of_embedding },
  { PMT_KIND_EMBEDDING, "a1111", N_("a textual inversion embedding"), .any = { "=emb_params", "=text_encoders_0" }, .base = pmt_kind_base_of_embedding },
  { PMT_KIND_HYPERNETWORK, "", N_("a hypernetwork"), .any = { "^768.0.linear.", "^320.0.linear.", "^1024.0.linear.", "^640.0.linear.", "^1280.0.linear." },
    .base = pmt_kind_base_of_hypernetwork },
  { PMT_KIND_OTHER, "upscaler", N_("a picture upscaler (ESRGAN)"), .any = { "^model.1.sub.0.", "^body.0.rdb1.", "^RRDB_trunk.0." },
    .refusal = N_("which this version has no use for; there is nothing to do with it here") },
  { PMT_KIND_EMBEDDING, "diffusers", N_("a textual inversion embedding"), .fits = is_one_word, .base = pmt_kind_base_of_embedding },
};

const size_t pmt_kind_n_rows = G_N_ELEMENTS (pmt_kind_rows);
