/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inpainting with a network that was trained for it: its input is [latent | mask | latents of the picture without the masked part]
 * (Rombach et al. 2022, 4.4; formats.md 7.3). Without a picture or a mask, all is to be painted: such a network then makes pictures
 * from text like any other. */
#include "engine/methods/start.h"

typedef struct State {
  PmtTensor extra; /* [1, h, w, 1 + c], the same for every row of every step */
} State;

static bool
implied (const PmtRun *run)
{
  return run->unet_channels == 2 * run->latent_channels + 1 && !pmt_start_inpaints_boxes (run);
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  if (implied (run))
    return g_new0 (State, 1);
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
               _("The method inpaint-channels needs a network with %d input channels and this one has %d; choose an inpainting model."),
               2 * run->latent_channels + 1, run->unet_channels);
  return NULL;
}

/* The picture in [0, 1] with mid-grey (0 in the network's [-1, 1]) where the mask says paint. */
static float *
masked_picture (PmtRun *run, GError **error)
{
  const PmtRequest *q = run->request;
  const size_t n = (size_t) q->width * (size_t) q->height;
  float *picture = pmt_arena_alloc (run->ctx.step, n * 3 * sizeof (float), error);
  if (!picture || run->ctx.dry)
    return picture;
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < 3; c++)
      picture[i * 3 + c] = q->image && q->mask && q->mask[i] < 0.5f ? q->image[i * 3 + c] : 0.5f;
  return picture;
}

static gboolean
make_extra (State *state, PmtRun *run, GError **error)
{
  const int64_t h = run->latent_height, w = run->latent_width, c = run->latent_channels;
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  float *picture = masked_picture (run, error);
  PmtTensor moments, latent;
  if (!picture || !pmt_run_encode (run, picture, &moments, error) || !pmt_run_sample_moments (run, 0, moments, &latent, error))
    return FALSE;
  pmt_arena_release (run->ctx.step, mark);

  const bool whole = !run->request->image || !run->request->mask;
  float *mask = whole ? NULL : pmt_start_latent_mask (run, error);
  if (!whole && !mask)
    return FALSE;
  state->extra = pmt_run_new_tensor (run, PMT_SHAPE4 (1, h, w, 1 + c), error);
  if (!state->extra.data)
    return FALSE;
  for (int64_t p = 0; p < h * w; p++) {
    float *out = state->extra.data + p * (1 + c);
    out[0] = whole || mask[p] >= 0.5f ? 1.0f : 0.0f;
    for (int64_t k = 0; k < c; k++)
      out[1 + k] = latent.data[p * c + k];
  }
  run->extra = state->extra;
  return TRUE;
}

static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  PmtTensor clean, noise;
  /* Start first, masked picture second: the order in which the reference draws. */
  if (run->request->image && run->request->mask) {
    if (!pmt_start_from_image (run, 0, (PmtStart) { .pure_at_full = !run->request->prefilled }, &clean, error))
      return FALSE;
  } else if (!pmt_run_initial_noise (run, 0, &noise, error)) {
    return FALSE;
  }
  return make_extra (user, run, error);
}

static gboolean
branch (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  const State *state = user;
  for (int i = 0; i < step->rows.n; i++)
    step->rows.row[i].extra = state->extra;
  return TRUE;
}

const PmtMethod pmt_method_inpaint_channels = {
  .id = "inpaint-channels",
  .label = N_("Fill with an inpainting model"),
  .summary = N_("Paints what is masked so that it fits what is around it, with a model that was trained for that."),
  .order = 200,
  .internal = true,
  .implied = implied,
  .state_new = state_new,
  .state_free = g_free,
  .plan = plan,
  .branch = branch,
};
