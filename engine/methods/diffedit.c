/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DiffEdit (Couairon et al. 2023): change what a prompt says in a picture, and nothing else, without a mask by hand.
 *
 *  1. The picture's latents are noised several times, and where predictions with the prompt and with the source prompt differ is where the
 *     change belongs: their mean distance, clamped at `clamp` times its mean and divided by that, from `threshold` on. Guidance would
 *     scale both alike and is left out. A mask of the request takes the place of this one.
 *  2. The latents are inverted by DDIM with the source prompt through `ratio` of the steps, and kept at each level.
 *  3. From there the run goes down again with the prompt. After each step what is outside the mask becomes the kept latent of the same
 *     level, so at the end it is the picture's own. */
#include <math.h>
#include <string.h>

#include "engine/methods/start.h"
#include "engine/sample/invert.h"

typedef struct State {
  const char *source;
  int noises;
  double noise_strength, clamp, threshold, ratio;
  bool guided;
  PmtConditioning said; /* the source prompt's */
  PmtTensor *path;      /* count + 1 latents; [k] is at grid point grid->n - k */
  int count;
  float *mask;          /* h * w: 1 = change */
} State;

static const PmtParam params[] = {
  { .id = "source", .label = N_("_Source prompt"), .help = N_("What the picture shows; empty leaves that open"), .type = PMT_PARAM_STRING, .text = "" },
  { .id = "ratio", .label = N_("_Ratio"), .help = N_("How far back to noise the picture is taken; less keeps more of it"),
    .type = PMT_PARAM_DOUBLE, .min = 0.01, .max = 1, .fallback = 0.8 },
  { .id = "noises", .label = N_("_Noises"), .help = N_("How often both prompts are compared to find the mask"), .type = PMT_PARAM_INT, .min = 1,
    .max = 100, .fallback = 10 },
  { .id = "noise-strength", .label = N_("Noise st_rength"), .help = N_("At how much noise both prompts are compared"),
    .type = PMT_PARAM_DOUBLE, .min = 0.01, .max = 1, .fallback = 0.5 },
  { .id = "clamp", .label = N_("_Clamp"), .help = N_("Differences above this many times the mean count no further"),
    .type = PMT_PARAM_DOUBLE, .min = 0.1, .max = 100, .fallback = 3 },
  { .id = "threshold", .label = N_("_Threshold"), .help = N_("A place is changed where both prompts differ by more than this part of clamp times the mean; less changes more"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0.5 },
  { .id = "guided", .label = N_("_Guided inversion"), .help = N_("Take the picture back to noise with guidance too; without it is kept better"),
    .type = PMT_PARAM_BOOL, .min = 0, .max = 1, .fallback = 0 },
  { 0 }
};

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  if (!pmt_start_check_inversion (run, "diffedit", error))
    return NULL;
  State *state = g_new0 (State, 1);
  *state = (State) {
    .source = pmt_param_text (values, "source"),
    .noises = (int) pmt_param_number (values, "noises"),
    .noise_strength = pmt_param_number (values, "noise-strength"),
    .clamp = pmt_param_number (values, "clamp"),
    .threshold = pmt_param_number (values, "threshold"),
    .ratio = pmt_param_number (values, "ratio"),
    .guided = pmt_param_number (values, "guided") != 0,
  };
  pmt_run_expect_text (run, state->source);
  return state;
}

static void
state_free (void *user)
{
  State *state = user;
  g_free (state->path);
  g_free (state->mask);
  g_free (state);
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  return pmt_run_encode_text (run, state->source, &state->said, NULL, error);
}

/* ---- the mask ------------------------------------------------------------------------------------------------------------- */

/* Adds |e_prompt - e_source| of one noised latent, summed over channels, to map[h * w]. */
static gboolean
compare (const State *state, PmtRun *run, PmtTensor clean, int at, double *map, GError **error)
{
  const int64_t c = run->latent_channels, n = pmt_tensor_size (clean);
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  PmtStep step = { .n = run->grid->n, .i = at, .grid_i = at, .timestep = run->grid->timestep[at], .sigma = run->grid->sigma[at] };
  PmtTensor noise = pmt_tensor_new (&run->ctx, clean.shape), noised = pmt_tensor_new (&run->ctx, clean.shape);
  PmtRow *row = NULL;
  gboolean ok = !pmt_context_take_error (&run->ctx, error) && pmt_run_draw_noise (run, 0, noise, error);
  if (ok) {
    run->request->sampler->add_noise (run->tracks[0]->solver, at, clean.data, noise.data, noised.data);
    row = pmt_run_add_row (run, &step, 0, error);
    ok = row != NULL;
  }
  if (ok) {
    row->latent = noised;
    row = pmt_rows_add_like (&step.rows, 0, "source");
    row->context = state->said.context;
    row->pooled = state->said.pooled;
    ok = pmt_run_predict (run, &step, error);
  }
  for (int64_t i = 0; ok && !run->ctx.dry && i < n; i++)
    map[i / c] += fabs ((double) step.rows.row[0].prediction.data[i] - step.rows.row[1].prediction.data[i]);
  pmt_rows_clear (&step.rows);
  pmt_arena_release (run->ctx.step, mark);
  return ok;
}

static gboolean
find_mask (State *state, PmtRun *run, PmtTensor clean, GError **error)
{
  const int area = run->latent_height * run->latent_width, at = pmt_grid_first (run->grid, state->noise_strength);
  g_autofree double *map = g_new0 (double, area);
  g_autofree float *shown = g_new (float, area);
  double mean = 0;
  if (at >= run->grid->n) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In method diffedit, a noise-strength of %g is less than one of %d steps; raise one of them."),
                 state->noise_strength, run->request->steps);
    return FALSE;
  }
  for (int k = 0; k < state->noises; k++)
    if (!compare (state, run, clean, at, map, error))
      return FALSE;
  for (int p = 0; p < area; p++)
    mean += map[p] / area;
  /* Prompts that say the same differ nowhere. */
  for (int p = 0; p < area; p++) {
    shown[p] = mean > 0 ? (float) MIN (map[p] / (state->clamp * mean), 1.0) : 0;
    state->mask[p] = mean > 0 && map[p] / (state->clamp * mean) > state->threshold;
  }
  pmt_run_add_map (run, "diffedit", run->latent_width, run->latent_height, shown);
  pmt_run_add_map (run, "diffedit-mask", run->latent_width, run->latent_height, state->mask);
  return TRUE;
}

static gboolean
take_mask (State *state, PmtRun *run, GError **error)
{
  const float *given = pmt_start_latent_mask (run, error);
  for (int p = 0; given && p < run->latent_height * run->latent_width; p++)
    state->mask[p] = given[p] >= 0.5f;
  return given != NULL;
}

/* ---- there and back ------------------------------------------------------------------------------------------------------- */

static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  PmtTrack *t = run->tracks[0];
  PmtTensor clean, noised;
  state->count = run->grid->n - pmt_grid_first (run->grid, state->ratio);
  if (state->count < 1) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In method diffedit, a ratio of %g leaves none of %d steps to do; raise one of them."),
                 state->ratio, run->request->steps);
    return FALSE;
  }
  state->mask = g_new0 (float, run->latent_height * run->latent_width);
  state->path = g_new0 (PmtTensor, state->count + 1);
  if (!pmt_start_mean (run, 0, &clean, error) || !(run->request->mask ? take_mask (state, run, error) : find_mask (state, run, clean, error)))
    return FALSE;
  const PmtInversion inversion = { .count = state->count, .guided = state->guided, .text = state->said };
  if (!pmt_run_invert (run, 0, &inversion, clean, state->path, &noised, error))
    return FALSE;
  memcpy (t->latent.data, noised.data, (size_t) pmt_tensor_size (noised) * sizeof (float));
  t->started = true;
  run->first = run->grid->n - state->count;
  return TRUE;
}

/* What is not changed is what it was at that level. */
static void
put_back (const State *state, const PmtRun *run, PmtTensor from)
{
  const int c = run->latent_channels;
  float *x = run->tracks[0]->latent.data;
  for (int p = 0; p < run->latent_height * run->latent_width; p++)
    if (state->mask[p] == 0)
      memcpy (x + p * c, from.data + p * c, (size_t) c * sizeof (float));
}

static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  const State *state = user;
  if (track == 0 && stage == PMT_LATENT_POST)
    put_back (state, run, state->path[run->grid->n - 1 - step->grid_i]);
  else if (track == 0 && stage == PMT_LATENT_END) /* also when the user kept an estimate */
    put_back (state, run, state->path[0]);
  return TRUE;
}

static const char *const replaces[] = { "img2img", "latent-blend", NULL };

const PmtMethod pmt_method_diffedit = {
  .id = "diffedit",
  .label = N_("Edit by description"),
  .summary = N_("Finds by itself where a picture has to change for a prompt, and changes only that."),
  .params = params,
  .order = 200,
  .replaces = replaces,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .plan = plan,
  .latent = latent,
};
