/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layout guidance, backward (Chen et al. 2024): in the first steps the latent moves so that the attention on words comes to lie in their
 * boxes, as far as the middle and the first block on the way up show it. methods.md B2. */
#include <math.h>

#include "engine/methods/excite.h"
#include "engine/methods/layout_loss.h"

#define WHERE "method layout-backward"

typedef struct State {
  PmtAreas areas;
  double scale, threshold, last; /* last: the loss of the latest evaluation, which decides about the next */
  int steps, iterations;
  int up;                        /* the first block on the way up with attention */
} State;

static const PmtParam params[] = {
  { .id = "scale", .label = N_("_Strength"), .help = N_("How far the picture moves in each repetition"), .type = PMT_PARAM_DOUBLE,
    .min = 0, .max = 10000, .fallback = 30 },
  { .id = "threshold", .label = N_("_Good enough"), .help = N_("It stops when so little of the attention lies outside the boxes"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0.2 },
  { .id = "iterations", .label = N_("_Repetitions"), .help = N_("How often it moves in one step at most"), .type = PMT_PARAM_INT, .min = 1,
    .max = 100, .fallback = 5 },
  { .id = "steps", .label = N_("S_teps"), .help = N_("How many of the first steps of a run of 50 it acts in; of other runs the same part"),
    .type = PMT_PARAM_INT, .min = 0, .max = 1000, .fallback = 10 },
  { 0 }
};

static void
state_free (void *user)
{
  State *state = user;
  pmt_areas_clear (&state->areas);
  g_free (state);
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  State *state = g_new0 (State, 1);
  state->scale = pmt_param_number (values, "scale");
  state->threshold = pmt_param_number (values, "threshold");
  state->iterations = (int) pmt_param_number (values, "iterations");
  state->steps = (int) pmt_param_number (values, "steps");
  state->last = INFINITY;
  if (pmt_areas_read (&state->areas, run, WHERE, error))
    return state;
  state_free (state);
  return NULL;
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  const PmtUnetConfig *config = pmt_unet_config (run->unet);
  while (state->up < config->n_levels && !config->up_has_attention[state->up])
    state->up++;
  return pmt_areas_find (&state->areas, run, WHERE, error);
}

static bool
wants (void *user, const PmtAttnSite *site)
{
  const State *state = user;
  return site->cross && (site->place == PMT_PLACE_MID || (site->place == PMT_PLACE_UP && site->level == state->up));
}

static gboolean
loss (void *user, PmtRun *run, PmtProbed *probed, int n, double *value, GError **error)
{
  const State *state = user;
  *value = pmt_layout_loss (probed, n, &state->areas, run->request->height, run->request->width, state->scale);
  return TRUE;
}

/* Steps are sigma^2 times the gradient in latents of sigmas, which is 1 - abar of it in DDIM's. A dry run counts all repetitions. */
static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  State *state = user;
  if (stage != PMT_LATENT_PRE || track != run->result_track || run->tracks[track]->passive || state->scale == 0)
    return TRUE;
  const bool acts = pmt_gradient_step_acts (run, step, state->steps);
  const double variance = step->sigma * step->sigma, k = variance / (1 + variance);
  for (int i = 0; i < state->iterations && acts && state->last / state->scale > state->threshold; i++) {
    PmtGradient gradient = { .user = state, .wants_attention = wants, .loss = loss };
    PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
    if (!pmt_run_gradient (run, step, track, &gradient, error))
      return FALSE;
    pmt_gradient_step (run, step, track, gradient.latent, k);
    pmt_arena_release (run->ctx.step, mark);
    if (!run->ctx.dry)
      state->last = gradient.value;
  }
  return TRUE;
}

/* What a request with boxes asks for by itself. */
static const char *const replaces[] = { "gligen", "multidiffusion", NULL };

const PmtMethod pmt_method_layout_backward = {
  .id = "layout-backward",
  .label = N_("Things into boxes"),
  .summary = N_("Moves the picture until named things lie in their boxes, with any model; slower than leading the words alone, and surer."),
  .params = params,
  .order = 350,
  .replaces = replaces,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .latent = latent,
};
