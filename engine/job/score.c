/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/job/score.h"

#include <math.h>
#include <string.h>

extern const PmtScorer pmt_scorer_colours, pmt_scorer_clip;
const PmtScorer *const pmt_scorers[] = { &pmt_scorer_clip, &pmt_scorer_colours, NULL };

static const PmtScorer *
find (const char *id, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);
  for (int i = 0; pmt_scorers[i]; i++) {
    if (strcmp (pmt_scorers[i]->id, id) == 0)
      return pmt_scorers[i];
    g_string_append_printf (known, "%s%s", i ? ", " : "", pmt_scorers[i]->id);
  }
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("There is no scorer \"%s\"; there are %s."), id, known->str);
  return NULL;
}

static bool
begins_with_key (const PmtParam *params, const char *text)
{
  for (const PmtParam *p = params; p->id; p++)
    if (g_str_has_prefix (text, p->id) && text[strlen (p->id)] == '=')
      return true;
  return false;
}

const PmtScorer *
pmt_scorer_parse (const char *text, PmtParamValues *values, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, ":", 2);
  const PmtScorer *found = find (parts[0] ? parts[0] : "", error);
  if (!found)
    return NULL;
  g_autofree char *where = g_strdup_printf ("scorer %s", found->id);
  pmt_param_values_init (values, found->params);
  for (char *at = parts[0] ? parts[1] : NULL; at && *at;) {
    char *end = strchr (at, ','), *equals = strchr (at, '=');
    while (end && !begins_with_key (found->params, end + 1))
      end = strchr (end + 1, ',');
    if (end)
      *end = '\0';
    if (!equals || (end && equals > end)) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In the scorer \"%s\", '%s' is not of the form key=value."), text, at);
      found = NULL;
    } else {
      *equals = '\0';
      if (!pmt_param_values_set_text (values, at, equals + 1, where, error))
        found = NULL;
    }
    if (!found) {
      pmt_param_values_clear (values);
      return NULL;
    }
    at = end ? end + 1 : NULL;
  }
  return found;
}

static bool
better (double a, double b)
{
  return a > b || (!isnan (a) && isnan (b));
}

void
pmt_scores_order (const double *scores, int n, int *order)
{
  for (int i = 0; i < n; i++) {
    int at = i;
    for (; at > 0 && better (scores[i], scores[order[at - 1]]); at--)
      order[at] = order[at - 1];
    order[at] = i;
  }
}
