/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "engine/cli/cli.h"
#include "engine/sample/lists.h"
#include "engine/sample/sampler.h"

static gboolean
run (int argc, char **argv, GError **error)
{
  gboolean json = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print a JSON list", NULL },
    G_OPTION_ENTRY_NULL,
  };

  if (!pmt_cli_parse (&pmt_command_samplers, NULL, NULL, entries, argc, argv, NULL, 0, error))
    return FALSE;
  if (json) {
    g_autoptr (JsonNode) node = pmt_samplers_to_json ();
    pmt_cli_print_json (node);
    return TRUE;
  }
  for (int i = 0; pmt_samplers[i]; i++)
    printf ("%-20s %s\n", pmt_samplers[i]->id, pmt_samplers[i]->label);
  return TRUE;
}

const PmtCommand pmt_command_samplers = { "samplers", "List the samplers.", run };
