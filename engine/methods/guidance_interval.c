/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Guidance in a part of the steps only (Kynkäänniemi et al. 2024; Castillo et al. 2023): where it does nothing for the picture any more,
 * the unconditional row is left out, which halves the time of those steps. */
#include <string.h>

#include "engine/sample/run.h"

typedef struct State {
  double start, end;
} State;

static const PmtParam params[] = {
  { .id = "start", .label = N_("_From"), .help = N_("Share of the steps after which guidance sets in"), .type = PMT_PARAM_DOUBLE, .min = 0,
    .max = 1, .fallback = 0 },
  { .id = "end", .label = N_("_To"), .help = N_("Share of the steps after which guidance is left out"), .type = PMT_PARAM_DOUBLE, .min = 0,
    .max = 1, .fallback = 0.6 },
  { 0 }
};

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  State *state = g_new0 (State, 1);
  *state = (State) { pmt_param_number (values, "start"), pmt_param_number (values, "end") };
  if (state->start <= state->end)
    return state;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The method guidance-interval ends at %g, before it starts at %g; give an end that is not smaller."),
               state->end, state->start);
  g_free (state);
  return NULL;
}

static gboolean
branch (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  const State *state = user;
  const double at = (double) step->i / step->n;
  if (at >= state->start && at < state->end)
    return TRUE;
  int kept = 0;
  for (int i = 0; i < step->rows.n; i++)
    if (strcmp (step->rows.row[i].role, PMT_ROW_UNCOND) != 0)
      step->rows.row[kept++] = step->rows.row[i];
  step->rows.n = kept;
  return TRUE;
}

const PmtMethod pmt_method_guidance_interval = {
  .id = "guidance-interval",
  .label = N_("Guidance for part of the steps"),
  .summary = N_("Saves time by following the negative prompt in the first steps only, when the picture takes shape."),
  .params = params,
  .order = 910, /* after guidance */
  .conflicts = (const char *const[]) { "composable", "null-text", "instruct-pix2pix", NULL },
  .state_new = state_new,
  .state_free = g_free,
  .branch = branch,
};
