/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "engine/cli/cli.h"
#include "engine/image/preprocess.h"

static gboolean
run (int argc, char **argv, GError **error)
{
  gboolean json = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print a JSON list, with parameters", NULL },
    G_OPTION_ENTRY_NULL,
  };

  if (!pmt_cli_parse (&pmt_command_preprocessors, NULL, NULL, entries, argc, argv, NULL, 0, error))
    return FALSE;
  if (json) {
    g_autoptr (JsonNode) node = pmt_preprocessors_to_json ();
    pmt_cli_print_json (node);
    return TRUE;
  }
  for (int i = 0; pmt_preprocessors[i]; i++) {
    printf ("%-16s %s\n", pmt_preprocessors[i]->id, pmt_preprocessors[i]->summary);
    for (const PmtParam *p = pmt_preprocessors[i]->params; p && p->id; p++)
      printf ("    %-16s %s\n", p->id, p->help);
  }
  return TRUE;
}

const PmtCommand pmt_command_preprocessors = { "preprocessors", "List what makes control pictures of ordinary ones.", run };
