/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/job/parse.h"

gboolean
pmt_parse_wrong (GError **error, const char *field, const char *wanted)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The job's field \"%s\" has to be %s; change it."), field, wanted);
  return FALSE;
}

bool
pmt_parse_holds_int (JsonNode *node)
{
  return JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_INT64;
}

bool
pmt_parse_holds_number (JsonNode *node)
{
  return pmt_parse_holds_int (node) || (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_DOUBLE);
}

bool
pmt_parse_holds_string (JsonNode *node)
{
  return JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING;
}

gboolean
pmt_parse_ints (JsonNode *node, const char *field, int *values, guint n, GError **error)
{
  JsonArray *array = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  g_autofree char *wanted = g_strdup_printf ("a list of %u whole numbers from 0 to %d", n, PMT_PICTURE_MAX_SIDE);

  if (!array || json_array_get_length (array) != n)
    return pmt_parse_wrong (error, field, wanted);
  for (guint i = 0; i < n; i++) {
    JsonNode *element = json_array_get_element (array, i);
    gint64 value = pmt_parse_holds_int (element) ? json_node_get_int (element) : -1;
    if (value < 0 || value > PMT_PICTURE_MAX_SIDE)
      return pmt_parse_wrong (error, field, wanted);
    values[i] = (int) value;
  }
  return TRUE;
}

gboolean
pmt_parse_text (JsonNode *node, const char *field, char **text, GError **error)
{
  if (!pmt_parse_holds_string (node))
    return pmt_parse_wrong (error, field, "a string");
  g_free (*text);
  *text = g_strdup (json_node_get_string (node));
  return TRUE;
}
