/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Things in their places (GLIGEN, Li et al. 2023; formats.md 7.7): phrases with boxes steer the picture through gated attentions between
 * the two attentions of every transformer block, during the first part of the run (scheduled sampling). Rows with the negative prompt
 * see null tokens instead, with the gates open.
 *
 * A GLIGEN network with 2c + 1 input channels inpaints: it is shown [latent | picture's latents outside | mask], the mask being 0 where
 * it shall paint and 1 elsewhere, and before each step what is outside is replaced by the picture at that step's noise. The mask is
 * the request's, else the boxes. diffusers' pipeline swaps width and height when it draws the boxes' mask, which shows on pictures that
 * are not square; here it is not swapped. */
#include <string.h>

#include "engine/kernels/packed.h"
#include "engine/methods/sides.h"
#include "engine/methods/start.h"
#include "engine/nets/gligen.h"

typedef struct State {
  PmtGligen *gligen; /* NULL without boxes: inpainting by text alone */
  double (*boxes)[4];
  int n, blocks, on_steps; /* on_steps: evaluations with the boxes */
  PmtTensor *k[PMT_N_SIDES], *v[PMT_N_SIDES]; /* per transformer block, [1, PMT_GLIGEN_OBJECTS, C] in the run's memory */
  bool active;
  bool inpaints;
  PmtTensor clean; /* the picture's latents, where outside is kept */
  PmtTensor mask;  /* [1, h, w, 1], 0 = paint */
  PmtTensor extra; /* [1, h, w, c + 1] */
} State;

/* ---- extra ------------------------------------------------------------------------------------------------------------ */

static void *
open_gligen (PmtModel *model, PmtUnetChoice choice, const char *path, GError **error)
{
  PmtGligen *gligen = pmt_gligen_open (path, pmt_model_unet_config (model, choice), error);
  if (gligen)
    pmt_weight_pool_set_precision (pmt_gligen_weights (gligen), pmt_precision_wide (pmt_model_precision (model)));
  return gligen;
}

static gboolean
load_gligen (void *extra, const PmtCancel *cancel, GError **error)
{
  return pmt_gligen_load (extra, cancel, error);
}

static size_t
gligen_bytes (const void *extra)
{
  return pmt_gligen_weight_bytes (extra);
}

static void
free_gligen (void *extra)
{
  pmt_gligen_free (extra);
}

static const PmtExtraClass gligen_class = { "GLIGEN", open_gligen, load_gligen, gligen_bytes, free_gligen };

/* ---- state ------------------------------------------------------------------------------------------------------------ */

static bool
implied (const PmtRun *run)
{
  return run->request->layout.n_boxes > 0 || pmt_start_inpaints_boxes (run);
}

static gboolean
check_box (const PmtLayoutBox *box, int i, GError **error)
{
  const double edges[4] = { box->x0, box->y0, box->x1, box->y1 };
  bool inside = true;
  for (int k = 0; k < 4; k++)
    inside = inside && edges[k] >= 0 && edges[k] <= 1;
  g_autofree char *phrase = g_strstrip (g_strdup (box->phrase ? box->phrase : ""));
  if (!*phrase) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("Box %d has no phrase; say what shall be in it."), i + 1);
    return FALSE;
  }
  if (!inside) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The box for \"%s\" is %g,%g,%g,%g; its edges are parts of the picture's width and height, from 0 to 1."), phrase, box->x0,
                 box->y0, box->x1, box->y1);
    return FALSE;
  }
  if (!(box->x1 > box->x0 && box->y1 > box->y0)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The box for \"%s\" is %g,%g,%g,%g, which is empty; give left, top, right and bottom in this order."), phrase, box->x0,
                 box->y0, box->x1, box->y1);
    return FALSE;
  }
  return TRUE;
}

static gboolean
check_layout (const PmtLayout *layout, GError **error)
{
  if (layout->n_boxes > PMT_GLIGEN_OBJECTS) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("There are %d boxes and a GLIGEN model takes at most %d; leave %d of them out."),
                 layout->n_boxes, PMT_GLIGEN_OBJECTS, layout->n_boxes - PMT_GLIGEN_OBJECTS);
    return FALSE;
  }
  if (!(layout->beta >= 0 && layout->beta <= 1)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The layout's part of the run (beta) is %g and has to be from 0 to 1."), layout->beta);
    return FALSE;
  }
  for (int i = 0; i < layout->n_boxes; i++)
    if (!check_box (&layout->boxes[i], i, error))
      return FALSE;
  return TRUE;
}

/* Where the weights are: those of a UNet that stands in for the model's were trained with it. */
static const char *
find_weights (const PmtRun *run)
{
  const char *told = run->request->layout.model, *unet = pmt_model_unet_path (run->model, run->unet_choice);
  if (told && *told)
    return told;
  return unet && pmt_model_unet_config (run->model, run->unet_choice)->gated ? unet : pmt_model_path (run->model);
}

static gboolean
open_layout (State *state, PmtRun *run, GError **error)
{
  const PmtLayout *layout = &run->request->layout;
  if (!check_layout (layout, error))
    return FALSE;
  state->gligen = pmt_run_extra (run, &gligen_class, find_weights (run), error);
  if (!state->gligen)
    return FALSE;
  state->n = layout->n_boxes;
  state->blocks = pmt_gligen_blocks (state->gligen);
  state->boxes = g_malloc_n ((gsize) state->n, sizeof *state->boxes);
  for (int i = 0; i < state->n; i++)
    memcpy (state->boxes[i], (double[4]) { layout->boxes[i].x0, layout->boxes[i].y0, layout->boxes[i].x1, layout->boxes[i].y1 },
            sizeof *state->boxes);
  for (int side = 0; side < PMT_N_SIDES; side++) {
    state->k[side] = g_new0 (PmtTensor, state->blocks);
    state->v[side] = g_new0 (PmtTensor, state->blocks);
  }
  return TRUE;
}

static void
state_free (void *user)
{
  State *state = user;
  for (int side = 0; side < PMT_N_SIDES; side++) {
    g_free (state->k[side]);
    g_free (state->v[side]);
  }
  g_free (state->boxes);
  g_free (state);
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  State *state = g_new0 (State, 1);
  state->inpaints = pmt_start_inpaints_boxes (run);
  if (run->request->layout.n_boxes > 0 && !open_layout (state, run, error)) {
    state_free (state);
    return NULL;
  }
  return state;
}

/* ---- phrases ---------------------------------------------------------------------------------------------------------- */

/* Pooled text of all phrases, [n, width] in the step arena. Padded to the longest: the encoder never looks ahead, so padding does not
 * show in what is pooled at the end of the text. */
static gboolean
encode_phrases (const State *state, PmtRun *run, PmtTensor *pooled, GError **error)
{
  const PmtTokenizer *tokenizer = run->tokenizers[0];
  const int most = MIN (pmt_tokenizer_length (tokenizer), pmt_clip_text_config (run->texts[0])->max_positions);
  const PmtLayoutBox *boxes = run->request->layout.boxes;
  int length = 0;
  for (int i = 0; i < state->n; i++) {
    PmtTokens tokens;
    pmt_tokenizer_encode (tokenizer, boxes[i].phrase, &tokens);
    length = MAX (length, tokens.n_tokens + 2);
    pmt_tokens_clear (&tokens);
    if (length > most) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The phrase of box %d is %d tokens too long; shorten it."), i + 1, length - most);
      return FALSE;
    }
  }
  g_autofree int *ids = g_new (int, length);
  g_autofree int32_t *all = g_new (int32_t, (gsize) state->n * (gsize) length);
  for (int i = 0; i < state->n; i++) {
    pmt_tokenizer_encode_padded (tokenizer, boxes[i].phrase, length, ids, NULL);
    for (int t = 0; t < length; t++)
      all[i * length + t] = ids[t];
  }
  *pooled = pmt_clip_text_forward (&run->ctx, run->texts[0], all, state->n, length, 0, true).pooled;
  return !pmt_context_take_error (&run->ctx, error);
}

static gboolean
make_keys (State *state, PmtRun *run, int side, PmtTensor objects, GError **error)
{
  for (int block = 0; block < state->blocks; block++) {
    PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
    PmtTensor k, v;
    pmt_gligen_keys (&run->ctx, state->gligen, block, objects, &k, &v);
    if (pmt_context_take_error (&run->ctx, error))
      return FALSE;
    state->k[side][block] = pmt_run_keep (run, k, error);
    if (state->k[side][block].data)
      state->v[side][block] = pmt_run_keep (run, v, error);
    if (!state->v[side][block].data)
      return FALSE;
    pmt_arena_release (run->ctx.step, mark);
  }
  return TRUE;
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  PmtTensor phrases;
  if (!state->gligen)
    return TRUE;
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  if (!encode_phrases (state, run, &phrases, error))
    return FALSE;
  for (int side = 0; side < PMT_N_SIDES; side++) {
    PmtTensor objects = pmt_gligen_objects (&run->ctx, state->gligen, (const double (*)[4]) state->boxes, phrases,
                                            side == PMT_SIDE_COND ? state->n : 0);
    if (!make_keys (state, run, side, objects, error))
      return FALSE;
  }
  pmt_arena_release (run->ctx.step, mark);
  return TRUE;
}

/* ---- inpainting ------------------------------------------------------------------------------------------------------- */

static void
draw_boxes (const PmtLayout *layout, float *mask, int64_t h, int64_t w)
{
  for (int64_t i = 0; i < h * w; i++)
    mask[i] = 1;
  for (int i = 0; i < layout->n_boxes; i++) {
    const PmtLayoutBox *box = &layout->boxes[i];
    for (int64_t y = (int64_t) (box->y0 * (double) h); y < (int64_t) (box->y1 * (double) h); y++)
      for (int64_t x = (int64_t) (box->x0 * (double) w); x < (int64_t) (box->x1 * (double) w); x++)
        mask[y * w + x] = 0;
  }
}

/* The mask as this network takes it. Without a picture there is nothing to keep; nor with a picture alone, which is a start then. */
static gboolean
make_mask (State *state, PmtRun *run, bool keeps, GError **error)
{
  const PmtRequest *q = run->request;
  const int64_t h = run->latent_height, w = run->latent_width;
  state->mask = pmt_run_new_tensor (run, PMT_SHAPE4 (1, h, w, 1), error);
  float *given = keeps && q->mask && state->mask.data ? pmt_start_latent_mask (run, error) : NULL;
  if (!state->mask.data || (keeps && q->mask && !given))
    return FALSE;
  if (keeps && !q->mask)
    draw_boxes (&q->layout, state->mask.data, h, w);
  else
    for (int64_t i = 0; i < h * w; i++)
      state->mask.data[i] = keeps && given[i] < 0.5f ? 1.0f : 0.0f;
  return TRUE;
}

static gboolean
make_extra (State *state, PmtRun *run, GError **error)
{
  const int64_t h = run->latent_height, w = run->latent_width, c = run->latent_channels;
  state->extra = pmt_run_new_tensor (run, PMT_SHAPE4 (1, h, w, c + 1), error);
  if (!state->extra.data)
    return FALSE;
  for (int64_t p = 0; p < h * w; p++) {
    float *out = state->extra.data + p * (c + 1);
    for (int64_t k = 0; k < c; k++)
      out[k] = state->clean.data ? state->clean.data[p * c + k] * state->mask.data[p] : 0.0f;
    out[c] = state->mask.data[p];
  }
  run->extra = state->extra;
  return TRUE;
}

static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  const PmtRequest *q = run->request;
  PmtTensor noise;
  if (!state->inpaints)
    return TRUE;
  const bool keeps = q->image && (q->mask || state->n > 0);
  if (keeps ? !pmt_start_from_image (run, 0, (PmtStart) { .pure_at_full = !run->request->prefilled, .need_clean = true }, &state->clean, error)
            : !pmt_run_initial_noise (run, 0, &noise, error))
    return FALSE;
  return make_mask (state, run, keeps, error) && make_extra (state, run, error);
}

static gboolean
branch (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  const State *state = user;
  for (int i = 0; i < step->rows.n && state->inpaints; i++)
    step->rows.row[i].extra = state->extra;
  return TRUE;
}

/* What is outside becomes the picture at this step's noise, fresh each time. */
static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  const State *state = user;
  PmtTrack *t = run->tracks[track];
  if (stage != PMT_LATENT_PRE || track != 0 || !state->clean.data)
    return TRUE;
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  PmtTensor noise = pmt_tensor_new (&run->ctx, t->latent.shape), noised = pmt_tensor_new (&run->ctx, t->latent.shape);
  if (pmt_context_take_error (&run->ctx, error) || !pmt_run_draw_noise (run, track, noise, error))
    return FALSE;
  run->request->sampler->add_noise (t->solver, step->grid_i, state->clean.data, noise.data, noised.data);
  const int64_t c = run->latent_channels, n = pmt_tensor_size (t->latent);
  for (int64_t i = 0; i < n; i++) {
    const float outside = state->mask.data[i / c];
    t->latent.data[i] = noised.data[i] * outside + t->latent.data[i] * (1.0f - outside);
  }
  pmt_arena_release (run->ctx.step, mark);
  return TRUE;
}

/* ---- each network call ------------------------------------------------------------------------------------------------ */

static gboolean
call (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  State *state = user;
  state->active = state->gligen && step->i < (int) (run->request->layout.beta * step->n);
  return TRUE;
}

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  return ((State *) user)->active && !site->cross ? PMT_ATTN_AFTER : 0;
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *site_call)
{
  State *state = user;
  const int block = site_call->site->block;
  PmtTensor k = pmt_sides_stack (run, step, state->k[PMT_SIDE_COND][block], state->k[PMT_SIDE_NONE][block]);
  PmtTensor v = pmt_sides_stack (run, step, state->v[PMT_SIDE_COND][block], state->v[PMT_SIDE_NONE][block]);
  site_call->hidden = pmt_gligen_fuse (&run->ctx, state->gligen, block, site_call->hidden, k, v);
}

const PmtMethod pmt_method_gligen = {
  .id = "gligen",
  .label = N_("Things in their places"),
  .summary = N_("Puts what phrases name into boxes, with a GLIGEN model."),
  .order = 310,
  .internal = true,
  .implied = implied,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .plan = plan,
  .branch = branch,
  .call = call,
  .attn_wants = attn_wants,
  .attn = attn,
  .latent = latent,
};
