/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attention refocusing (Phung, Ge and Huang 2024): in front of a step the latent moves against the gradient of two losses (refocus_loss.h), one
 * of where words are looked for and one of what the cells of a box look at. Steps and repetitions are those of a run of fifty. */
#include <math.h>

#include "engine/methods/attention_map.h"
#include "engine/methods/excite.h"
#include "engine/methods/refocus_loss.h"

#define WHERE "method attention-refocusing"

typedef struct State {
  PmtAreas areas;
  double scale, cross, self, enough, until;
  PmtAttnLevel level;
  int *columns, n_columns;
  int at;          /* step of fifty */
  double weakest;  /* of the latest evaluation */
} State;

static const PmtParam params[] = {
  { .id = "scale", .label = N_("_Strength"), .help = N_("How far the picture moves in each repetition; 0 leaves it alone"), .type = PMT_PARAM_DOUBLE,
    .min = 0, .max = 1000, .fallback = 1 },
  { .id = "cross", .label = N_("_Words"), .help = N_("How much it counts that words are looked for in their own boxes alone"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 100, .fallback = 1 },
  { .id = "self", .label = N_("_Cells"), .help = N_("How much it counts that the parts of a box look at that box alone"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 100, .fallback = 1 },
  { .id = "enough", .label = N_("_Good enough"), .help = N_("It stops when every word is seen that well in its box"), .type = PMT_PARAM_DOUBLE, .min = 0,
    .max = 1, .fallback = 0.2 },
  { .id = "until", .label = N_("_Until"), .help = N_("Part of the run in which it acts"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0.72 },
  { 0 }
};

static void
state_free (void *user)
{
  State *state = user;
  pmt_areas_clear (&state->areas);
  g_free (state->columns);
  g_free (state);
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  State *state = g_new0 (State, 1);
  state->scale = pmt_param_number (values, "scale");
  state->cross = pmt_param_number (values, "cross");
  state->self = pmt_param_number (values, "self");
  state->enough = pmt_param_number (values, "enough");
  state->until = pmt_param_number (values, "until");
  state->level = pmt_attention_level (run);
  if (pmt_areas_read (&state->areas, run, WHERE, error))
    return state;
  state_free (state);
  return NULL;
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  return pmt_areas_find (&state->areas, run, WHERE, error) && pmt_sharp_maps_columns (run, false, &state->columns, &state->n_columns, error);
}

/* Both kinds of attention at the level of maps, outside the middle; what counts nothing is not looked at. */
static bool
wants (void *user, const PmtAttnSite *site)
{
  const State *state = user;
  return site->place != PMT_PLACE_MID && pmt_attention_site_level (state->level, site) == state->level.level &&
         (site->cross ? state->cross : state->self) > 0;
}

static gboolean
loss (void *user, PmtRun *run, PmtProbed *probed, int n, double *value, GError **error)
{
  State *state = user;
  const PmtRefocus how = { .areas = &state->areas, .run_height = run->request->height, .run_width = run->request->width, .at = state->at,
                           .cross = state->cross, .self = state->self, .columns = state->columns, .n_columns = state->n_columns };
  *value = pmt_refocus_loss (probed, n, &how, &state->weakest);
  return TRUE;
}

static int
repetitions (int at)
{
  static const int early[] = { 2, 2, 6, 6, 6, 3, 3, 3, 3, 3 };
  if (at < (int) G_N_ELEMENTS (early))
    return early[at];
  return at <= 35 && at % 5 == 0 ? 2 : 0;
}

static double
strength (int at)
{
  if (at < 5)
    return 4;
  return at < 20 ? 3 : 1;
}

/* A dry run counts all repetitions. */
static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  State *state = user;
  if (stage != PMT_LATENT_PRE || track != run->result_track || run->tracks[track]->passive || state->scale == 0 ||
      (state->cross == 0 && state->self == 0) || step->i >= (int) lround (state->until * step->n) || pmt_gradient_step_begun (run, step) < 0)
    return TRUE;
  state->at = step->i * 50 / step->n;
  for (int i = 0; i < repetitions (state->at); i++) {
    PmtGradient gradient = { .user = state, .wants_attention = wants, .loss = loss };
    PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
    if (!pmt_run_gradient (run, step, track, &gradient, error))
      return FALSE;
    const bool done = !run->ctx.dry && (gradient.value <= 0.1 || (state->cross > 0 && state->weakest >= state->enough));
    if (!done)
      pmt_gradient_step (run, step, track, gradient.latent, state->scale * strength (state->at));
    pmt_arena_release (run->ctx.step, mark);
    if (done)
      break;
  }
  return TRUE;
}

/* What a request with boxes asks for by itself. */
static const char *const replaces[] = { "gligen", "multidiffusion", NULL };

const PmtMethod pmt_method_attention_refocusing = {
  .id = "attention-refocusing",
  .label = N_("Words and things into boxes"),
  .summary = N_("Moves the picture until words are looked for in their boxes alone, and keeps the boxes' contents from mixing."),
  .params = params,
  .order = 350,
  .replaces = replaces,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .latent = latent,
};
