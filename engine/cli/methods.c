/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "engine/cli/cli.h"
#include "engine/job/learn-job.h"
#include "engine/sample/lists.h"

static void
print_table (const PmtParam *params, const char *indent)
{
  for (const PmtParam *p = params; p && p->id; p++)
    printf ("%s%-16s %s\n", indent, p->id, p->help);
}

static gboolean
run (int argc, char **argv, GError **error)
{
  gboolean json = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print {\"tasks\": {\"generate\": [parameters], \"fill\": …}, \"extras\": {\"controls\": …}, \"learn\": {\"kinds\": […], \"params\": […]}, \"methods\": […]}", NULL },
    G_OPTION_ENTRY_NULL,
  };

  if (!pmt_cli_parse (&pmt_command_methods, NULL, NULL, entries, argc, argv, NULL, 0, error))
    return FALSE;
  if (json) {
    g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
    JsonObject *object = json_object_new ();

    json_object_set_member (object, "tasks", pmt_tasks_to_json ());
    json_object_set_member (object, "extras", pmt_job_extras_to_json ());
    json_object_set_member (object, "learn", pmt_learn_to_json ());
    json_object_set_member (object, "methods", pmt_methods_to_json ());
    json_node_take_object (node, object);
    pmt_cli_print_json (node);
    return TRUE;
  }
  for (PmtTask task = PMT_TASK_GENERATE; task <= PMT_TASK_LAST; task++) {
    printf ("task %s\n", pmt_task_name (task));
    print_table (pmt_job_params (task), "  ");
  }
  for (PmtExtraKind kind = PMT_EXTRA_CONTROLS; kind <= PMT_EXTRA_LAST; kind++) {
    printf ("%s\n", pmt_job_extra_name (kind));
    print_table (pmt_job_extra_params (kind), "  ");
  }
  puts ("learn");
  print_table (pmt_learn_params, "  ");
  for (int i = 0; pmt_methods[i]; i++) {
    const PmtMethod *method = pmt_methods[i];
    if (method->internal)
      continue;
    printf ("method %s: %s\n", method->id, method->summary);
    print_table (method->params, "  ");
  }
  return TRUE;
}

const PmtCommand pmt_command_methods = { "methods", "List tasks and methods with their parameters.", run };
