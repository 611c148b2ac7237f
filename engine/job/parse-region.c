/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "engine/job/parse.h"

static gboolean
read_box (JsonNode *node, const char *field, PmtBox *box, GError **error)
{
  int v[4];

  if (!pmt_parse_ints (node, field, v, 4, error))
    return FALSE;
  *box = (PmtBox) { v[0], v[1], v[2], v[3] };
  return TRUE;
}

static gboolean
read_pixels (JsonNode *node, const char *field, double *value, GError **error)
{
  if (!pmt_parse_holds_number (node) || !(json_node_get_double (node) >= -1 && json_node_get_double (node) <= 1000)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The job's field \"%s\" has to be a number of pixels from 0 to 1000, or -1 for an automatic one; change it."), field);
    return FALSE;
  }
  *value = json_node_get_double (node);
  return TRUE;
}

static gboolean
read_mode (JsonNode *node, PmtContextMode *mode, GError **error)
{
  static const char *const names[] = { "auto", "selection", "whole" };

  for (guint i = 0; pmt_parse_holds_string (node) && i < G_N_ELEMENTS (names); i++)
    if (strcmp (json_node_get_string (node), names[i]) == 0) {
      *mode = (PmtContextMode) i;
      return TRUE;
    }
  return pmt_parse_wrong (error, "region.mode", "auto, selection or whole");
}

gboolean
pmt_parse_region (PmtJob *job, JsonNode *node, GError **error)
{
  PmtRegionRequest *region = &job->region;
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;
  int canvas[2];

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return pmt_parse_wrong (error, "region", "an object");
  json_object_iter_init_ordered (&iter, json_node_get_object (node));
  while (json_object_iter_next_ordered (&iter, &name, &value)) {
    g_autofree char *field = g_strdup_printf ("region.%s", name);
    gboolean good;
    double shown;

    if (strcmp (name, "canvas") == 0) {
      good = pmt_parse_ints (value, field, canvas, 2, error);
      if (good && (canvas[0] < 1 || canvas[1] < 1))
        return pmt_parse_wrong (error, field, "two sides of at least 1 pixel");
      if (good) {
        region->canvas_width = canvas[0];
        region->canvas_height = canvas[1];
      }
    } else if (strcmp (name, "selection") == 0) {
      good = read_box (value, field, &region->selection, error);
      job->has_selection = TRUE;
    } else if (strcmp (name, "mode") == 0)
      good = read_mode (value, &region->mode, error);
    else if (strcmp (name, "grow") == 0)
      good = read_pixels (value, field, &region->grow, error);
    else if (strcmp (name, "feather") == 0)
      good = read_pixels (value, field, &region->feather, error);
    else if (strcmp (name, "context") == 0)
      good = read_box (value, field, &region->context, error);
    else if (strcmp (name, "blend") == 0) /* written for the reader's information; it follows from the others */
      good = read_pixels (value, field, &shown, error);
    else {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                   _("The job has an unknown field \"region.%s\"; a region has canvas, selection, mode, grow, feather and context."), name);
      good = FALSE;
    }
    if (!good)
      return FALSE;
  }
  if (region->context.width > 0 && region->canvas_width == 0)
    return pmt_parse_wrong (error, "region.canvas", "given when region.context is");
  return TRUE;
}
