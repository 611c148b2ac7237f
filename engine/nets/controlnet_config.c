/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a ControlNet is built like: from its config.json, or from its tensors (formats.md 7.5). */
#include <string.h>

#include "engine/nets/config_check.h"
#include "engine/nets/controlnet.h"
#include "engine/weights/config.h"

#define MID_KEY "mid_block_type"
#define PLAIN_MID "UNetMidBlock2D"

/* ---- config.json ------------------------------------------------------------------------------------------------------ */

/* A ControlNet's config is its UNet's without the way up, which the UNet's reader wants to see: one that mirrors the way down. */
static JsonObject *
with_way_up (JsonObject *object, bool plain)
{
  JsonObject *copy = json_object_new ();
  g_autoptr (GList) keys = json_object_get_members (object);
  for (GList *key = keys; key; key = key->next)
    if (!plain || strcmp (key->data, MID_KEY) != 0)
      json_object_set_member (copy, key->data, json_node_copy (json_object_get_member (object, key->data)));
  JsonNode *down = json_object_get_member (object, "down_block_types");
  if (!down || !JSON_NODE_HOLDS_ARRAY (down))
    return copy;
  JsonArray *types = json_node_get_array (down), *up = json_array_new ();
  for (guint i = json_array_get_length (types); i-- > 0;) {
    JsonNode *node = json_array_get_element (types, i);
    const char *type = JSON_NODE_HOLDS_VALUE (node) ? json_node_get_string (node) : NULL;
    json_array_add_string_element (up, g_strcmp0 (type, "DownBlock2D") == 0 ? "UpBlock2D" : "CrossAttnUpBlock2D");
  }
  json_object_set_array_member (copy, "up_block_types", up);
  return copy;
}

static gboolean
check_hints (const PmtControlNetConfig *config, const char *file, GError **error)
{
  if (!pmt_config_range (file, "conditioning_channels", config->hint_channels, 1, 64, error)
      || !pmt_config_range (file, "conditioning_embedding_out_channels", config->n_hint_widths, 1, PMT_CONTROLNET_MAX_HINTS, error))
    return FALSE;
  for (int i = 0; i < config->n_hint_widths; i++)
    if (!pmt_config_range (file, "conditioning_embedding_out_channels", config->hint_widths[i], 1, 1 << 14, error))
      return FALSE;
  return TRUE;
}

gboolean
pmt_controlnet_config_parse (JsonObject *object, const char *file, PmtControlNetConfig *config, GError **error)
{
  static const int default_hints[] = { 16, 32, 96, 256 };
  const PmtConfigDemand order = { "controlnet_conditioning_channel_order", "rgb", "bgr" };
  const char *mid, *channels;
  gboolean pool;

  memset (config, 0, sizeof *config);
  if (!pmt_config_string (object, MID_KEY, "UNetMidBlock2DCrossAttn", &mid, error)
      || !pmt_config_demand (object, file, &order, 1, error)
      || !pmt_config_string (object, order.key, "rgb", &channels, error)
      || !pmt_config_bool (object, "global_pool_conditions", FALSE, &pool, error)
      || !pmt_config_int (object, "conditioning_channels", 3, &config->hint_channels, error)
      || !pmt_config_ints (object, "conditioning_embedding_out_channels", default_hints, 4, config->hint_widths,
                           PMT_CONTROLNET_MAX_HINTS, &config->n_hint_widths, error)
      || !check_hints (config, file, error))
    return FALSE;
  const bool plain = strcmp (mid, PLAIN_MID) == 0;
  g_autoptr (JsonObject) unet = with_way_up (object, plain);
  if (!pmt_unet_config_parse (unet, file, &config->unet, error))
    return FALSE;
  config->unet.mid_plain = plain;
  config->bgr = strcmp (channels, "bgr") == 0;
  config->global_pool = pool;
  config->pool_stated = true;
  return TRUE;
}

/* ---- shapes ----------------------------------------------------------------------------------------------------------- */

static int
dim (PmtWeights *weights, int axis, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* A dimension of the tensor of that name; 0 without such a tensor. */
static int
dim (PmtWeights *weights, int axis, const char *format, ...)
{
  PmtWeightInfo info;
  va_list args;
  va_start (args, format);
  g_autofree char *name = g_strdup_vprintf (format, args);
  va_end (args);
  if (!pmt_weights_lookup (weights, name, &info) || axis >= info.rank || info.dim[axis] < 1 || info.dim[axis] > 1 << 20)
    return 0;
  return (int) info.dim[axis];
}

static gboolean
refuse (PmtWeights *weights, const char *what, GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
               _("'%s' has %s, so it is no ControlNet that this version knows; get a fresh copy of it, or one with a config.json."),
               pmt_weights_label (weights), what);
  return FALSE;
}

/* The levels of the way down: widths, layers, attention and its depth. */
static gboolean
derive_levels (PmtWeights *weights, PmtUnetConfig *unet, GError **error)
{
  unet->n_levels = unet->layers_per_block = unet->cross_attention_dim = 0;
  while (dim (weights, 0, "down_blocks.0.resnets.%d.conv1.weight", unet->layers_per_block) && unet->layers_per_block < 16)
    unet->layers_per_block++;
  for (int i = 0; i < PMT_UNET_MAX_LEVELS; i++) {
    const int width = dim (weights, 0, "down_blocks.%d.resnets.0.conv1.weight", i);
    if (!width)
      break;
    unet->block_out_channels[i] = width;
    unet->down_has_attention[i] = dim (weights, 0, "down_blocks.%d.attentions.0.norm.weight", i) > 0;
    int depth = 0;
    while (depth < 64 && dim (weights, 0, "down_blocks.%d.attentions.0.transformer_blocks.%d.norm1.weight", i, depth))
      depth++;
    unet->transformer_layers[i] = depth;
    if (depth)
      unet->cross_attention_dim = dim (weights, 1, "down_blocks.%d.attentions.0.transformer_blocks.0.attn2.to_k.weight", i);
    unet->n_levels++;
  }
  return unet->n_levels > 0 || refuse (weights, "no tensor down_blocks.0.resnets.0.conv1.weight", error);
}

static void
derive_mid (PmtWeights *weights, const PmtUnetConfig *base, PmtUnetConfig *unet)
{
  const int last = unet->n_levels - 1;
  unet->mid_plain = !dim (weights, 0, "mid_block.attentions.0.norm.weight");
  if (!unet->down_has_attention[last]) { /* the middle's own depth then stands for the level's */
    int depth = 0;
    while (depth < 64 && dim (weights, 0, "mid_block.attentions.0.transformer_blocks.%d.norm1.weight", depth))
      depth++;
    unet->transformer_layers[last] = depth;
  }
  if (!unet->cross_attention_dim)
    unet->cross_attention_dim = dim (weights, 1, "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight");
  if (!unet->cross_attention_dim) /* without any attention no text is looked at */
    unet->cross_attention_dim = base->cross_attention_dim;
}

/* Heads are a matter of the family: those of the base where it has as many levels; otherwise its first number for all. */
static gboolean
derive_heads (PmtWeights *weights, const PmtUnetConfig *base, PmtUnetConfig *unet, GError **error)
{
  for (int i = 0; i < unet->n_levels; i++) {
    unet->heads[i] = i < base->n_levels ? base->heads[i] : base->heads[0];
    if (unet->block_out_channels[i] % unet->norm_groups)
      return refuse (weights, "widths that the model's norm groups do not divide", error);
    if (unet->block_out_channels[i] % unet->heads[i])
      return refuse (weights, "widths that the model's attention heads do not divide", error);
  }
  return TRUE;
}

gboolean
pmt_controlnet_config_derive (PmtWeights *weights, const PmtUnetConfig *base, PmtControlNetConfig *config, GError **error)
{
  PmtUnetConfig *unet = &config->unet;
  memset (config, 0, sizeof *config);
  *unet = *base;
  unet->time_cond_proj_dim = 0;
  unet->in_channels = dim (weights, 1, "conv_in.weight");
  unet->added_dim = dim (weights, 1, "add_embedding.linear_1.weight");
  if (!unet->in_channels)
    return refuse (weights, "no tensor conv_in.weight", error);
  if (unet->added_dim && !unet->time_id_dim)
    unet->time_id_dim = 256; /* SDXL's; of use only with such a base */
  if (!derive_levels (weights, unet, error) || !derive_heads (weights, base, unet, error))
    return FALSE;
  derive_mid (weights, base, unet);

  const char *prefix = "controlnet_cond_embedding";
  config->hint_channels = dim (weights, 1, "%s.conv_in.weight", prefix);
  config->hint_widths[0] = dim (weights, 0, "%s.conv_in.weight", prefix);
  if (!config->hint_channels)
    return refuse (weights, "no tensor controlnet_cond_embedding.conv_in.weight", error);
  config->n_hint_widths = 1;
  while (config->n_hint_widths < PMT_CONTROLNET_MAX_HINTS) {
    const int width = dim (weights, 0, "%s.blocks.%d.weight", prefix, 2 * config->n_hint_widths - 1);
    if (!width)
      break;
    config->hint_widths[config->n_hint_widths++] = width;
  }
  return TRUE;
}
