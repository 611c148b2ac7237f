/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/preview.h"

#include <math.h>
#include <string.h>

#include "engine/weights/config.h"

#define FILE_NAME "pentimento.json"

/* Published least squares fits: comfy/latent_formats.py of github.com/comfyanonymous/ComfyUI, SD15 and SDXL. */
static const PmtPreviewMap sd = { 4, { { 0.3512f, 0.2297f, 0.3227f }, { 0.3250f, 0.4974f, 0.2350f }, { -0.2829f, 0.1762f, 0.2721f },
                                       { -0.2120f, -0.2616f, -0.7177f } }, { 0 } };
static const PmtPreviewMap sdxl = { 4, { { 0.3920f, 0.4054f, 0.4549f }, { -0.2634f, -0.0196f, 0.0653f }, { 0.0568f, 0.1687f, -0.0755f },
                                         { -0.3112f, -0.2359f, -0.2076f } }, { 0 } };

static gboolean
wrong (const char *path, int channels, GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
               _("%s: \"preview\" should hold \"factors\", %d lists of three numbers, and \"bias\", one such list; correct it or leave it out."),
               path, channels);
  return FALSE;
}

static gboolean
read_colour (JsonNode *node, float out[3])
{
  JsonArray *array = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  if (!array || json_array_get_length (array) != 3)
    return FALSE;
  for (guint k = 0; k < 3; k++) {
    JsonNode *number = json_array_get_element (array, k);
    GType type = JSON_NODE_HOLDS_VALUE (number) ? json_node_get_value_type (number) : G_TYPE_INVALID;
    if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE)
      return FALSE;
    out[k] = (float) json_node_get_double (number);
    if (!isfinite (out[k]))
      return FALSE;
  }
  return TRUE;
}

static gboolean
read_map (JsonNode *node, PmtPreviewMap *map)
{
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  JsonNode *factors = object ? json_object_get_member (object, "factors") : NULL;
  JsonArray *array = factors && JSON_NODE_HOLDS_ARRAY (factors) ? json_node_get_array (factors) : NULL;
  if (!array || json_array_get_length (array) != (guint) map->channels || !read_colour (json_object_get_member (object, "bias"), map->bias))
    return FALSE;
  for (int c = 0; c < map->channels; c++)
    if (!read_colour (json_array_get_element (array, (guint) c), map->factor[c]))
      return FALSE;
  return TRUE;
}

gboolean
pmt_preview_map (const PmtModel *model, PmtPreviewMap *map, GError **error)
{
  const char *family = pmt_model_family (model);
  const int channels = pmt_model_vae_config (model)->latent_channels;
  g_autofree char *path = g_build_filename (pmt_model_path (model), FILE_NAME, NULL);
  *map = (PmtPreviewMap) { 0 };
  if (channels <= PMT_PREVIEW_CHANNELS && g_file_test (path, G_FILE_TEST_IS_REGULAR)) {
    g_autoptr (JsonObject) config = pmt_config_load (path, error);
    if (!config)
      return FALSE;
    JsonNode *node = json_object_get_member (config, "preview");
    if (node) {
      map->channels = channels;
      return read_map (node, map) || wrong (path, channels, error);
    }
  }
  if (channels == 4 && g_str_has_prefix (family, "sdxl"))
    *map = sdxl;
  else if (channels == 4 && (g_str_has_prefix (family, "sd1") || g_str_has_prefix (family, "sd2")))
    *map = sd;
  return TRUE;
}

static int
every (int latent_width, int latent_height)
{
  const int most = MAX (latent_width, latent_height);
  return (most + PMT_PREVIEW_SIDE - 1) / PMT_PREVIEW_SIDE;
}

void
pmt_preview_size (int latent_width, int latent_height, int *width, int *height)
{
  const int k = every (latent_width, latent_height);
  *width = (latent_width + k - 1) / k;
  *height = (latent_height + k - 1) / k;
}

void
pmt_preview_draw (const PmtPreviewMap *map, const float *latent, int latent_width, int latent_height, uint8_t *rgb)
{
  const int k = every (latent_width, latent_height);
  for (int y = 0; y < latent_height; y += k)
    for (int x = 0; x < latent_width; x += k, rgb += 3) {
      const float *z = latent + ((size_t) y * (size_t) latent_width + (size_t) x) * (size_t) map->channels;
      for (int c = 0; c < 3; c++) {
        float v = map->bias[c];
        for (int i = 0; i < map->channels; i++)
          v += map->factor[i][c] * z[i];
        v = 127.5f * (v + 1.0f) + 0.5f;
        rgb[c] = v > 0.0f ? (uint8_t) MIN (v, 255.0f) : 0; /* NaN gives 0 */
      }
    }
}
