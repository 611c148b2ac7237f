/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/kinds.h"

#include <string.h>

static const struct {
  const char *id, *label;
} kinds[] = {
  [PMT_KIND_UNKNOWN] = { "unknown", "a safetensors file of a kind that is not known here" },
  [PMT_KIND_CHECKPOINT] = { "checkpoint", "a checkpoint" },
  [PMT_KIND_UNET] = { "unet", "a UNet alone" },
  [PMT_KIND_VAE] = { "vae", "a VAE alone" },
  [PMT_KIND_TAESD] = { "taesd", "a tiny autoencoder (TAESD)" },
  [PMT_KIND_TEXT_ENCODER] = { "text-encoder", "a text encoder alone" },
  [PMT_KIND_LORA] = { "lora", "a LoRA" },
  [PMT_KIND_CONTROLNET] = { "controlnet", "a ControlNet" },
  [PMT_KIND_T2I_ADAPTER] = { "t2i-adapter", "a T2I-Adapter" },
  [PMT_KIND_IP_ADAPTER] = { "ip-adapter", "an IP-Adapter" },
  [PMT_KIND_GLIGEN] = { "gligen", "a GLIGEN model" },
  [PMT_KIND_EMBEDDING] = { "embedding", "a textual inversion embedding" },
};

/* Checked in this order: a ControlNet also has a UNet's first layers, a GLIGEN checkpoint also a checkpoint's. */
static const struct {
  PmtKind kind;
  const char *part; /* anywhere in some tensor's name; with '^' first: at its beginning */
} signs[] = {
  { PMT_KIND_LORA, ".lora_down.weight" },
  { PMT_KIND_LORA, ".lora_A." },
  { PMT_KIND_LORA, ".lora.down.weight" },
  { PMT_KIND_LORA, "_lora.down.weight" },
  { PMT_KIND_LORA, ".hada_w1_a" },
  { PMT_KIND_LORA, ".lokr_w1" },
  { PMT_KIND_IP_ADAPTER, "^image_proj." },
  { PMT_KIND_CONTROLNET, "^control_model." },
  { PMT_KIND_CONTROLNET, "^zero_convs.0.0." },
  { PMT_KIND_CONTROLNET, "^controlnet_cond_embedding." },
  { PMT_KIND_GLIGEN, "position_net.null_position_feature" },
  { PMT_KIND_GLIGEN, ".fuser.alpha_attn" },
  { PMT_KIND_CHECKPOINT, "^model.diffusion_model.input_blocks.0.0." },
  { PMT_KIND_T2I_ADAPTER, "^adapter.body." },
  { PMT_KIND_T2I_ADAPTER, "^body.0.block1." },
  { PMT_KIND_T2I_ADAPTER, "^body.0.body.0." },
  { PMT_KIND_UNET, "^input_blocks.0.0." },
  { PMT_KIND_UNET, "^down_blocks.0.resnets.0.time_emb_proj." },
  { PMT_KIND_TAESD, "^encoder.layers.0.conv." },
  { PMT_KIND_TAESD, "^decoder.layers.0." },
  { PMT_KIND_VAE, "^decoder.conv_in." },
  { PMT_KIND_VAE, "^first_stage_model.decoder.conv_in." },
  { PMT_KIND_TEXT_ENCODER, "embeddings.token_embedding." },
  { PMT_KIND_EMBEDDING, "^emb_params" },
  { PMT_KIND_EMBEDDING, "^clip_l" },
};

static gboolean
has_sign (const PmtSafetensors *file, const char *part)
{
  for (guint i = 0; i < pmt_safetensors_count (file); i++) {
    const char *name = pmt_safetensors_at (file, i)->name;
    if (*part == '^' ? g_str_has_prefix (name, part + 1) : strstr (name, part) != NULL)
      return TRUE;
  }
  return FALSE;
}

PmtKind
pmt_kind_detect (const PmtSafetensors *file)
{
  for (size_t i = 0; i < G_N_ELEMENTS (signs); i++)
    if (has_sign (file, signs[i].part))
      return signs[i].kind;
  /* diffusers' embeddings: one tensor, named like the trigger word */
  if (pmt_safetensors_count (file) == 1) {
    const PmtSafetensor *t = pmt_safetensors_at (file, 0);
    int64_t width = t->rank > 0 ? t->dim[t->rank - 1] : 0;
    if (t->rank <= 2 && (width == 768 || width == 1024 || width == 1280))
      return PMT_KIND_EMBEDDING;
  }
  return PMT_KIND_UNKNOWN;
}

const char *
pmt_kind_id (PmtKind kind)
{
  return kinds[kind].id;
}

const char *
pmt_kind_label (PmtKind kind)
{
  return kinds[kind].label;
}
