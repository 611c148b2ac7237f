/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a T2I-Adapter is built like: from its config.json, or from its tensors (formats.md 7.6). */
#include <string.h>

#include "engine/nets/config_check.h"
#include "engine/nets/t2i_adapter.h"
#include "engine/weights/config.h"

static const struct {
  const char *name;
  PmtT2iType type;
} types[] = {
  { "full_adapter", PMT_T2I_FULL },
  { "full_adapter_xl", PMT_T2I_FULL_XL },
  { "light_adapter", PMT_T2I_LIGHT },
};

static gboolean
check_numbers (const PmtT2iConfig *config, const char *file, GError **error)
{
  if (!pmt_config_range (file, "in_channels", config->in_channels, 1, 64, error)
      || !pmt_config_range (file, "channels", config->n_blocks, 1, PMT_T2I_MAX_BLOCKS, error)
      || !pmt_config_range (file, "num_res_blocks", config->n_resnets, 1, 16, error)
      || !pmt_config_range (file, "downscale_factor", config->downscale, 1, 64, error))
    return FALSE;
  for (int i = 0; i < config->n_blocks; i++)
    if (!pmt_config_range (file, "channels", config->channels[i], config->type == PMT_T2I_LIGHT ? 4 : 1, 1 << 16, error))
      return FALSE;
  return TRUE;
}

gboolean
pmt_t2i_config_parse (JsonObject *object, const char *file, PmtT2iConfig *config, GError **error)
{
  static const int default_channels[] = { 320, 640, 1280, 1280 };
  const char *type;
  memset (config, 0, sizeof *config);
  if (!pmt_config_string (object, "adapter_type", "full_adapter", &type, error)
      || !pmt_config_int (object, "in_channels", 3, &config->in_channels, error)
      || !pmt_config_ints (object, "channels", default_channels, 4, config->channels, PMT_T2I_MAX_BLOCKS - 1, &config->n_blocks, error)
      || !pmt_config_int (object, "num_res_blocks", 2, &config->n_resnets, error)
      || !pmt_config_int (object, "downscale_factor", 8, &config->downscale, error))
    return FALSE;
  size_t k = 0;
  while (k < G_N_ELEMENTS (types) && strcmp (types[k].name, type) != 0)
    k++;
  if (k == G_N_ELEMENTS (types)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("%s: adapter_type is \"%s\", which this version cannot run; choose an adapter of type full_adapter, full_adapter_xl or "
                   "light_adapter."), file, type);
    return FALSE;
  }
  config->type = types[k].type;
  if (config->n_blocks < 1)
    return pmt_config_range (file, "channels", 0, 1, PMT_T2I_MAX_BLOCKS, error);
  if (config->type == PMT_T2I_LIGHT) { /* the last width stands for two blocks there */
    config->channels[config->n_blocks] = config->channels[config->n_blocks - 1];
    config->n_blocks++;
  }
  return check_numbers (config, file, error);
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

/* How many tensors there are of a name with one number in it. */
static int
count (PmtWeights *weights, const char *before, const char *after)
{
  int n = 0;
  while (n < 256 && dim (weights, 0, "%s%d%s", before, n, after))
    n++;
  return n;
}

/* A picture has one or three channels, and a block of 8 x 8 pixels for Stable Diffusion 1.x and 2.x or of 16 x 16 for SDXL. */
static gboolean
derive_start (int depth, PmtT2iConfig *config)
{
  config->downscale = depth > 0 && depth % 256 == 0 ? 16 : 8;
  config->in_channels = depth / (config->downscale * config->downscale);
  return config->in_channels == 1 || config->in_channels == 3 ? config->in_channels * config->downscale * config->downscale == depth : FALSE;
}

static gboolean
derive_light (PmtWeights *weights, const char *top, PmtT2iConfig *config)
{
  const char *inner = config->original ? "body" : "resnets";
  g_autofree char *body = g_strconcat (top, "body.", NULL), *first = g_strdup_printf ("%sbody.0.%s.", top, inner);
  config->type = PMT_T2I_LIGHT;
  config->n_blocks = count (weights, body, ".out_conv.weight");
  config->n_resnets = count (weights, first, ".block1.weight");
  for (int i = 0; i < MIN (config->n_blocks, PMT_T2I_MAX_BLOCKS); i++)
    config->channels[i] = dim (weights, 0, "%sbody.%d.out_conv.weight", top, i);
  return derive_start (dim (weights, 1, "%sbody.0.in_conv.weight", top), config);
}

static gboolean
derive_full (PmtWeights *weights, const char *top, PmtT2iConfig *config)
{
  g_autofree char *body = g_strconcat (top, "body.", NULL);
  if (config->original) { /* one running number over four blocks */
    config->n_blocks = 4;
    config->n_resnets = count (weights, body, ".block1.weight") / 4;
  } else {
    config->n_blocks = count (weights, body, ".resnets.0.block1.weight");
    g_autofree char *first = g_strconcat (top, "body.0.resnets.", NULL);
    config->n_resnets = count (weights, first, ".block1.weight");
  }
  for (int i = 0; i < MIN (config->n_blocks, PMT_T2I_MAX_BLOCKS); i++)
    config->channels[i] = config->original ? dim (weights, 0, "%sbody.%d.block1.weight", top, i * config->n_resnets)
                                           : dim (weights, 0, "%sbody.%d.resnets.0.block1.weight", top, i);
  const gboolean known = derive_start (dim (weights, 1, "%sconv_in.weight", top), config);
  config->type = config->downscale == 16 ? PMT_T2I_FULL_XL : PMT_T2I_FULL;
  return known;
}

gboolean
pmt_t2i_config_derive (PmtWeights *weights, PmtT2iConfig *config, GError **error)
{
  memset (config, 0, sizeof *config);
  config->original = !pmt_weights_has (weights, "adapter.body.0.resnets.0.block1.weight");
  const char *top = config->original ? "" : "adapter.";
  const gboolean light = dim (weights, 0, "%sbody.0.out_conv.weight", top) > 0;
  const gboolean known = light ? derive_light (weights, top, config) : derive_full (weights, top, config);
  if (known && config->n_blocks >= 1 && config->n_blocks <= PMT_T2I_MAX_BLOCKS && config->n_resnets >= 1)
    return check_numbers (config, pmt_weights_label (weights), error);
  g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
               _("'%s' has not the tensors of a T2I-Adapter that this version knows; get a fresh copy of it, or one with a config.json."),
               pmt_weights_label (weights));
  return FALSE;
}
