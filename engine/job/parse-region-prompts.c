/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prompts for parts of the picture: the recipe's "region-prompts". */
#include <string.h>

#include "engine/job/parse.h"

#define FIELD "region-prompts"
#define WANTED "a list of at most 16 objects with \"box\": [x0, y0, x1, y1] or \"mask\", \"prompt\" and, if wished, \"weight\""

static gboolean
read_box (JsonNode *node, int number, PmtJobRegionPrompt *region, GError **error)
{
  JsonArray *array = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  double v[4];

  for (guint i = 0; i < 4; i++) {
    if (!array || json_array_get_length (array) != 4 || !pmt_parse_holds_number (json_array_get_element (array, i)))
      return pmt_parse_wrong (error, FIELD ".box", "a list of four numbers");
    v[i] = json_array_get_double_element (array, i);
  }
  region->x0 = v[0];
  region->y0 = v[1];
  region->x1 = v[2];
  region->y1 = v[3];
  if (v[0] >= 0 && v[1] >= 0 && v[2] <= 1 && v[3] <= 1 && v[0] < v[2] && v[1] < v[3])
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
               _("The box of region %d is [%g, %g, %g, %g]; give left, top, right and bottom as parts of the picture, from 0 to 1."), number, v[0],
               v[1], v[2], v[3]);
  return FALSE;
}

static gboolean
read_member (const char *name, JsonNode *value, int number, PmtJobRegionPrompt *region, GError **error)
{
  if (strcmp (name, "box") == 0)
    return read_box (value, number, region, error);
  if (strcmp (name, "mask") == 0)
    return pmt_parse_text (value, FIELD ".mask", &region->mask, error);
  if (strcmp (name, "mask-hash") == 0)
    return pmt_parse_text (value, FIELD ".mask-hash", &region->mask_hash, error);
  if (strcmp (name, "prompt") == 0)
    return pmt_parse_text (value, FIELD ".prompt", &region->prompt, error);
  if (strcmp (name, "weight") != 0)
    return pmt_parse_wrong (error, FIELD, WANTED);
  region->weight = pmt_parse_holds_number (value) ? json_node_get_double (value) : 0;
  return (region->weight >= 0.01 && region->weight <= 100) || pmt_parse_wrong (error, FIELD ".weight", "a number from 0.01 to 100");
}

static gboolean
read_region (JsonNode *node, int number, PmtJobRegionPrompt *region, GError **error)
{
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;

  *region = (PmtJobRegionPrompt) { .mask = g_strdup (""), .mask_hash = g_strdup (""), .prompt = g_strdup (""), .weight = 1 };
  if (!object)
    return pmt_parse_wrong (error, FIELD, WANTED);
  json_object_iter_init_ordered (&iter, object);
  while (json_object_iter_next_ordered (&iter, &name, &value))
    if (!read_member (name, value, number, region, error))
      return FALSE;
  g_autofree char *prompt = g_strstrip (g_strdup (region->prompt));
  if (!*prompt || json_object_has_member (object, "box") == (region->mask[0] != '\0')) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("Region %d needs a \"prompt\" and either a \"box\" or a \"mask\"; give these."), number);
    return FALSE;
  }
  return TRUE;
}

gboolean
pmt_parse_region_prompts (PmtJobExtras *extras, JsonNode *node, GError **error)
{
  JsonArray *array = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  const guint n = array ? json_array_get_length (array) : 0;

  if (!array || n > PMT_JOB_MAX_REGIONS)
    return pmt_parse_wrong (error, FIELD, WANTED);
  extras->regions = g_new0 (PmtJobRegionPrompt, n + 1);
  for (guint i = 0; i < n; i++)
    if (!read_region (json_array_get_element (array, i), (int) i + 1, &extras->regions[extras->n_regions++], error))
      return FALSE;
  return TRUE;
}
