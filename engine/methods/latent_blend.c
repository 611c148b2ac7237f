/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inpainting with a network that knows no masks: after each step, what is not to be painted is put back as the picture's latents,
 * noised to the present level, always with the noise that the run started from (formats.md 7.4).
 *
 * A soft mask is a strength per pixel: a pixel of mask value m joins where img2img of strength m * strength would start, and is put back
 * until then. So 1 joins at the start, 0 never, and a binary mask gives exactly the blending of 7.4. */
#include <string.h>

#include "engine/methods/start.h"

typedef struct State {
  PmtTensor clean; /* [1, h, w, c] */
  int *joins;      /* h * w grid points; grid->n = never */
  PmtTensor noised;
} State;

static bool
implied (const PmtRun *run)
{
  return run->request->image && run->request->mask && run->unet_channels <= run->latent_channels + 1;
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  if (run->request->image && run->request->mask)
    return g_new0 (State, 1);
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The method latent-blend needs a picture and a mask; give both."));
  return NULL;
}

static void
state_free (void *user)
{
  State *state = user;
  g_free (state->joins);
  g_free (state);
}

static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  const int64_t area = (int64_t) run->latent_height * run->latent_width;
  PmtStart start = { .pure_at_full = !run->request->prefilled, .need_clean = true };
  if (!pmt_start_from_image (run, 0, start, &state->clean, error))
    return FALSE;
  state->noised = pmt_run_new_tensor (run, state->clean.shape, error);
  /* The reference encodes the masked picture here too and doesn't use it; its draw is repeated, because samplers that draw in each
   * step go on from there. */
  if (!state->noised.data || !pmt_run_draw_noise (run, 0, state->noised, error))
    return FALSE;
  const float *mask = pmt_start_latent_mask (run, error);
  if (!mask)
    return FALSE;
  state->joins = g_new (int, area);
  for (int64_t p = 0; p < area; p++)
    state->joins[p] = pmt_grid_first (run->grid, run->request->strength * mask[p]);
  return TRUE;
}

/* Puts back every pixel that joins at `at` or later. */
static void
put_back (const State *state, PmtRun *run, const float *from, int at)
{
  const int64_t area = (int64_t) run->latent_height * run->latent_width, c = run->latent_channels;
  float *x = run->tracks[0]->latent.data;
  for (int64_t p = 0; p < area; p++)
    if (state->joins[p] >= at)
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
    run->request->sampler->add_noise (run->tracks[0]->solver, next, state->clean.data, run->tracks[0]->noise.data, state->noised.data);
    put_back (state, run, state->noised.data, next);
  } else if (stage == PMT_LATENT_END && !pmt_run_goes_on (run, next)) {
    /* all that never took part, also when the user kept an estimate before its time had come */
    put_back (state, run, state->clean.data, next);
  }
  return TRUE;
}

const PmtMethod pmt_method_latent_blend = {
  .id = "latent-blend",
  .label = N_("Fill with any model"),
  .summary = N_("Paints what is masked and keeps the rest, with a model that was not trained for it."),
  .order = 200,
  .internal = true,
  .implied = implied,
  .state_new = state_new,
  .state_free = state_free,
  .plan = plan,
  .latent = latent,
};
