/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/config_check.h"

static gboolean
number_equals (const char *text, double value)
{
  char *end = NULL;
  double wanted = text ? g_ascii_strtod (text, &end) : 0.0;
  return text && end != text && *end == '\0' && wanted == value;
}

static gboolean
node_is (JsonNode *node, const char *text)
{
  if (!text || !JSON_NODE_HOLDS_VALUE (node))
    return FALSE;
  GType type = json_node_get_value_type (node);
  if (type == G_TYPE_STRING)
    return g_str_equal (json_node_get_string (node), text);
  if (type == G_TYPE_BOOLEAN)
    return g_str_equal (text, json_node_get_boolean (node) ? "true" : "false");
  return number_equals (text, json_node_get_double (node));
}

static gboolean
meets (JsonNode *node, const PmtConfigDemand *demand)
{
  if (JSON_NODE_HOLDS_NULL (node))
    return TRUE;
  if (JSON_NODE_HOLDS_ARRAY (node)) {
    JsonArray *array = json_node_get_array (node);
    for (guint i = 0; i < json_array_get_length (array); i++)
      if (!meets (json_array_get_element (array, i), demand))
        return FALSE;
    return TRUE;
  }
  return node_is (node, demand->value) || node_is (node, demand->or_value);
}

gboolean
pmt_config_demand (JsonObject *object, const char *file, const PmtConfigDemand *demands, size_t n, GError **error)
{
  for (size_t i = 0; i < n; i++) {
    JsonNode *node = json_object_get_member (object, demands[i].key);
    if (!node || meets (node, &demands[i]))
      continue;
    g_autofree char *text = json_to_string (node, FALSE);
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("%s: \"%s\" is %s, which this version cannot run; choose a model of the Stable Diffusion family without it."), file,
                 demands[i].key, text);
    return FALSE;
  }
  return TRUE;
}

gboolean
pmt_config_range (const char *file, const char *key, int value, int low, int high, GError **error)
{
  if (value >= low && value <= high)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
               _("%s: \"%s\" is %d and should be between %d and %d; take the file from the model's source again."), file, key, value, low,
               high);
  return FALSE;
}

gboolean
pmt_config_widths (const char *file, const int *widths, int n, int groups, GError **error)
{
  for (int i = 0; i < n; i++) {
    if (!pmt_config_range (file, "block_out_channels", widths[i], 1, 1 << 16, error))
      return FALSE;
    if (widths[i] % groups) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                   _("%s: %d channels cannot be split into %d norm groups (norm_num_groups); take the file from the model's source again."),
                   file, widths[i], groups);
      return FALSE;
    }
  }
  return TRUE;
}
