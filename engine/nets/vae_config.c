/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config.json of an autoencoder (formats.md 1.2 and 4.1). */
#include <math.h>
#include <string.h>

#include "engine/nets/config_check.h"
#include "engine/nets/vae.h"
#include "engine/weights/config.h"

static const PmtConfigDemand demands[] = {
  { "act_fn", "silu", "swish" },
  { "down_block_types", "DownEncoderBlock2D", NULL },
  { "up_block_types", "UpDecoderBlock2D", NULL },
};

static gboolean
check_numbers (const PmtVaeConfig *config, const char *file, GError **error)
{
  if (!pmt_config_range (file, "in_channels", config->in_channels, 1, 64, error)
      || !pmt_config_range (file, "out_channels", config->out_channels, 1, 64, error)
      || !pmt_config_range (file, "latent_channels", config->latent_channels, 1, 64, error)
      || !pmt_config_range (file, "block_out_channels", config->n_levels, 1, PMT_VAE_MAX_LEVELS, error)
      || !pmt_config_range (file, "layers_per_block", config->layers_per_block, 1, 16, error)
      || !pmt_config_range (file, "sample_size", config->sample_size, 1, 1 << 16, error)
      || !pmt_config_range (file, "norm_num_groups", config->norm_groups, 1, 1 << 12, error)
      || !pmt_config_widths (file, config->block_out_channels, config->n_levels, config->norm_groups, error))
    return FALSE;
  if (!(config->scaling_factor > 0.0f)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                 _("%s: \"scaling_factor\" is %g and should be above 0; take the file from the model's source again."), file,
                 (double) config->scaling_factor);
    return FALSE;
  }
  return TRUE;
}

/* A list of one number per latent channel; `value` keeps what it holds where the key is absent or null. */
static gboolean
read_by_channel (JsonObject *object, const char *file, const char *key, int channels, float *value, bool *found, GError **error)
{
  if (!pmt_config_has (object, key))
    return TRUE;
  JsonNode *node = json_object_get_member (object, key);
  JsonArray *list = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  gboolean good = list && json_array_get_length (list) == (guint) channels;
  for (int i = 0; good && i < channels; i++) {
    JsonNode *entry = json_array_get_element (list, (guint) i);
    const double number = JSON_NODE_HOLDS_VALUE (entry) && json_node_get_value_type (entry) != G_TYPE_STRING
                            ? json_node_get_double (entry) : NAN;
    value[i] = (float) number;
    good = isfinite (value[i]) && fabsf (value[i]) < 1e6f;
  }
  *found = true;
  if (!good)
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                 _("%s: \"%s\" has to be a list of %d numbers, one for each of the latent_channels; take the file from the model's source "
                   "again."),
                 file, key, channels);
  return good;
}

static gboolean
read_mean_std (JsonObject *object, const char *file, PmtVaeConfig *config, GError **error)
{
  bool mean = false, std = false;
  for (int i = 0; i < PMT_VAE_MAX_LATENTS; i++)
    config->std[i] = 1.0f;
  if (!read_by_channel (object, file, "latents_mean", config->latent_channels, config->mean, &mean, error)
      || !read_by_channel (object, file, "latents_std", config->latent_channels, config->std, &std, error))
    return FALSE;
  config->has_mean_std = mean || std;
  bool positive = mean == std; /* the reference uses them together or not at all */
  for (int i = 0; i < config->latent_channels; i++)
    positive = positive && config->std[i] > 0.0f;
  if (!positive)
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                 _("%s: \"latents_mean\" and \"latents_std\" belong together and the second has to be above 0; take the file from the model's "
                   "source again."),
                 file);
  return positive;
}

gboolean
pmt_vae_config_parse (JsonObject *object, const char *file, PmtVaeConfig *config, GError **error)
{
  static const int default_channels[] = { 64 };
  gboolean attention, quant, post_quant;
  double scaling, shift;

  memset (config, 0, sizeof *config);
  if (!pmt_config_demand (object, file, demands, G_N_ELEMENTS (demands), error)
      || !pmt_config_int (object, "in_channels", 3, &config->in_channels, error)
      || !pmt_config_int (object, "out_channels", 3, &config->out_channels, error)
      || !pmt_config_int (object, "latent_channels", 4, &config->latent_channels, error)
      || !pmt_config_ints (object, "block_out_channels", default_channels, 1, config->block_out_channels, PMT_VAE_MAX_LEVELS,
                           &config->n_levels, error)
      || !pmt_config_int (object, "layers_per_block", 1, &config->layers_per_block, error)
      || !pmt_config_int (object, "norm_num_groups", 32, &config->norm_groups, error)
      || !pmt_config_int (object, "sample_size", 32, &config->sample_size, error)
      || !pmt_config_bool (object, "mid_block_add_attention", TRUE, &attention, error)
      || !pmt_config_bool (object, "use_quant_conv", TRUE, &quant, error)
      || !pmt_config_bool (object, "use_post_quant_conv", TRUE, &post_quant, error)
      || !pmt_config_double (object, "scaling_factor", 0.18215, &scaling, error)
      || !pmt_config_double (object, "shift_factor", 0.0, &shift, error))
    return FALSE;
  config->mid_attention = attention;
  config->quant_conv = quant;
  config->post_quant_conv = post_quant;
  config->scaling_factor = (float) scaling;
  config->shift_factor = (float) shift;
  return check_numbers (config, file, error) && read_mean_std (object, file, config, error);
}

int
pmt_vae_factor (const PmtVaeConfig *config)
{
  return 1 << (config->n_levels - 1);
}
