/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Editing by instruction (Brooks, Holynski & Efros 2023, InstructPix2Pix; formats.md 7.2): the network sees the picture's latents beside
 * the noisy ones, and guidance goes along two directions, from (no text, no picture) to (no text, picture) to (text, picture):
 * e = e_0 + s_I (e_I - e_0) + s_T (e_TI - e_I). */
#include "engine/sample/run.h"

#define ROLE_IMAGE "image" /* no text, with the picture */

typedef struct State {
  bool text_pass, image_pass; /* rows beside the one with text and picture */
  PmtTensor image, none;      /* [1, h, w, c] further channels: the picture's latents, zeros */
} State;

static bool
implied (const PmtRun *run)
{
  return run->request->edit;
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  const PmtRequest *q = run->request;
  if (!q->edit) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT,
                         _("The method instruct-pix2pix follows from the task edit; leave it out and give the instruction to that task."));
    return NULL;
  }
  State *state = g_new0 (State, 1);
  /* The reference guides along both directions or not at all; at 1 the picture's direction cancels out. */
  state->text_pass = q->guidance > 1.0 && q->image_guidance >= 1.0;
  state->image_pass = state->text_pass && q->image_guidance > 1.0;
  return state;
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  const State *state = user;
  return !state->text_pass || pmt_run_encode_negative (run, error);
}

/* The most likely latents of the picture, as the encoder gives them: neither scaled nor drawn. */
static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  PmtTensor moments;
  if (!pmt_run_encode (run, NULL, &moments, error))
    return FALSE;
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  PmtTensor mode = pmt_vae_sample (&run->ctx, run->vae, moments, PMT_NO_TENSOR, false);
  if (pmt_context_take_error (&run->ctx, error))
    return FALSE;
  state->image = pmt_run_keep (run, mode, error);
  pmt_arena_release (run->ctx.step, mark);
  if (state->image.data)
    state->none = pmt_run_new_tensor (run, state->image.shape, error);
  if (!state->none.data)
    return FALSE;
  for (int64_t i = 0; i < pmt_tensor_size (state->none); i++)
    state->none.data[i] = 0;
  run->extra = state->image; /* where a gradient is taken, which looks at the row with text and picture */
  return TRUE;
}

static void
add_negative (PmtRun *run, PmtStep *step, int i, const char *role, PmtTensor extra)
{
  PmtRow *row = pmt_rows_add_like (&step->rows, i, role);
  row->context = run->tracks[row->track]->negative;
  row->pooled = run->tracks[row->track]->negative_pooled;
  row->time_ids = run->negative_time_ids;
  row->extra = extra;
}

static gboolean
branch (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  const State *state = user;
  const int n = step->rows.n;
  for (int i = 0; i < n; i++) {
    step->rows.row[i].extra = state->image;
    if (g_strcmp0 (step->rows.row[i].role, PMT_ROW_COND) != 0)
      continue;
    /* with two rows the second is what an unconditional one is to other methods */
    if (state->text_pass)
      add_negative (run, step, i, state->image_pass ? ROLE_IMAGE : PMT_ROW_UNCOND, state->image);
    if (state->image_pass)
      add_negative (run, step, i, PMT_ROW_UNCOND, state->none);
  }
  return TRUE;
}

static gboolean
combine (void *user, PmtRun *run, PmtStep *step, int track, GError **error)
{
  const State *state = user;
  const PmtRow *cond = pmt_rows_find (&step->rows, track, PMT_ROW_COND), *uncond = pmt_rows_find (&step->rows, track, PMT_ROW_UNCOND);
  const PmtRow *image = state->image_pass ? pmt_rows_find (&step->rows, track, ROLE_IMAGE) : uncond;
  if (!state->text_pass || !cond || !uncond || !image)
    return TRUE;
  const float s_text = (float) run->request->guidance, s_image = (float) run->request->image_guidance;
  const float *c = cond->prediction.data, *m = image->prediction.data, *u = uncond->prediction.data;
  float *out = run->tracks[track]->prediction.data;
  for (int64_t i = 0; i < pmt_tensor_size (run->tracks[track]->prediction); i++)
    out[i] = u[i] + s_text * (c[i] - m[i]) + s_image * (m[i] - u[i]);
  return TRUE;
}

/* Universal guidance looks at what one direction of guidance makes; here there are two. */
static const char *const conflicts[] = { "guidance", "multidiffusion", "universal-guidance", NULL };

const PmtMethod pmt_method_instruct_pix2pix = {
  .id = "instruct-pix2pix",
  .label = N_("Edit by instruction"),
  .summary = N_("Changes a picture as an instruction says, with a model that was trained for that."),
  .order = 900, /* as guidance, whose place it takes */
  .conflicts = conflicts,
  .internal = true,
  .implied = implied,
  .state_new = state_new,
  .state_free = g_free,
  .text = text,
  .plan = plan,
  .branch = branch,
  .combine = combine,
};
