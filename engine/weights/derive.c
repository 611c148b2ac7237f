/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/derive.h"

#include <string.h>

#include "engine/weights/config.h"

#define MAX_BLOCKS 64

typedef struct View {
  const PmtSafetensors *file;
  const char *prefix;
} View;

static const PmtSafetensor *
get (const View *v, const char *format, ...) G_GNUC_PRINTF (2, 3);

static const PmtSafetensor *
get (const View *v, const char *format, ...)
{
  char name[256];
  int n = g_snprintf (name, sizeof name, "%s", v->prefix);
  va_list args;

  va_start (args, format);
  g_vsnprintf (name + n, sizeof name - (gulong) n, format, args);
  va_end (args);
  return pmt_safetensors_lookup (v->file, name);
}

static int
dim (const PmtSafetensor *t, int axis)
{
  return t && axis < t->rank && t->dim[axis] <= G_MAXINT ? (int) t->dim[axis] : 0;
}

/* "attn2.to_k" of the first transformer block anywhere in the network. */
static const PmtSafetensor *
first_cross_attention (const View *v)
{
  const PmtSafetensor *t;
  for (int b = 1; b < MAX_BLOCKS; b++)
    if ((t = get (v, "input_blocks.%d.1.transformer_blocks.0.attn2.to_k.weight", b)))
      return t;
  return get (v, "middle_block.1.transformer_blocks.0.attn2.to_k.weight");
}

gboolean
pmt_derive_traits (const PmtSafetensors *file, const char *prefix, PmtUnetTraits *traits)
{
  const View v = { file, prefix };
  const PmtSafetensor *first = get (&v, "input_blocks.0.0.weight");

  if (!first)
    return FALSE;
  *traits = (PmtUnetTraits) {
    .in_channels = dim (first, 1),
    .latent_channels = dim (get (&v, "out.2.weight"), 0),
    .first_width = dim (first, 0),
    .context_width = dim (first_cross_attention (&v), 1),
    .text_time = get (&v, "label_emb.0.0.weight") != NULL,
    .mid_attention = get (&v, "middle_block.1.norm.weight") != NULL,
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
count_transformers (const View *v, int block)
{
  int n = 0;
  while (n < 100 && get (v, "input_blocks.%d.1.transformer_blocks.%d.norm1.weight", block, n))
    n++;
  return n;
}

JsonObject *
pmt_derive_unet (const PmtSafetensors *file, const char *prefix, const PmtFamily *family)
{
  const View v = { file, prefix };
  PmtUnetTraits traits;
  int widths[16], depths[16], layers = 1, levels = 0;

  if (!pmt_derive_traits (file, prefix, &traits))
    return NULL;
  while (layers < MAX_BLOCKS && get (&v, "input_blocks.%d.0.in_layers.0.weight", layers + 1))
    layers++;

  JsonArray *down = json_array_new (), *up = json_array_new ();
  gboolean attends[16];
  for (int block = 1; levels < 16 && get (&v, "input_blocks.%d.0.in_layers.0.weight", block); block += layers + 1, levels++) {
    widths[levels] = dim (get (&v, "input_blocks.%d.0.out_layers.3.weight", block), 0);
    depths[levels] = count_transformers (&v, block);
    attends[levels] = depths[levels] > 0;
    depths[levels] = MAX (depths[levels], 1);
    json_array_add_string_element (down, attends[levels] ? "CrossAttnDownBlock2D" : "DownBlock2D");
  }
  for (int i = levels - 1; i >= 0; i--)
    json_array_add_string_element (up, attends[i] ? "CrossAttnUpBlock2D" : "UpBlock2D");

  JsonObject *config = pmt_config_from_text (family->unet_config, pmt_safetensors_path (file));
  json_object_set_array_member (config, "down_block_types", down);
  json_object_set_array_member (config, "up_block_types", up);
  json_object_set_int_member (config, "in_channels", traits.in_channels);
  json_object_set_int_member (config, "out_channels", traits.latent_channels);
  json_object_set_int_member (config, "cross_attention_dim", traits.context_width);
  json_object_set_int_member (config, "layers_per_block", layers);
  set_ints (config, "block_out_channels", widths, levels);
  set_ints (config, "transformer_layers_per_block", depths, levels);
  const PmtSafetensor *proj = get (&v, "middle_block.1.proj_in.weight");
  json_object_set_boolean_member (config, "use_linear_projection", proj && proj->rank == 2);
  return config;
}

JsonObject *
pmt_derive_vae (const PmtSafetensors *file, const char *prefix, const PmtFamily *family)
{
  const View v = { file, prefix };
  int widths[16], levels = 0, layers = 0;

  if (!get (&v, "decoder.conv_in.weight"))
    return NULL;
  while (levels < 16 && get (&v, "encoder.down.%d.block.0.conv1.weight", levels)) {
    widths[levels] = dim (get (&v, "encoder.down.%d.block.0.conv2.weight", levels), 0);
    levels++;
  }
  while (layers < MAX_BLOCKS && get (&v, "encoder.down.0.block.%d.conv1.weight", layers))
    layers++;

  JsonObject *config = pmt_config_from_text (family->vae_config, pmt_safetensors_path (file));
  set_ints (config, "block_out_channels", widths, levels);
  json_object_set_int_member (config, "layers_per_block", layers);
  json_object_set_int_member (config, "latent_channels", dim (get (&v, "decoder.conv_in.weight"), 1));
  json_object_set_boolean_member (config, "use_quant_conv", get (&v, "quant_conv.weight") != NULL);
  json_object_set_boolean_member (config, "use_post_quant_conv", get (&v, "post_quant_conv.weight") != NULL);
  json_object_set_boolean_member (config, "mid_block_add_attention", get (&v, "decoder.mid.attn_1.q.weight") != NULL);
  return config;
}

JsonObject *
pmt_derive_text (const PmtSafetensors *file, const char *prefix, const PmtFamily *family)
{
  g_autofree char *outer = g_strconcat (prefix, "text_model.", NULL);
  View v = { file, outer };
  int layers = 0;

  if (!get (&v, "embeddings.token_embedding.weight"))
    v.prefix = prefix; /* merged checkpoints that dropped the outer name */
  const PmtSafetensor *tokens = get (&v, "embeddings.token_embedding.weight");
  if (!tokens)
    return NULL;
  while (layers < 1000 && get (&v, "encoder.layers.%d.layer_norm1.weight", layers))
    layers++;

  JsonObject *config = pmt_config_from_text (family->text_config, pmt_safetensors_path (file));
  json_object_set_int_member (config, "vocab_size", dim (tokens, 0));
  json_object_set_int_member (config, "hidden_size", dim (tokens, 1));
  json_object_set_int_member (config, "num_attention_heads", MAX (dim (tokens, 1) / 64, 1)); /* CLIP's head width */
  json_object_set_int_member (config, "num_hidden_layers", layers);
  json_object_set_int_member (config, "intermediate_size", dim (get (&v, "encoder.layers.0.mlp.fc1.weight"), 0));
  json_object_set_int_member (config, "max_position_embeddings", dim (get (&v, "embeddings.position_embedding.weight"), 0));
  return config;
}
