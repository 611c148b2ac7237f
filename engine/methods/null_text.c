/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Null-text inversion (Mokady et al. 2023): a photo's way to noise by DDIM without guidance, and for each step the "negative prompt" with which
 * guidance leads back along that way, found by Adam on the gradient by its embedding. The run then starts at the noise and has those for
 * all its tracks: with the photo's own prompt the photo comes back, with prompt-to-prompt or another prompt it is changed. */
#include <math.h>
#include <string.h>

#include "engine/methods/start.h"
#include "engine/optim/adam.h"
#include "engine/sample/gradient.h"
#include "engine/sample/invert.h"

typedef struct State {
  const char *source;
  int iterations;
  double rate, enough;
  PmtConditioning said; /* the source prompt's; zeroed = the prompt's own */
  PmtTensor *negative;  /* one per grid point, in the run's memory; NULL without guidance */

  /* Of the step that is being worked on: where it ends is from x + by (u + g (c - u)). */
  const float *cond, *wanted, *start;
  double from, by;
} State;

static const PmtParam params[] = {
  { .id = "source", .label = N_("_Source prompt"), .help = N_("What the photo shows; empty = what the prompt says"), .type = PMT_PARAM_STRING, .text = "" },
  { .id = "iterations", .label = N_("_Iterations"), .help = N_("How often each step's negative prompt is bettered at most; more keeps more of the photo"),
    .type = PMT_PARAM_INT, .min = 0, .max = 1000, .fallback = 10 },
  { .id = "rate", .label = N_("_Learning rate"), .help = N_("How far it moves each time"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0.01 },
  { .id = "enough", .label = N_("_Good enough"), .help = N_("The mean squared error at which a step is left; it may be larger in later steps"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 1e-5 },
  { 0 }
};

/* Then guidance is no longer linear in the prediction with the negative prompt, as the way that is looked for here has it. */
static bool
rescales (const PmtRequest *q)
{
  for (int i = 0; i < q->n_methods; i++)
    if (strcmp (q->methods[i].method->id, "guidance") == 0 && pmt_param_number (&q->methods[i].values, "rescale") > 0)
      return true;
  return false;
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  if (!pmt_start_check_inversion (run, "null-text", error))
    return NULL;
  if (rescales (run->request)) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT,
                         _("The method null-text goes back by guidance as it is; set the rescale of the method guidance to 0."));
    return NULL;
  }
  if (run->request->mask) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _("The method null-text takes whole pictures to noise and back; leave the mask out."));
    return NULL;
  }
  State *state = g_new0 (State, 1);
  *state = (State) { .source = pmt_param_text (values, "source"), .iterations = (int) pmt_param_number (values, "iterations"),
                     .rate = pmt_param_number (values, "rate"), .enough = pmt_param_number (values, "enough") };
  pmt_run_expect_text (run, state->source);
  return state;
}

static void
state_free (void *user)
{
  g_free (((State *) user)->negative);
  g_free (user);
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  if (*state->source)
    return pmt_run_encode_text (run, state->source, &state->said, NULL, error);
  state->said = (PmtConditioning) { run->context, run->pooled };
  return TRUE;
}

/* ---- one step ---------------------------------------------------------------------------------------------------------- */

/* The network's output with that text, kept in the run's memory at `to`: of a row as the run itself has it, so that methods which show the
 * rows with the negative prompt something else (IP-Adapter, GLIGEN, ControlNet) do so here. */
static gboolean
predict (PmtRun *run, const PmtStep *at, PmtConditioning said, bool negative, PmtTensor to, GError **error)
{
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  PmtStep step = { .i = at->i, .n = at->n, .grid_i = at->grid_i, .timestep = at->timestep, .sigma = at->sigma };
  PmtRow *row = pmt_run_add_row (run, &step, 0, error);
  if (row) {
    row->context = said.context;
    row->pooled = said.pooled;
    row->guidance = 1.0;
    if (negative) {
      row->role = PMT_ROW_UNCOND;
      row->time_ids = run->negative_time_ids;
    }
  }
  const gboolean ok = row && pmt_run_predict (run, &step, error);
  if (ok && !run->ctx.dry)
    memcpy (to.data, step.rows.row[0].prediction.data, (size_t) pmt_tensor_size (to) * sizeof (float));
  pmt_rows_clear (&step.rows);
  pmt_arena_release (run->ctx.step, mark);
  return ok;
}

/* A DDIM step is linear in the latent and the output. */
static void
find_move (State *state, PmtRun *run, int i, float *output, float *x, size_t n)
{
  const PmtTrack *t = run->tracks[0];
  for (size_t k = 0; k < n; k++) {
    output[k] = 0;
    x[k] = 1;
  }
  run->request->sampler->step (t->solver, i, output, x);
  state->from = (double) x[0];
  for (size_t k = 0; k < n; k++) {
    output[k] = 1;
    x[k] = 0;
  }
  run->request->sampler->step (t->solver, i, output, x);
  state->by = (double) x[0];
}

/* Where the step ends with output u for the negative prompt. */
static double
end_of (const State *state, const PmtRun *run, const float *u, size_t k)
{
  return state->from * (double) state->start[k] + state->by * ((double) u[k] + run->request->guidance * ((double) state->cond[k] - (double) u[k]));
}

static gboolean
loss (void *user, PmtRun *run, PmtProbed *probed, int n, double *value, GError **error)
{
  const State *state = user;
  const PmtTensor u = probed[0].value;
  const int64_t size = pmt_tensor_size (u);
  *value = 0;
  for (int64_t k = 0; k < size; k++) {
    const double off = end_of (state, run, u.data, (size_t) k) - (double) state->wanted[k];
    *value += off * off / (double) size;
    probed[0].gradient.data[k] += (float) (2 * off * state->by * (1 - run->request->guidance) / (double) size);
  }
  return TRUE;
}

/* Betters `u` for this step. A dry run counts all iterations. */
static gboolean
better (State *state, PmtRun *run, const PmtStep *at, PmtTensor u, GError **error)
{
  PmtTrack *t = run->tracks[0];
  const PmtTensor given = t->negative;
  const size_t n = (size_t) pmt_tensor_size (u);
  g_autofree float *mean = g_new0 (float, n), *square = g_new0 (float, n);
  const double part = (double) at->i / at->n; /* of the reference's fifty steps */
  const PmtAdam adam = pmt_adam (state->rate * (1 - 0.5 * part));
  gboolean ok = TRUE;
  t->negative = u;
  for (int j = 0; j < state->iterations && ok; j++) {
    PmtGradient g = { .user = state, .prediction = true, .guidance = 1, .to_context = true, .negative = true, .apart = true, .loss = loss };
    PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
    ok = pmt_run_gradient (run, at, 0, &g, error);
    if (ok && !run->ctx.dry)
      pmt_adam_step (&adam, j + 1, u.data, g.context.data, mean, square, n);
    pmt_arena_release (run->ctx.step, mark);
    if (!run->ctx.dry && g.value < state->enough + 1e-3 * part)
      break;
  }
  t->negative = given;
  return ok;
}

/* All steps along the photo's way: path[k] is at grid point n - k. */
static gboolean
find_negatives (State *state, PmtRun *run, const PmtTensor *path, GError **error)
{
  PmtTrack *t = run->tracks[0];
  const int n = run->grid->n;
  const size_t size = (size_t) pmt_tensor_size (t->latent);
  PmtTensor cond = pmt_run_new_tensor (run, t->latent.shape, error), none = pmt_run_new_tensor (run, t->latent.shape, error);
  if (!cond.data || !none.data)
    return FALSE;
  state->negative = g_new0 (PmtTensor, n);
  for (int i = 0; i < n; i++) {
    const PmtStep at = { .i = i, .n = n, .grid_i = i, .timestep = run->grid->timestep[i], .sigma = run->grid->sigma[i] };
    PmtTensor *u = &state->negative[i];
    *u = pmt_run_keep (run, i > 0 ? state->negative[i - 1] : t->negative, error);
    find_move (state, run, i, cond.data, none.data, size);
    if (!u->data || !predict (run, &at, state->said, false, cond, error))
      return FALSE;
    state->cond = cond.data;
    state->wanted = path[n - 1 - i].data;
    state->start = t->latent.data;
    if (!better (state, run, &at, *u, error) || !predict (run, &at, (PmtConditioning) { *u, t->negative_pooled }, true, none, error))
      return FALSE;
    for (size_t k = 0; k < size; k++)
      t->latent.data[k] = (float) end_of (state, run, none.data, k);
  }
  return TRUE;
}

static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  PmtTrack *t = run->tracks[0];
  PmtTensor clean, noised;
  const PmtInversion inversion = { .text = state->said };
  g_autofree PmtTensor *path = g_new0 (PmtTensor, run->grid->n + 1);
  if (!pmt_start_mean (run, 0, &clean, error) || !pmt_run_invert (run, 0, &inversion, clean, path, &noised, error))
    return FALSE;
  memcpy (t->latent.data, noised.data, (size_t) pmt_tensor_size (noised) * sizeof (float));
  /* Without guidance the way back is that of the prompt alone, and no negative prompt has a part in it. */
  if (run->request->guidance != 1.0 && t->negative.data && !find_negatives (state, run, path, error))
    return FALSE;
  memcpy (t->latent.data, noised.data, (size_t) pmt_tensor_size (noised) * sizeof (float));
  t->started = true;
  return TRUE;
}

/* For all branches, also those of tracks that other methods made. */
static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  const State *state = user;
  if (stage == PMT_LATENT_PRE && state->negative)
    run->tracks[track]->negative = state->negative[step->grid_i];
  return TRUE;
}

static const char *const replaces[] = { "img2img", NULL };
static const char *const conflicts[] = { "multidiffusion", "diffedit", "edict", "masactrl", "pix2pix-zero", "deepcache", "token-merging", NULL };

const PmtMethod pmt_method_null_text = {
  .id = "null-text",
  .label = N_("Faithful inversion"),
  .summary = N_("Finds noise and negative prompts out of which a photo comes back under guidance, so that words can change it; takes long once."),
  .params = params,
  .order = 200,
  .replaces = replaces,
  .conflicts = conflicts,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .plan = plan,
  .latent = latent,
};
