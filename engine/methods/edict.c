/* SPDX-License-Identifier: GPL-3.0-or-later */
/* EDICT, exact diffusion inversion by coupled transformations (Wallace, Gokul & Naik 2023): a picture goes to noise and comes back as it
 * was, and with another prompt on the way back it changes as that says.
 *
 * Twin latents x = y = clean. Going down from t to s, with a = sqrt(abar_s / abar_t) and b = sqrt(1 - abar_s) - a sqrt(1 - abar_t):
 *
 *     x = a x + b e(y),  y = a y + b e(x)                  in even steps; in odd ones y first
 *     x = p x + (1 - p) y,  y = p y + (1 - p) x            with the new x
 *
 * and each line can be undone, since what it used is still there. Even and odd are counted on the way down, also while going up: counted
 * up, an odd number of steps would undo the wrong line. The twins are doubles, so that what rounding does is far below the network's own
 * precision; both ways take the same guidance, by pmt_run_evaluate. */
#include <math.h>
#include <string.h>

#include "engine/methods/start.h"
#include "engine/sample/samplers/common.h"

enum { X, Y, N_TWINS };

typedef struct State {
  const char *source;
  double mix, strength;
  PmtConditioning said; /* the source prompt's */
  double *twin[N_TWINS]; /* h * w * c each */
  PmtTensor seen;        /* [1, h, w, c]: a twin as the network sees it */
  size_t n;
} State;

static const PmtParam params[] = {
  { .id = "source", .label = N_("_Source prompt"), .help = N_("What the picture shows; empty leaves that open"), .type = PMT_PARAM_STRING, .text = "" },
  { .id = "strength", .label = N_("_Strength"), .help = N_("How far back to noise the picture is taken; less keeps more of it"),
    .type = PMT_PARAM_DOUBLE, .min = 0.01, .max = 1, .fallback = 0.8 },
  { .id = "mix", .label = N_("_Mix"), .help = N_("How much the two latents stay themselves in each step; nearer to 1 is less stable, and less is less exact"),
    .type = PMT_PARAM_DOUBLE, .min = 0.5, .max = 1, .fallback = 0.93 },
  { 0 }
};

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  if (!pmt_start_check_inversion (run, "edict", error))
    return NULL;
  if (run->request->mask) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _("The method edict changes whole pictures; leave the mask out, or use diffedit."));
    return NULL;
  }
  State *state = g_new0 (State, 1);
  *state = (State) { .source = pmt_param_text (values, "source"), .mix = pmt_param_number (values, "mix"),
                     .strength = pmt_param_number (values, "strength") };
  pmt_run_expect_text (run, state->source);
  return state;
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  return pmt_run_encode_text (run, state->source, &state->said, NULL, error);
}

/* a and b of evaluation i; and the noise that an output implies at its level. */
typedef struct Move {
  double a, b;
  PmtLevel level;
} Move;

static Move
move_at (const PmtRun *run, int i)
{
  const double t = run->grid->timestep[i];
  const PmtLevel from = pmt_level_from_abar (pmt_abar_at (run->schedule, t));
  const PmtLevel to = pmt_level_from_abar (pmt_abar_at (run->schedule, t - run->schedule->config.train_steps / run->grid->steps));
  const double a = to.a / from.a;
  return (Move) { a, to.s - a * from.s, from };
}

static void
see (const State *state, int twin, float *out)
{
  for (size_t k = 0; k < state->n; k++)
    out[k] = (float) state->twin[twin][k];
}

/* One line of the four: twin = a twin + b e(other), or that undone. `said` and `undo` as on the way; `output`: what the network says of
 * the other twin, PMT_NO_TENSOR = it is asked. */
static gboolean
push (State *state, PmtRun *run, const PmtStep *at, int twin, const PmtConditioning *said, bool undo, PmtTensor output, GError **error)
{
  const Move move = move_at (run, at->grid_i);
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  double *v = state->twin[twin];
  see (state, 1 - twin, state->seen.data);
  if (!output.data && !pmt_run_evaluate (run, at, 0, state->seen, said, &output, error))
    return FALSE;
  for (size_t k = 0; k < state->n && !run->ctx.dry; k++) {
    float e;
    pmt_predict_split (run->schedule->config.prediction, move.level, &output.data[k], &state->seen.data[k], 1.0, 1, NULL, &e);
    v[k] = undo ? (v[k] - move.b * e) / move.a : move.a * v[k] + move.b * e;
  }
  pmt_arena_release (run->ctx.step, mark);
  return TRUE;
}

static void
mix (State *state, int twin, bool undo)
{
  const double p = state->mix, *other = state->twin[1 - twin];
  double *v = state->twin[twin];
  for (size_t k = 0; k < state->n; k++)
    v[k] = undo ? (v[k] - (1 - p) * other[k]) / p : p * v[k] + (1 - p) * other[k];
}

/* The twin that step i of the way down (i from its first evaluation) moves first. */
static int
first_of (int i)
{
  return i % 2 == 0 ? X : Y;
}

static gboolean
go_down (State *state, PmtRun *run, const PmtStep *at, PmtTensor output, GError **error)
{
  const int first = first_of (at->i);
  if (!push (state, run, at, first, NULL, false, output, error) ||
      !push (state, run, at, 1 - first, NULL, false, PMT_NO_TENSOR, error))
    return FALSE;
  mix (state, X, false);
  mix (state, Y, false);
  return TRUE;
}

static gboolean
go_up (State *state, PmtRun *run, const PmtStep *at, GError **error)
{
  const int first = first_of (at->i);
  mix (state, Y, true);
  mix (state, X, true);
  return push (state, run, at, 1 - first, &state->said, true, PMT_NO_TENSOR, error) &&
         push (state, run, at, first, &state->said, true, PMT_NO_TENSOR, error);
}

static double *
new_doubles (PmtRun *run, size_t n, GError **error)
{
  return (double *) pmt_run_new_tensor (run, PMT_SHAPE1 ((int64_t) (2 * n)), error).data;
}

static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  PmtTrack *t = run->tracks[0];
  PmtTensor clean;
  run->first = pmt_grid_first (run->grid, state->strength);
  if (run->first >= run->last) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In method edict, a strength of %g leaves none of %d steps to do; raise one of them."),
                 state->strength, run->request->steps);
    return FALSE;
  }
  if (!pmt_start_mean (run, 0, &clean, error))
    return FALSE;
  state->n = (size_t) pmt_tensor_size (clean);
  state->seen = pmt_run_new_tensor (run, clean.shape, error);
  for (int k = 0; k < N_TWINS; k++)
    if (!state->seen.data || !(state->twin[k] = new_doubles (run, state->n, error)))
      return FALSE;
  for (size_t k = 0; k < state->n; k++)
    state->twin[X][k] = state->twin[Y][k] = clean.data[k];
  for (int i = run->last - 1; i >= run->first; i--) {
    const PmtStep at = { .i = i - run->first, .n = run->last - run->first, .grid_i = i, .timestep = run->grid->timestep[i],
                         .sigma = run->grid->sigma[i] };
    if (!go_up (state, run, &at, error))
      return FALSE;
  }
  see (state, X, t->latent.data);
  t->started = true;
  return TRUE;
}

/* The loop's own evaluation is the first of the step's two: it is shown the twin that stays. */
static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  State *state = user;
  PmtTrack *t = run->tracks[track];
  if (track == 0 && stage == PMT_LATENT_PRE) {
    see (state, 1 - first_of (step->i), t->latent.data);
  } else if (track == 0 && stage == PMT_LATENT_STEP) {
    if (!go_down (state, run, step, t->prediction, error))
      return FALSE;
    see (state, X, t->latent.data);
    *moved = true;
  }
  return TRUE;
}

static const char *const replaces[] = { "img2img", NULL }, *const conflicts[] = { "multidiffusion", "diffedit", "deepcache", "token-merging", "attend-and-excite", "layout-backward",
                                                                                   "attention-refocusing", NULL };

const PmtMethod pmt_method_edict = {
  .id = "edict",
  .label = N_("Exact inversion"),
  .summary = N_("Changes a photo as a prompt says and keeps what it does not speak of, by a way to noise that can be gone back exactly."),
  .params = params,
  .order = 200,
  .advised_guidance = 3, /* the paper's: the way to noise goes with it too, and more leads astray */
  .replaces = replaces,
  .conflicts = conflicts,
  .state_new = state_new,
  .state_free = g_free,
  .text = text,
  .plan = plan,
  .latent = latent,
};
