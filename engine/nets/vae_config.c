/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config.json of an autoencoder (formats.md 1.2 and 4.1). */
#include <string.h>

#include "engine/nets/config_check.h"
#include "engine/nets/vae.h"
#include "engine/weights/config.h"

static const PmtConfigDemand demands[] = {
  { "act_fn", "silu", "swish" },
  { "down_block_types", "DownEncoderBlock2D", NULL },
  { "up_block_types", "UpDecoderBlock2D", NULL },
  { "latents_mean", NULL, NULL },
  { "latents_std", NULL, NULL },
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
                 "%s: \"scaling_factor\" is %g and should be above 0; take the file from the model's source again.", file,
                 (double) config->scaling_factor);
    return FALSE;
  }
  return TRUE;
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
  return check_numbers (config, file, error);
}

int
pmt_vae_factor (const PmtVaeConfig *config)
{
  return 1 << (config->n_levels - 1);
}
