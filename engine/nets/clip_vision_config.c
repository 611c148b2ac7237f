/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an image encoder looks like: read from config.json, or from the shapes in its file. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "engine/nets/clip_vision.h"
#include "engine/nets/config_check.h"
#include "engine/weights/config.h"

static gboolean
check_numbers (const PmtClipVisionConfig *config, const char *file, GError **error)
{
  if (!pmt_config_range (file, "image_size", config->image_size, 1, 1 << 12, error)
      || !pmt_config_range (file, "patch_size", config->patch, 1, config->image_size, error)
      || !pmt_config_range (file, "hidden_size", config->hidden, 1, 1 << 16, error)
      || !pmt_config_range (file, "intermediate_size", config->intermediate, 1, 1 << 18, error)
      || !pmt_config_range (file, "num_hidden_layers", config->layers, 1, 256, error)
      || !pmt_config_range (file, "num_attention_heads", config->heads, 1, config->hidden, error)
      || !pmt_config_range (file, "projection_dim", config->projection, 0, 1 << 16, error))
    return FALSE;
  if (config->hidden % config->heads) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                 _("%s: a width of %d cannot be shared by %d attention heads; take the file from the encoder's source again."), file,
                 config->hidden, config->heads);
    return FALSE;
  }
  return TRUE;
}

gboolean
pmt_clip_vision_config_parse (JsonObject *object, const char *file, PmtClipVisionConfig *config, GError **error)
{
  static const PmtConfigDemand demands[] = { { "num_channels", "3", NULL } };
  const char *act;
  double eps;
  int projection;

  memset (config, 0, sizeof *config);
  if (!pmt_config_int (object, "projection_dim", 512, &projection, error))
    return FALSE;
  JsonNode *inner = json_object_get_member (object, "vision_config");
  if (inner && JSON_NODE_HOLDS_OBJECT (inner))
    object = json_node_get_object (inner);
  if (!pmt_config_has (object, "patch_size")) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("%s does not describe a CLIP image encoder (\"patch_size\" is missing); give the folder of a CLIPVisionModelWithProjection."),
                 file);
    return FALSE;
  }
  if (!pmt_config_demand (object, file, demands, G_N_ELEMENTS (demands), error)
      || !pmt_config_int (object, "image_size", 224, &config->image_size, error)
      || !pmt_config_int (object, "patch_size", 32, &config->patch, error)
      || !pmt_config_int (object, "hidden_size", 768, &config->hidden, error)
      || !pmt_config_int (object, "intermediate_size", 3072, &config->intermediate, error)
      || !pmt_config_int (object, "num_hidden_layers", 12, &config->layers, error)
      || !pmt_config_int (object, "num_attention_heads", 12, &config->heads, error)
      || !pmt_config_double (object, "layer_norm_eps", 1e-5, &eps, error)
      || !pmt_config_string (object, "hidden_act", "quick_gelu", &act, error))
    return FALSE;
  if (!g_str_equal (act, "quick_gelu") && !g_str_equal (act, "gelu")) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("%s: \"hidden_act\" is \"%s\", which this version cannot run; choose a CLIP image encoder."), file, act);
    return FALSE;
  }
  config->activation = g_str_equal (act, "gelu") ? PMT_ACT_GELU : PMT_ACT_QUICK_GELU;
  config->layer_norm_eps = (float) eps;
  config->projection = projection;
  return check_numbers (config, file, error);
}

/* The encoders that are around. Heads and activation don't show in shapes. */
static const struct {
  int hidden, heads;
  PmtActivation activation;
} known[] = {
  { 768, 12, PMT_ACT_QUICK_GELU },  /* OpenAI ViT-B */
  { 1024, 16, PMT_ACT_QUICK_GELU }, /* OpenAI ViT-L */
  { 1280, 16, PMT_ACT_GELU },       /* OpenCLIP ViT-H */
  { 1664, 16, PMT_ACT_GELU },       /* OpenCLIP ViT-bigG */
};

static gboolean
part (PmtWeights *weights, const char *prefix, const char *name, int rank, PmtWeightInfo *info)
{
  g_autofree char *full = g_strconcat (prefix, name, NULL);
  if (!pmt_weights_lookup (weights, full, info) || info->rank != rank)
    return FALSE;
  for (int i = 0; i < rank; i++)
    if (info->dim[i] < 1 || info->dim[i] > 1 << 24)
      return FALSE;
  return TRUE;
}

gboolean
pmt_clip_vision_config_derive (PmtWeights *weights, PmtClipVisionConfig *config, GError **error)
{
  const char *label = pmt_weights_label (weights);
  PmtWeightInfo class, patch, positions, fc1, info;
  const char *prefix = pmt_weights_has (weights, "vision_model.embeddings.class_embedding") ? "vision_model." : "";

  memset (config, 0, sizeof *config);
  if (!part (weights, prefix, "embeddings.class_embedding", 1, &class)
      || !part (weights, prefix, "embeddings.patch_embedding.weight", 4, &patch)
      || !part (weights, prefix, "embeddings.position_embedding.weight", 2, &positions)
      || !part (weights, prefix, "encoder.layers.0.mlp.fc1.weight", 2, &fc1)) {
    gboolean open_clip = pmt_weights_has (weights, "visual.class_embedding");
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 open_clip ? _("'%s' is an OpenCLIP model in its own names; use the image_encoder of the IP-Adapter's source, which has "
                             "transformers' names.")
                           : _("'%s' is no CLIP image encoder; give the folder image_encoder or the file model.safetensors in it."),
                 label);
    return FALSE;
  }
  const int grid = (int) lround (sqrt ((double) positions.dim[0] - 1));
  if ((int64_t) grid * grid + 1 != positions.dim[0] || patch.dim[2] > 1 << 12 || (int64_t) grid * patch.dim[2] > 1 << 12) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                 _("'%s' has %" PRId64 " positions, which is not one more than a square; download it again."), label,
                 positions.dim[0]);
    return FALSE;
  }
  for (size_t i = 0; i < G_N_ELEMENTS (known) && !config->heads; i++)
    if (known[i].hidden == class.dim[0]) {
      config->heads = known[i].heads;
      config->activation = known[i].activation;
    }
  if (!config->heads) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("'%s' is a CLIP image encoder of width %" PRId64 ", which is not known here; put its config.json beside it."),
                 label, class.dim[0]);
    return FALSE;
  }
  config->hidden = (int) class.dim[0];
  config->patch = (int) patch.dim[2];
  config->image_size = grid * config->patch;
  config->intermediate = (int) fc1.dim[0];
  config->layer_norm_eps = 1e-5f;
  config->projection = part (weights, "", "visual_projection.weight", 2, &info) ? (int) MIN (info.dim[0], 1 << 17) : 0;
  for (;; config->layers++) {
    g_autofree char *name = g_strdup_printf ("%sencoder.layers.%d.mlp.fc1.weight", prefix, config->layers);
    if (config->layers > 256 || !pmt_weights_has (weights, name))
      break;
  }
  return check_numbers (config, label, error);
}
