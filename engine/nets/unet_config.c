/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config.json of a UNet: what it may say, and what this build understands of it (formats.md 1.2). */
#include <string.h>

#include "engine/nets/config_check.h"
#include "engine/nets/unet.h"
#include "engine/weights/config.h"

/* Keys whose other values change the network in ways that are not built here. */
static const PmtConfigDemand demands[] = {
  { "act_fn", "silu", "swish" },
  { "addition_embed_type", NULL, "text_time" },
  { "attention_type", "default", "gated" },
  { "center_input_sample", "false", NULL },
  { "class_embed_type", NULL, NULL },
  { "class_embeddings_concat", "false", NULL },
  { "conv_in_kernel", "3", NULL },
  { "conv_out_kernel", "3", NULL },
  { "cross_attention_norm", NULL, NULL },
  { "downsample_padding", "1", NULL },
  { "dual_cross_attention", "false", NULL },
  { "encoder_hid_dim", NULL, NULL },
  { "encoder_hid_dim_type", NULL, NULL },
  { "mid_block_only_cross_attention", "false", NULL },
  { "mid_block_scale_factor", "1", NULL },
  { "mid_block_type", "UNetMidBlock2DCrossAttn", NULL },
  { "num_attention_heads", NULL, NULL },
  { "num_class_embeds", NULL, NULL },
  { "only_cross_attention", "false", NULL },
  { "resnet_out_scale_factor", "1", NULL },
  { "resnet_skip_time_act", "false", NULL },
  { "resnet_time_scale_shift", "default", NULL },
  { "reverse_transformer_layers_per_block", NULL, NULL },
  { "time_embedding_act_fn", NULL, NULL },
  { "time_embedding_dim", NULL, NULL },
  { "time_embedding_type", "positional", NULL },
  { "timestep_post_act", NULL, NULL },
};

/* Reads a list of block types: which of the levels have attention. The list must have n_levels entries. */
static gboolean
read_block_types (JsonObject *object, const char *file, const char *key, const char *with, const char *without,
                  const char *const *fallback, int n_levels, bool *has_attention, GError **error)
{
  g_auto (GStrv) types = NULL;
  if (!pmt_config_strings (object, key, fallback, &types, error))
    return FALSE;
  if ((int) g_strv_length (types) != n_levels) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                 _("%s: %s lists %u blocks where block_out_channels lists %d; take the file from the model's source again."), file,
                 key, g_strv_length (types), n_levels);
    return FALSE;
  }
  for (int i = 0; i < n_levels; i++) {
    has_attention[i] = g_str_equal (types[i], with);
    if (!has_attention[i] && !g_str_equal (types[i], without)) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                   _("%s: %s has a block of type \"%s\", which this version cannot run; choose a Stable Diffusion 1.x or 2.x model."),
                   file, key, types[i]);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
read_levels (JsonObject *object, const char *file, PmtUnetConfig *config, GError **error)
{
  static const int default_channels[] = { 320, 640, 1280, 1280 };
  static const char *const default_down[] = { "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
                                              "DownBlock2D", NULL };
  static const char *const default_up[] = { "UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", NULL };
  static const int default_depth[] = { 1 }, default_heads[] = { 8 }, default_layers[] = { 2 };
  int layers[PMT_UNET_MAX_LEVELS], n;

  config->n_levels = 0;
  if (!pmt_config_ints (object, "block_out_channels", default_channels, 4, config->block_out_channels, PMT_UNET_MAX_LEVELS,
                        &config->n_levels, error))
    return FALSE;
  if (config->n_levels < 1) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("%s: block_out_channels is empty; take the file from the model's source again."),
                 file);
    return FALSE;
  }
  if (!read_block_types (object, file, "down_block_types", "CrossAttnDownBlock2D", "DownBlock2D", default_down, config->n_levels,
                         config->down_has_attention, error)
      || !read_block_types (object, file, "up_block_types", "CrossAttnUpBlock2D", "UpBlock2D", default_up, config->n_levels,
                            config->up_has_attention, error))
    return FALSE;
  n = config->n_levels;
  if (!pmt_config_ints (object, "transformer_layers_per_block", default_depth, 1, config->transformer_layers, PMT_UNET_MAX_LEVELS,
                        &n, error)
      || !pmt_config_ints (object, "attention_head_dim", default_heads, 1, config->heads, PMT_UNET_MAX_LEVELS, &n, error)
      || !pmt_config_ints (object, "layers_per_block", default_layers, 1, layers, PMT_UNET_MAX_LEVELS, &n, error))
    return FALSE;
  config->layers_per_block = layers[0];
  for (int i = 1; i < n; i++) {
    if (layers[i] != layers[0]) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                   _("%s: layers_per_block differs between levels, which this version cannot run; choose another model."), file);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
read_conditions (JsonObject *object, const char *file, PmtUnetConfig *config, GError **error)
{
  const char *added;
  if (!pmt_config_int (object, "time_cond_proj_dim", 0, &config->time_cond_proj_dim, error)
      || (config->time_cond_proj_dim != 0 && !pmt_config_range (file, "time_cond_proj_dim", config->time_cond_proj_dim, 4, 1 << 16, error))
      || !pmt_config_string (object, "addition_embed_type", NULL, &added, error))
    return FALSE;
  if (!added)
    return TRUE;
  return pmt_config_int (object, "projection_class_embeddings_input_dim", 0, &config->added_dim, error)
         && pmt_config_int (object, "addition_time_embed_dim", 0, &config->time_id_dim, error)
         && pmt_config_range (file, "projection_class_embeddings_input_dim", config->added_dim, 1, 1 << 16, error)
         && pmt_config_range (file, "addition_time_embed_dim", config->time_id_dim, 2, 1 << 16, error);
}

static gboolean
check_numbers (const PmtUnetConfig *config, const char *file, GError **error)
{
  if (!pmt_config_range (file, "in_channels", config->in_channels, 1, 64, error)
      || !pmt_config_range (file, "out_channels", config->out_channels, 1, 64, error)
      || !pmt_config_range (file, "layers_per_block", config->layers_per_block, 1, 16, error)
      || !pmt_config_range (file, "cross_attention_dim", config->cross_attention_dim, 1, 1 << 16, error)
      || !pmt_config_range (file, "norm_num_groups", config->norm_groups, 1, 1 << 12, error)
      || !pmt_config_widths (file, config->block_out_channels, config->n_levels, config->norm_groups, error))
    return FALSE;
  if (config->block_out_channels[0] % 2) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("%s: the first of block_out_channels is odd (%d), which this version cannot run; choose another model."), file,
                 config->block_out_channels[0]);
    return FALSE;
  }
  for (int i = 0; i < config->n_levels; i++) {
    bool attention = config->down_has_attention[i] || config->up_has_attention[config->n_levels - 1 - i] || i == config->n_levels - 1;
    if (!pmt_config_range (file, "transformer_layers_per_block", config->transformer_layers[i], 0, 64, error)
        || !pmt_config_range (file, "attention_head_dim", config->heads[i], 1, 1 << 12, error))
      return FALSE;
    if (attention && config->block_out_channels[i] % config->heads[i]) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                   _("%s: %d channels cannot be shared by %d attention heads (attention_head_dim); take the file from the model's "
                     "source again."),
                   file, config->block_out_channels[i], config->heads[i]);
      return FALSE;
    }
  }
  return TRUE;
}

gboolean
pmt_unet_config_parse (JsonObject *object, const char *file, PmtUnetConfig *config, GError **error)
{
  static const int default_context[] = { 1280 };
  int context[PMT_UNET_MAX_LEVELS], n_context = 0;
  gboolean linear, flip;
  double eps, shift;

  memset (config, 0, sizeof *config);
  if (json_object_has_member (object, "mid_block_type") && json_object_get_null_member (object, "mid_block_type")) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("%s: the network has no middle block (mid_block_type is null), which this version cannot run; choose another model."),
                 file);
    return FALSE;
  }
  if (!pmt_config_demand (object, file, demands, G_N_ELEMENTS (demands), error)
      || !pmt_config_int (object, "in_channels", 4, &config->in_channels, error)
      || !pmt_config_int (object, "out_channels", 4, &config->out_channels, error)
      || !read_levels (object, file, config, error)
      || !pmt_config_ints (object, "cross_attention_dim", default_context, 1, context, PMT_UNET_MAX_LEVELS, &n_context, error)
      || !pmt_config_int (object, "norm_num_groups", 32, &config->norm_groups, error)
      || !pmt_config_double (object, "norm_eps", 1e-5, &eps, error)
      || !pmt_config_bool (object, "use_linear_projection", FALSE, &linear, error)
      || !pmt_config_bool (object, "flip_sin_to_cos", TRUE, &flip, error)
      || !pmt_config_double (object, "freq_shift", 0.0, &shift, error) || !read_conditions (object, file, config, error))
    return FALSE;
  config->cross_attention_dim = n_context > 0 ? context[0] : 0;
  for (int i = 1; i < n_context; i++) {
    if (context[i] != context[0]) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                   _("%s: cross_attention_dim differs between levels, which this version cannot run; choose another model."), file);
      return FALSE;
    }
  }
  if (pmt_config_has (object, "attention_type")) {
    const char *attention = NULL;
    if (!pmt_config_string (object, "attention_type", NULL, &attention, error))
      return FALSE;
    config->gated = g_strcmp0 (attention, "gated") == 0;
  }
  config->norm_eps = (float) eps;
  config->linear_projection = linear;
  config->flip_sin_to_cos = flip;
  config->freq_shift = (float) shift;
  return check_numbers (config, file, error);
}
