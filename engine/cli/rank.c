/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "engine/cli/cli.h"
#include "engine/image/file.h"
#include "engine/job/score.h"

static gboolean
score_files (const PmtScorer *scorer, void *state, char **files, int n, double *scores, GError **error)
{
  for (int i = 0; i < n; i++) {
    PmtPicture picture = { 0 };
    const gboolean good = pmt_picture_load (files[i], &picture, NULL, error) && scorer->score (state, &picture, &scores[i], error);
    pmt_picture_clear (&picture);
    if (!good)
      return FALSE;
  }
  return TRUE;
}

static void
print (char **files, const double *scores, const int *order, int n, gboolean json)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_ARRAY);
  JsonArray *array = json_array_new ();
  for (int i = 0; i < n; i++) {
    JsonObject *object = json_object_new ();
    g_autofree char *shown = g_filename_display_name (files[order[i]]);
    json_object_set_string_member (object, "image", shown);
    json_object_set_double_member (object, "score", scores[order[i]]);
    json_array_add_object_element (array, object);
    if (!json)
      printf ("%10.4f  %s\n", scores[order[i]], files[order[i]]);
  }
  json_node_take_array (node, array);
  if (json)
    pmt_cli_print_json (node);
}

static char *
describe (void)
{
  GString *text = g_string_new ("Puts pictures into an order, the best first, so that of many variants the better ones are found. SCORER is one of these, with its parameters "
                                "as in colours:colours=#cc2020:\n");
  for (int i = 0; pmt_scorers[i]; i++) {
    g_string_append_printf (text, "  %-10s %s\n", pmt_scorers[i]->id, pmt_scorers[i]->summary);
    for (const PmtParam *p = pmt_scorers[i]->params; p->id; p++)
      g_string_append_printf (text, "      %-10s %s\n", p->id, p->help);
  }
  return g_string_free (text, FALSE);
}

static gboolean
run (int argc, char **argv, GError **error)
{
  g_autofree char *text = NULL, *description = describe ();
  g_auto (GStrv) files = NULL;
  int keep = 0;
  gboolean json = FALSE, good;
  const GOptionEntry entries[] = {
    { "image", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &files, "A picture; once for each", "FILE" },
    { "keep", 0, 0, G_OPTION_ARG_INT, &keep, "List only so many of the best (default: all)", "N" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print a JSON list", NULL },
    G_OPTION_ENTRY_NULL,
  };
  PmtParamValues values = { 0 };
  if (!pmt_cli_parse (&pmt_command_rank, "SCORER", description, entries, argc, argv, &text, 1, error) || !pmt_cli_check_utf8 ("SCORER", text, error))
    return FALSE;
  const int n = files ? (int) g_strv_length (files) : 0;
  if (n == 0 || keep < 0) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, n ? _("--keep takes 1 or more.") : _("rank needs pictures to compare; name each with --image."));
    return FALSE;
  }
  const PmtScorer *scorer = pmt_scorer_parse (text, &values, error);
  if (!scorer)
    return FALSE;
  g_autofree double *scores = g_new0 (double, n);
  g_autofree int *order = g_new0 (int, n);
  void *state = scorer->open (&values, pmt_cli_cancel (), error);
  good = state && score_files (scorer, state, files, n, scores, error);
  if (good) {
    pmt_scores_order (scores, n, order);
    print (files, scores, order, keep > 0 ? MIN (keep, n) : n, json);
  }
  if (state)
    scorer->close (state);
  pmt_param_values_clear (&values);
  return good;
}

const PmtCommand pmt_command_rank = { "rank", "Put pictures into an order by how well they meet a wish.", run };
