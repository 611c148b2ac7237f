/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "engine/cli/cli.h"
#include "engine/weights/model.h"

static void
print_text (JsonObject *report, const char *field, const char *label)
{
  JsonNode *node = json_object_get_member (report, field);

  if (node && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
    printf ("%-12s %s\n", label, json_node_get_string (node));
}

static void
print_component (JsonObject *component)
{
  JsonArray *dtypes = json_object_get_array_member (component, "dtypes");

  printf ("%-12s %s: %" G_GINT64_FORMAT " tensors, %.1f MB", "component", json_object_get_string_member (component, "name"),
          json_object_get_int_member (component, "tensors"), (double) json_object_get_int_member (component, "bytes") / 1e6);
  for (guint i = 0; i < json_array_get_length (dtypes); i++)
    printf (", %s", json_array_get_string_element (dtypes, i));
  putchar ('\n');
}

/* SD 2 files do not say what they predict; the first run tells. */
static void
print_prediction (JsonObject *report)
{
  const char *prediction = json_object_get_string_member_with_default (report, "prediction_type", NULL);

  if (prediction)
    printf ("%-12s %s\n", "prediction", strcmp (prediction, "unknown") == 0 ? "unknown, probed at first run" : prediction);
}

static void
print_list (JsonArray *list, const char *label)
{
  for (guint i = 0; i < json_array_get_length (list); i++)
    printf ("%-12s %s\n", label, json_array_get_string_element (list, i));
}

static void
print_report (JsonObject *report)
{
  JsonArray *components = json_object_get_array_member (report, "components");
  JsonArray *problems = json_object_get_array_member (report, "problems");

  print_text (report, "path", "path");
  print_text (report, "container", "container");
  print_text (report, "kind", "kind");
  print_text (report, "form", "form");
  print_text (report, "what", "what");
  print_text (report, "family", "family");
  print_text (report, "label", "name");
  print_text (report, "use", "use");
  print_prediction (report);
  for (guint i = 0; i < json_array_get_length (components); i++)
    print_component (json_array_get_object_element (components, i));
  print_list (json_object_get_array_member (report, "needs"), "needs");
  print_list (problems, "problem");
  if (json_array_get_length (problems) == 0)
    printf ("%-12s none\n", "problems");
}

static gboolean
run (int argc, char **argv, GError **error)
{
  g_autofree char *path = NULL;
  gboolean json = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    G_OPTION_ENTRY_NULL,
  };
  JsonObject *report;

  if (!pmt_cli_parse (&pmt_command_inspect, "PATH", NULL, entries, argc, argv, &path, 1, error))
    return FALSE;
  report = pmt_model_files_inspect (path, error);
  if (!report)
    return FALSE;
  if (json) {
    g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
    json_node_set_object (node, report);
    pmt_cli_print_json (node);
  } else
    print_report (report);
  json_object_unref (report);
  return TRUE;
}

const PmtCommand pmt_command_inspect = { "inspect", "Show what a model file or folder is, and what is wrong with it.", run };
