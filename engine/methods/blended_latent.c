/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blended Latent Diffusion (Avrahami, Fried & Lischinski 2023): fill a mask with any model. After each step what is outside the mask becomes
 * the picture's latents with fresh noise of the level arrived at; after the last one, the picture's latents themselves. The run starts from
 * the noised picture a quarter down the way, so that the filling fits what was there.
 *
 * Things that are smaller than a few cells get lost: the mask may begin larger and shrink, in equal parts, until it is itself in the last
 * step (section 4.4 there). latent_blend.c is the plain form, with one noise for the whole run and soft masks. */
#include <string.h>

#include "engine/methods/start.h"

typedef struct State {
  double start;
  int dilate;
  float *mask; /* h * w, 0 or 1 */
  float *now;  /* h * w: the mask of the present step */
  PmtTensor clean;
} State;

static const PmtParam params[] = {
  { .id = "start", .label = N_("_Start"), .help = N_("Part of the run that is left out; more keeps more of what is under the mask"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 0.99, .fallback = 0.25 },
  { .id = "dilate", .label = N_("_Dilate"), .help = N_("Latent cells by which the mask begins larger than it ends, for small and thin masks"),
    .type = PMT_PARAM_INT, .min = 0, .max = 64, .fallback = 0 },
  { 0 }
};

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  const PmtRequest *q = run->request;
  const char *wrong = !q->image || !q->mask ? _("needs a picture and a mask; give both")
                      : q->edit || run->unet_channels != run->latent_channels
                        ? _("needs a model without further channels; choose another model, or leave the method out")
                        : NULL;
  if (wrong) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The method blended-latent %s."), wrong);
    return NULL;
  }
  State *state = g_new0 (State, 1);
  *state = (State) { .start = pmt_param_number (values, "start"), .dilate = (int) pmt_param_number (values, "dilate") };
  return state;
}

static void
state_free (void *user)
{
  State *state = user;
  g_free (state->mask);
  g_free (state->now);
  g_free (state);
}

static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  PmtTrack *t = run->tracks[0];
  const int area = run->latent_height * run->latent_width;
  PmtTensor noise;
  run->first = pmt_grid_first (run->grid, 1 - state->start);
  if (run->first >= run->last) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In method blended-latent, a start of %g leaves none of %d steps to do; start sooner."),
                 state->start, run->request->steps);
    return FALSE;
  }
  const float *given = pmt_start_mean (run, 0, &state->clean, error) ? pmt_start_latent_mask (run, error) : NULL;
  if (!given || !pmt_run_initial_noise (run, 0, &noise, error))
    return FALSE;
  state->mask = g_new (float, area);
  state->now = g_new (float, area);
  for (int p = 0; p < area; p++)
    state->mask[p] = !run->ctx.dry && given[p] >= 0.5f;
  run->request->sampler->add_noise (t->solver, run->first, state->clean.data, noise.data, t->latent.data);
  t->started = true;
  return TRUE;
}

/* The mask, larger by `cells` on all sides. */
static void
grow (const State *state, const PmtRun *run, int cells)
{
  const int h = run->latent_height, w = run->latent_width;
  memset (state->now, 0, (size_t) (h * w) * sizeof (float));
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++)
      if (state->mask[y * w + x] != 0)
        for (int v = MAX (y - cells, 0); v <= MIN (y + cells, h - 1); v++)
          for (int u = MAX (x - cells, 0); u <= MIN (x + cells, w - 1); u++)
            state->now[v * w + u] = 1;
}

static void
put_back (const State *state, const PmtRun *run, const float *from)
{
  const int c = run->latent_channels;
  float *x = run->tracks[0]->latent.data;
  for (int p = 0; p < run->latent_height * run->latent_width; p++)
    if (state->now[p] == 0)
      memcpy (x + p * c, from + p * c, (size_t) c * sizeof (float));
}

static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  const State *state = user;
  const int next = step->grid_i + 1;
  if (track != 0)
    return TRUE;
  if (stage == PMT_LATENT_POST && next < run->grid->n) {
    PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
    PmtTensor noise = pmt_tensor_new (&run->ctx, state->clean.shape), noised = pmt_tensor_new (&run->ctx, state->clean.shape);
    if (pmt_context_take_error (&run->ctx, error) || !pmt_run_draw_noise (run, 0, noise, error))
      return FALSE;
    run->request->sampler->add_noise (run->tracks[0]->solver, next, state->clean.data, noise.data, noised.data);
    grow (state, run, state->dilate * (step->n - 1 - step->i) / step->n);
    put_back (state, run, noised.data);
    pmt_arena_release (run->ctx.step, mark);
  } else if (stage == PMT_LATENT_END && !pmt_run_goes_on (run, next)) {
    grow (state, run, 0);
    put_back (state, run, state->clean.data);
  }
  return TRUE;
}

static const char *const replaces[] = { "img2img", "latent-blend", NULL }, *const conflicts[] = { "diffedit", "edict", "masactrl", NULL };

const PmtMethod pmt_method_blended_latent = {
  .id = "blended-latent",
  .label = N_("Blended filling"),
  .summary = N_("Fills a mask with any model, with fresh noise around it in each step; also masks that are small or thin."),
  .params = params,
  .order = 200,
  .conflicts = conflicts,
  .replaces = replaces,
  .state_new = state_new,
  .state_free = state_free,
  .plan = plan,
  .latent = latent,
};
