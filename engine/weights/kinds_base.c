/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which models a file is made for: mostly the width of the text context, read wherever the file shows it. */
#include <string.h>

#include "engine/weights/kinds_table.h"

static int64_t
dim (const PmtSafetensor *t, int axis)
{
  return t && axis >= 0 && axis < t->rank ? t->dim[axis] : 0;
}

/* The first tensor whose name holds all the given parts (up to three). */
static const PmtSafetensor *
find (const PmtSafetensors *file, const char *a, const char *b, const char *c)
{
  for (guint i = 0; i < pmt_safetensors_count (file); i++) {
    const PmtSafetensor *t = pmt_safetensors_at (file, i);
    if (strstr (t->name, a) && (!b || strstr (t->name, b)) && (!c || strstr (t->name, c)))
      return t;
  }
  return NULL;
}

static gboolean
has (const PmtSafetensors *file, const char *part)
{
  return find (file, part, NULL, NULL) != NULL;
}

const PmtFamily *
pmt_kind_base_of_context (int64_t width)
{
  static const struct {
    int64_t width;
    const char *id;
  } known[] = { { 768, "sd1" }, { 1024, "sd2" }, { 2048, "sdxl" }, { 1280, "sdxl-refiner" } };

  if (width <= 0)
    return NULL;
  for (size_t i = 0; i < G_N_ELEMENTS (known); i++)
    if (known[i].width == width)
      return pmt_family_by_id (known[i].id);
  return pmt_family_by_id ("custom");
}

const PmtFamily *
pmt_kind_base_of_unet (const PmtSafetensors *file)
{
  const PmtSafetensor *k = find (file, "attn2.to_k.weight", NULL, NULL);
  const PmtSafetensor *added = find (file, "add_embedding.linear_1.weight", NULL, NULL);

  if (k)
    return pmt_kind_base_of_context (dim (k, 1));
  if (!added)
    added = find (file, "label_emb.0.0.weight", NULL, NULL);
  /* an SDXL ControlNet without attention: pooled text 1280 and six time ids, or the refiner's five */
  return dim (added, 1) == 2816 ? pmt_family_by_id ("sdxl") : dim (added, 1) == 2560 ? pmt_family_by_id ("sdxl-refiner") : NULL;
}

/* ---- LoRA ------------------------------------------------------------------------------------------------------------- */

/* Inputs of the module that a tensor changes; 0 where this tensor does not show them. */
static int64_t
lora_inputs (const PmtSafetensor *t)
{
  static const char *const downs[] = { ".lora_down.weight", ".lora.down.weight", "_lora.down.weight", ".lora_A.weight", ".lora_A.default.weight",
                                       ".lora_linear_layer.down.weight", ".hada_w1_b", ".diff" };
  for (size_t i = 0; i < G_N_ELEMENTS (downs); i++)
    if (g_str_has_suffix (t->name, downs[i]))
      return dim (t, 1);
  return 0;
}

static int64_t
lora_width (const PmtSafetensors *file, const char *part, const char *module)
{
  for (guint i = 0; i < pmt_safetensors_count (file); i++) {
    const PmtSafetensor *t = pmt_safetensors_at (file, i);
    if (strstr (t->name, part) && strstr (t->name, module) && lora_inputs (t) > 0)
      return lora_inputs (t);
  }
  return 0;
}

/* What the training program wrote down. */
static const PmtFamily *
stated_base (const PmtSafetensors *file)
{
  static const struct {
    const char *start, *id;
  } known[] = { { "sdxl", "sdxl" },
                { "sd_v1", "sd1" },
                { "sd_v2", "sd2" },
                { "sd_1", "sd1" },
                { "sd_2", "sd2" },
                { "stable-diffusion-xl-v1-refiner", "sdxl-refiner" },
                { "stable-diffusion-xl", "sdxl" },
                { "stable-diffusion-v1", "sd1" },
                { "stable-diffusion-v2", "sd2" } };
  static const char *const keys[] = { "ss_base_model_version", "modelspec.architecture" };

  for (size_t k = 0; k < G_N_ELEMENTS (keys); k++) {
    const char *value = pmt_safetensors_metadata (file, keys[k]);
    for (size_t i = 0; value && i < G_N_ELEMENTS (known); i++)
      if (g_str_has_prefix (value, known[i].start))
        return pmt_family_by_id (known[i].id);
  }
  return NULL;
}

const PmtFamily *
pmt_kind_base_of_lora (const PmtSafetensors *file)
{
  int64_t width = lora_width (file, "attn2", "to_k");

  if (width == 0)
    width = lora_width (file, "attn2", "to_v");
  if (width > 0)
    return pmt_kind_base_of_context (width);
  /* SDXL alone has two text encoders, and more than one transformer layer in a block */
  if (has (file, "lora_te2_") || has (file, "text_encoder_2.") || has (file, "_transformer_blocks_1_") || has (file, ".transformer_blocks.1."))
    return pmt_family_by_id ("sdxl");
  const PmtFamily *stated = stated_base (file);
  if (stated)
    return stated;
  if (has (file, "lora_te1_"))
    return pmt_family_by_id ("sdxl");
  width = lora_width (file, "self_attn", "q_proj");
  return width == 768 ? pmt_family_by_id ("sd1") : width == 1024 ? pmt_family_by_id ("sd2") : NULL;
}

/* ---- adapters, embeddings and others ---------------------------------------------------------------------------------- */

/* Pixels are folded into channels, 8x8 for SD 1 and 16x16 for SDXL, from one or three channels. */
const PmtFamily *
pmt_kind_base_of_adapter (const PmtSafetensors *file)
{
  const PmtSafetensor *first = find (file, "conv_in.weight", NULL, NULL);
  if (!first)
    first = find (file, "body.0.in_conv.weight", NULL, NULL);
  int64_t channels = dim (first, 1);

  if (channels == 64 || channels == 192)
    return pmt_family_by_id ("sd1");
  if (channels == 256 || channels == 768)
    return pmt_family_by_id ("sdxl");
  return channels > 0 ? pmt_family_by_id ("custom") : NULL;
}

const PmtFamily *
pmt_kind_base_of_ip_adapter (const PmtSafetensors *file)
{
  return pmt_kind_base_of_context (dim (find (file, ".to_k_ip.weight", NULL, NULL), 1));
}

const PmtFamily *
pmt_kind_base_of_embedding (const PmtSafetensors *file)
{
  if (pmt_safetensors_lookup (file, "clip_g") || pmt_safetensors_lookup (file, "text_encoders_1"))
    return pmt_family_by_id ("sdxl");
  const PmtSafetensor *t = pmt_safetensors_lookup (file, "emb_params");
  if (!t)
    t = pmt_safetensors_at (file, 0);
  int64_t width = dim (t, t ? t->rank - 1 : 0);
  /* an embedding of 1280 columns is for SDXL's second encoder */
  return width == 1280 ? pmt_family_by_id ("sdxl") : pmt_kind_base_of_context (width);
}

const PmtFamily *
pmt_kind_base_of_hypernetwork (const PmtSafetensors *file)
{
  static const int64_t contexts[] = { 768, 1024, 2048 };
  for (size_t i = 0; i < G_N_ELEMENTS (contexts); i++) {
    g_autofree char *start = g_strdup_printf ("^%d.0.", (int) contexts[i]);
    if (pmt_kind_has_sign (file, start))
      return pmt_kind_base_of_context (contexts[i]);
  }
  return NULL;
}

/* CLIP-L serves SD 1 and SDXL, so that only the others tell. */
const PmtFamily *
pmt_kind_base_of_text_encoder (const PmtSafetensors *file)
{
  int64_t width = dim (find (file, "token_embedding.weight", NULL, NULL), 1);
  return width == 1024 ? pmt_family_by_id ("sd2") : width == 1280 ? pmt_family_by_id ("sdxl") : NULL;
}
