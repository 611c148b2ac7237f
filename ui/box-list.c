/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/box-list.h"

#include <glib/gi18n.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

/* Sides are kept to so many parts of the canvas, which is finer than any network's grid. */
#define PARTS 10000.0
#define LONGEST_TEXT (1 << 16)

static void
entry_free (gpointer data)
{
  PmtBoxEntry *entry = data;

  g_free (entry->phrase);
  g_free (entry);
}

GPtrArray *
pmt_box_list_new (void)
{
  return g_ptr_array_new_with_free_func (entry_free);
}

PmtBoxEntry *
pmt_box_list_add (GPtrArray *boxes, double x0, double y0, double x1, double y1, const char *phrase)
{
  PmtBoxEntry *entry = g_new (PmtBoxEntry, 1);

  *entry = (PmtBoxEntry) { x0, y0, x1, y1, g_strdup (phrase) };
  g_ptr_array_add (boxes, entry);
  return entry;
}

static gboolean
read_side (JsonArray *array, guint i, double *side)
{
  JsonNode *node = json_array_get_element (array, i);
  GType type = JSON_NODE_HOLDS_VALUE (node) ? json_node_get_value_type (node) : G_TYPE_INVALID;

  if (type != G_TYPE_DOUBLE && type != G_TYPE_INT64)
    return FALSE;
  *side = json_node_get_double (node);
  return *side >= 0 && *side <= 1;
}

/* NULL, or what is wrong with one element. */
static const char *
read_box (JsonNode *node, GPtrArray *boxes)
{
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  JsonNode *box = object ? json_object_get_member (object, "box") : NULL, *phrase = object ? json_object_get_member (object, "phrase") : NULL;
  JsonArray *array = box && JSON_NODE_HOLDS_ARRAY (box) ? json_node_get_array (box) : NULL;
  double sides[4];

  if (!array || json_array_get_length (array) != 4 || !phrase || !JSON_NODE_HOLDS_VALUE (phrase) || json_node_get_value_type (phrase) != G_TYPE_STRING)
    return _("is not {\"box\": [left, top, right, bottom], \"phrase\": \"text\"}");
  for (guint i = 0; i < 4; i++)
    if (!read_side (array, i, &sides[i]))
      return _("has a side that is no number from 0 to 1");
  if (sides[2] <= sides[0] || sides[3] <= sides[1])
    return _("is empty, or its sides are not left, top, right and bottom");
  pmt_box_list_add (boxes, sides[0], sides[1], sides[2], sides[3], json_node_get_string (phrase));
  return NULL;
}

static gboolean
read_all (JsonArray *array, GPtrArray *boxes, char **problem)
{
  const guint n = json_array_get_length (array);

  if (n > PMT_BOX_LIST_MOST) {
    *problem = g_strdup_printf (_("There are %u layout boxes and a job takes at most %d: leave some out."), n, PMT_BOX_LIST_MOST);
    return FALSE;
  }
  for (guint i = 0; i < n; i++) {
    const char *wrong = read_box (json_array_get_element (array, i), boxes);
    if (wrong) {
      *problem = g_strdup_printf (_("Layout box %u %s: correct it or leave it out."), i + 1, wrong);
      return FALSE;
    }
  }
  return TRUE;
}

gboolean
pmt_box_list_parse (GPtrArray *boxes, const char *text, char **problem)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;
  const guint before = boxes->len;
  JsonNode *root;

  if (!text || !text[0])
    return TRUE;
  if (strlen (text) > LONGEST_TEXT || !g_utf8_validate (text, -1, NULL) || !json_parser_load_from_data (parser, text, -1, &error) ||
      !(root = json_parser_get_root (parser)) || !JSON_NODE_HOLDS_ARRAY (root)) {
    *problem = g_strdup_printf (_("The layout boxes are no JSON list of boxes (%s): write [{\"box\": [0, 0, 0.5, 1], \"phrase\": \"a red fox\"}]."),
                                error ? error->message : _("something else"));
    return FALSE;
  }
  if (read_all (json_node_get_array (root), boxes, problem))
    return TRUE;
  g_ptr_array_set_size (boxes, (int) before);
  return FALSE;
}

static void
add_side (JsonArray *array, double side)
{
  json_array_add_double_element (array, round (CLAMP (side, 0, 1) * PARTS) / PARTS);
}

char *
pmt_box_list_to_text (const GPtrArray *boxes)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_ARRAY);
  JsonArray *list = json_array_new ();

  json_node_take_array (node, list);
  for (guint i = 0; i < boxes->len; i++) {
    const PmtBoxEntry *entry = g_ptr_array_index (boxes, i);
    JsonObject *object = json_object_new ();
    JsonArray *box = json_array_new ();
    add_side (box, entry->x0);
    add_side (box, entry->y0);
    add_side (box, entry->x1);
    add_side (box, entry->y1);
    json_object_set_array_member (object, "box", box);
    json_object_set_string_member (object, "phrase", entry->phrase);
    json_array_add_object_element (list, object);
  }
  return boxes->len ? json_to_string (node, FALSE) : g_strdup ("");
}
