/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/derive.h"

#include <string.h>

#include "engine/weights/config.h"

#define MAX_BLOCKS 64
#define MAX_LEVELS 16

/* ---- spellings -------------------------------------------------------------------------------------------------------- */

static gboolean
stored (const PmtSafetensors *file, const char *prefix, const char *format, ...) G_GNUC_PRINTF (3, 4);

static gboolean
stored (const PmtSafetensors *file, const char *prefix, const char *format, ...)
{
  char name[256];
  int n = g_snprintf (name, sizeof name, "%s", prefix);
  va_list args;

  va_start (args, format);
  g_vsnprintf (name + n, sizeof name - (gulong) n, format, args);
  va_end (args);
  return pmt_safetensors_lookup (file, name) != NULL;
}

/* LDM numbers the blocks of all levels through: a level is a run of layers and, but for the last, a downsampler. */
static gboolean
unet_spelling (const PmtSafetensors *file, const char *prefix, PmtSpelling *s)
{
  int layers = 1, levels = 0;

  if (stored (file, prefix, "conv_in.weight"))
    return TRUE;
  if (!stored (file, prefix, "input_blocks.0.0.weight"))
    return FALSE;
  while (layers < MAX_BLOCKS && stored (file, prefix, "input_blocks.%d.0.in_layers.0.weight", layers + 1))
    layers++;
  for (int block = 1; levels < MAX_LEVELS && stored (file, prefix, "input_blocks.%d.0.in_layers.0.weight", block); block += layers + 1)
    levels++;
  s->ldm = TRUE;
  s->layers_per_block = layers;
  s->levels = levels;
  return TRUE;
}

static gboolean
vae_spelling (const PmtSafetensors *file, const char *prefix, PmtSpelling *s)
{
  if (!stored (file, prefix, "decoder.conv_in.weight"))
    return FALSE;
  if (stored (file, prefix, "decoder.mid_block.resnets.0.conv1.weight"))
    return TRUE;
  s->ldm = TRUE;
  while (s->levels < MAX_LEVELS && stored (file, prefix, "decoder.up.%d.block.0.conv1.weight", s->levels))
    s->levels++;
  return TRUE;
}

static gboolean
text_spelling (const PmtSafetensors *file, const char *prefix, PmtSpelling *s)
{
  if (stored (file, prefix, "text_model.embeddings.token_embedding.weight")
      || stored (file, prefix, "embeddings.token_embedding.weight"))
    return TRUE;
  s->names = PMT_NAMES_OPEN_CLIP;
  return stored (file, prefix, "token_embedding.weight");
}

gboolean
pmt_derive_spelling (const PmtSafetensors *file, const char *prefix, PmtNames names, PmtSpelling *spelling)
{
  *spelling = (PmtSpelling) { .names = names };
  switch (names) {
    case PMT_NAMES_UNET:
    case PMT_NAMES_CONTROLNET:
      return unet_spelling (file, prefix, spelling);
    case PMT_NAMES_VAE:
      return vae_spelling (file, prefix, spelling);
    case PMT_NAMES_CLIP_TEXT:
    case PMT_NAMES_OPEN_CLIP:
      spelling->names = PMT_NAMES_CLIP_TEXT;
      return text_spelling (file, prefix, spelling);
    default:
      return FALSE;
  }
}

gboolean
pmt_derive_find (const PmtSafetensors *file, PmtNames names, const char **prefix, PmtSpelling *spelling)
{
  static const struct {
    PmtNames names;
    const char *prefix;
  } known[] = {
    { PMT_NAMES_UNET, "model.diffusion_model." },
    { PMT_NAMES_UNET, "" },
    { PMT_NAMES_UNET, "diffusion_model." },
    { PMT_NAMES_UNET, "unet." },
    { PMT_NAMES_CONTROLNET, "control_model." },
    { PMT_NAMES_CONTROLNET, "" },
    { PMT_NAMES_VAE, "first_stage_model." },
    { PMT_NAMES_VAE, "vae." },
    { PMT_NAMES_VAE, "" },
    { PMT_NAMES_CLIP_TEXT, "cond_stage_model.transformer." },
    { PMT_NAMES_CLIP_TEXT, "cond_stage_model.model." },
    { PMT_NAMES_CLIP_TEXT, "conditioner.embedders.0.transformer." },
    { PMT_NAMES_CLIP_TEXT, "conditioner.embedders.0.model." },
    { PMT_NAMES_CLIP_TEXT, "conditioner.embedders.1.model." },
    { PMT_NAMES_CLIP_TEXT, "" },
    { PMT_NAMES_CLIP_TEXT, "text_encoder." },
    { PMT_NAMES_CLIP_TEXT, "model." },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (known); i++)
    if (known[i].names == names && pmt_derive_spelling (file, known[i].prefix, names, spelling)) {
      *prefix = known[i].prefix;
      return TRUE;
    }
  return FALSE;
}

/* ---- shapes ----------------------------------------------------------------------------------------------------------- */

static gboolean
get (PmtWeights *weights, PmtWeightInfo *info, const char *format, ...) G_GNUC_PRINTF (3, 4);

static gboolean
get (PmtWeights *weights, PmtWeightInfo *info, const char *format, ...)
{
  char name[256];
  va_list args;

  va_start (args, format);
  g_vsnprintf (name, sizeof name, format, args);
  va_end (args);
  *info = (PmtWeightInfo) { .rank = 0 };
  return pmt_weights_lookup (weights, name, info);
}

static int
dim (const PmtWeightInfo *info, int axis)
{
  return axis < info->rank && info->dim[axis] <= G_MAXINT ? (int) info->dim[axis] : 0;
}

static int
dim_of (PmtWeights *weights, const char *name, int axis)
{
  PmtWeightInfo info;
  return get (weights, &info, "%s", name) ? dim (&info, axis) : 0;
}

/* Width of the text context, from the first cross-attention anywhere. */
static int
context_width (PmtWeights *unet)
{
  PmtWeightInfo info;
  for (int i = 0; i < MAX_LEVELS; i++)
    if (get (unet, &info, "down_blocks.%d.attentions.0.transformer_blocks.0.attn2.to_k.weight", i))
      return dim (&info, 1);
  return dim_of (unet, "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", 1);
}

gboolean
pmt_derive_traits (PmtWeights *unet, PmtUnetTraits *traits)
{
  PmtWeightInfo first;

  if (!get (unet, &first, "conv_in.weight"))
    return FALSE;
  *traits = (PmtUnetTraits) {
    .in_channels = dim (&first, 1),
    .latent_channels = dim_of (unet, "conv_out.weight", 0),
    .first_width = dim (&first, 0),
    .context_width = context_width (unet),
    .text_time = pmt_weights_has (unet, "add_embedding.linear_1.weight"),
    .mid_attention = pmt_weights_has (unet, "mid_block.attentions.0.norm.weight"),
  };
  return TRUE;
}

static void
set_ints (JsonObject *config, const char *key, const int *values, int n)
{
  JsonArray *array = json_array_new ();
  for (int i = 0; i < n; i++)
    json_array_add_int_element (array, values[i]);
  json_object_set_array_member (config, key, array);
}

static int
count_layers (PmtWeights *weights, const char *before, int block, const char *between, const char *after)
{
  PmtWeightInfo info;
  int n = 0;
  while (n < 1000 && get (weights, &info, "%s%d%s%d%s", before, block, between, n, after))
    n++;
  return n;
}

/* What a UNet and a ControlNet have in common: the way down and the middle. *levels blocks; attends says which have attention. */
static void
derive_down (PmtWeights *weights, JsonObject *config, gboolean *attends, int *levels)
{
  int widths[MAX_LEVELS], depths[MAX_LEVELS], n = 0;
  JsonArray *down = json_array_new ();
  PmtWeightInfo info;

  for (; n < MAX_LEVELS && get (weights, &info, "down_blocks.%d.resnets.0.conv2.weight", n); n++) {
    widths[n] = dim (&info, 0);
    attends[n] = get (weights, &info, "down_blocks.%d.attentions.0.norm.weight", n);
    depths[n] = count_layers (weights, "down_blocks.", n, ".attentions.0.transformer_blocks.", ".norm1.weight");
    if (!attends[n])
      depths[n] = 1; /* a number that nothing uses */
    json_array_add_string_element (down, attends[n] ? "CrossAttnDownBlock2D" : "DownBlock2D");
  }
  /* the middle is as deep as the last level says, which may have no attention of its own */
  if (n > 0 && !attends[n - 1])
    depths[n - 1] = MAX (count_layers (weights, "mid_block.attentions.", 0, ".transformer_blocks.", ".norm1.weight"), 1);
  json_object_set_array_member (config, "down_block_types", down);
  json_object_set_int_member (config, "in_channels", dim_of (weights, "conv_in.weight", 1));
  json_object_set_int_member (config, "layers_per_block", count_layers (weights, "down_blocks.", 0, ".resnets.", ".norm1.weight"));
  set_ints (config, "block_out_channels", widths, n);
  set_ints (config, "transformer_layers_per_block", depths, n);
  if (!get (weights, &info, "mid_block.attentions.0.proj_in.weight"))
    for (int i = 0; i < n; i++)
      if (get (weights, &info, "down_blocks.%d.attentions.0.proj_in.weight", i))
        break;
  json_object_set_boolean_member (config, "use_linear_projection", info.rank == 2);
  if (context_width (weights) > 0)
    json_object_set_int_member (config, "cross_attention_dim", context_width (weights));
  if (get (weights, &info, "add_embedding.linear_1.weight")) {
    json_object_set_string_member (config, "addition_embed_type", "text_time");
    json_object_set_int_member (config, "addition_time_embed_dim", 256);
    json_object_set_int_member (config, "projection_class_embeddings_input_dim", dim (&info, 1));
  }
  *levels = n;
}

JsonObject *
pmt_derive_unet (PmtWeights *unet, const PmtFamily *family)
{
  JsonObject *config = pmt_config_from_text (family->unet_config, pmt_weights_label (unet));
  JsonArray *up = json_array_new ();
  gboolean attends[MAX_LEVELS];
  PmtWeightInfo info;
  int levels;

  derive_down (unet, config, attends, &levels);
  for (int i = levels - 1; i >= 0; i--)
    json_array_add_string_element (up, attends[i] ? "CrossAttnUpBlock2D" : "UpBlock2D");
  json_object_set_array_member (config, "up_block_types", up);
  json_object_set_int_member (config, "out_channels", dim_of (unet, "conv_out.weight", 0));
  if (get (unet, &info, "time_embedding.cond_proj.weight"))
    json_object_set_int_member (config, "time_cond_proj_dim", dim (&info, 1));
  if (pmt_weights_has (unet, "mid_block.attentions.0.transformer_blocks.0.fuser.alpha_attn"))
    json_object_set_string_member (config, "attention_type", "gated");
  return config;
}

JsonObject *
pmt_derive_controlnet (PmtWeights *net, const PmtFamily *family)
{
  static const char *const foreign[] = { "out_channels", "up_block_types", "sample_size", "time_cond_proj_dim" };
  JsonObject *config = pmt_config_from_text (family->unet_config, pmt_weights_label (net));
  gboolean attends[MAX_LEVELS];
  PmtWeightInfo info;
  int levels, widths[MAX_LEVELS + 1], n = 0;

  for (size_t i = 0; i < G_N_ELEMENTS (foreign); i++)
    json_object_remove_member (config, foreign[i]);
  json_object_set_string_member (config, "_class_name", "ControlNetModel");
  derive_down (net, config, attends, &levels);
  json_object_set_string_member (config, "mid_block_type",
                                 pmt_weights_has (net, "mid_block.attentions.0.norm.weight") ? "UNetMidBlock2DCrossAttn" : "UNetMidBlock2D");
  if (get (net, &info, "controlnet_cond_embedding.conv_in.weight")) {
    json_object_set_int_member (config, "conditioning_channels", dim (&info, 1));
    widths[n++] = dim (&info, 0);
  }
  /* pairs: one keeps the width, the next widens */
  for (int i = 1; n <= MAX_LEVELS && get (net, &info, "controlnet_cond_embedding.blocks.%d.weight", i); i += 2)
    widths[n++] = dim (&info, 0);
  set_ints (config, "conditioning_embedding_out_channels", widths, n);
  return config;
}

JsonObject *
pmt_derive_vae (PmtWeights *vae, const PmtFamily *family)
{
  JsonObject *config = pmt_config_from_text (family->vae_config, pmt_weights_label (vae));
  int widths[MAX_LEVELS], levels = 0;
  PmtWeightInfo info;

  for (; levels < MAX_LEVELS && get (vae, &info, "encoder.down_blocks.%d.resnets.0.conv2.weight", levels); levels++)
    widths[levels] = dim (&info, 0);
  set_ints (config, "block_out_channels", widths, levels);
  json_object_set_int_member (config, "layers_per_block", count_layers (vae, "encoder.down_blocks.", 0, ".resnets.", ".conv1.weight"));
  json_object_set_int_member (config, "latent_channels", dim_of (vae, "decoder.conv_in.weight", 1));
  json_object_set_boolean_member (config, "use_quant_conv", pmt_weights_has (vae, "quant_conv.weight"));
  json_object_set_boolean_member (config, "use_post_quant_conv", pmt_weights_has (vae, "post_quant_conv.weight"));
  json_object_set_boolean_member (config, "mid_block_add_attention", pmt_weights_has (vae, "decoder.mid_block.attentions.0.to_q.weight"));
  return config;
}

JsonObject *
pmt_derive_text (PmtWeights *text, const char *base, gboolean drop_last)
{
  static const char layers[] = "text_model.encoder.layers.";
  JsonObject *config = pmt_config_from_text (base, pmt_weights_label (text));
  PmtWeightInfo info;
  int n = 0;

  while (n < 1000 && get (text, &info, "%s%d.layer_norm1.weight", layers, n))
    n++;
  if (get (text, &info, "text_model.embeddings.token_embedding.weight")) {
    json_object_set_int_member (config, "vocab_size", dim (&info, 0));
    json_object_set_int_member (config, "hidden_size", dim (&info, 1));
    json_object_set_int_member (config, "num_attention_heads", MAX (dim (&info, 1) / 64, 1)); /* CLIP's head width */
  }
  json_object_set_int_member (config, "num_hidden_layers", drop_last ? MAX (n - 1, 1) : n);
  json_object_set_int_member (config, "intermediate_size", dim_of (text, "text_model.encoder.layers.0.mlp.fc1.weight", 0));
  json_object_set_int_member (config, "max_position_embeddings", dim_of (text, "text_model.embeddings.position_embedding.weight", 0));
  if (json_object_has_member (config, "projection_dim") && get (text, &info, "text_projection.weight"))
    json_object_set_int_member (config, "projection_dim", dim (&info, 0));
  return config;
}
