/* SPDX-License-Identifier: GPL-3.0-or-later */
/* MasaCtrl, mutual self-attention (Cao et al. 2023): the same thing in another pose or place. Two tracks go beside each other, the target
 * with the prompt and the source with its own. From a step and a block on, the target's self-attentions look with their own queries at the
 * source's keys and values, row by row: with the prompt at that with the prompt, without at that without.
 *
 * Without a picture both start from the same noise. With one, the source is the photo: both start from where DDIM's inversion ends, and the
 * source goes back along the latents of that way, to the bit. */
#include <math.h>
#include <string.h>

#include "engine/methods/start.h"
#include "engine/nets/unet_sites.h"
#include "engine/sample/invert.h"

typedef struct State {
  const char *source;
  double from;     /* part of the run */
  int block;       /* the first one */
  bool both, photo, active;
  int track;       /* of the source */
  PmtConditioning said;
  PmtTensor *path; /* with a photo: grid->n + 1 latents; [k] is at grid point grid->n - k */
} State;

static const PmtParam params[] = {
  { .id = "source", .label = N_("_Source prompt"), .help = N_("What the first picture shows: its thing appears again in what the prompt says; may be empty for photos"),
    .type = PMT_PARAM_STRING, .text = "" },
  { .id = "from", .label = N_("_From"), .help = N_("Part of the run after which looks are shared; later leaves the new layout more freedom"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0.08 },
  { .id = "first-block", .label = N_("First _block"), .help = N_("Number of the first transformer block that shares looks; -1 takes the last three eighths of them"),
    .type = PMT_PARAM_INT, .min = -1, .max = 1000, .fallback = -1 },
  { .id = "both", .label = N_("_Own looks too"), .help = N_("Let the new picture look at itself as well as at the source"),
    .type = PMT_PARAM_BOOL, .min = 0, .max = 1, .fallback = 0 },
  { 0 }
};

/* Ten of sixteen in the paper's network. */
static int
usual_block (const PmtRun *run)
{
  int n;
  g_free (pmt_unet_sites (pmt_model_unet_config (run->model, run->unet_choice), &n));
  return n * 10 / 16;
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  const PmtRequest *q = run->request;
  const bool photo = q->image || q->latent;
  if (photo && !pmt_start_check_inversion (run, "masactrl", error))
    return NULL;
  if (q->mask) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _("The method masactrl makes whole pictures; leave the mask out."));
    return NULL;
  }
  State *state = g_new0 (State, 1);
  const int block = (int) pmt_param_number (values, "first-block");
  *state = (State) { .source = pmt_param_text (values, "source"), .from = pmt_param_number (values, "from"), .photo = photo,
                     .both = pmt_param_number (values, "both") != 0, .block = block < 0 ? usual_block (run) : block };
  pmt_run_expect_text (run, state->source);
  return state;
}

static void
state_free (void *user)
{
  g_free (((State *) user)->path);
  g_free (user);
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  return pmt_run_encode_text (run, state->source, &state->said, NULL, error);
}

/* Both tracks at the top of the photo's way. */
static gboolean
start_from_photo (State *state, PmtRun *run, GError **error)
{
  PmtTensor clean, noised;
  const PmtInversion inversion = { .text = state->said };
  state->path = g_new0 (PmtTensor, run->grid->n + 1);
  if (!pmt_start_mean (run, 0, &clean, error) || !pmt_run_invert (run, 0, &inversion, clean, state->path, &noised, error))
    return FALSE;
  for (int k = 0; k < 2; k++) {
    PmtTrack *t = run->tracks[k ? state->track : 0];
    memcpy (t->latent.data, noised.data, (size_t) pmt_tensor_size (noised) * sizeof (float));
    t->started = true;
  }
  return TRUE;
}

static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  PmtTensor noise;
  state->track = pmt_run_add_track (run, run->latent_height, run->latent_width, error);
  if (state->track < 0)
    return FALSE;
  PmtTrack *source = run->tracks[state->track];
  source->context = state->said.context;
  source->pooled = state->said.pooled;
  if (state->photo)
    return start_from_photo (state, run, error);
  if (!pmt_run_initial_noise (run, 0, &noise, error))
    return FALSE;
  source->noise = noise;
  source->rng = run->tracks[0]->rng; /* what samplers draw is the same for both */
  return TRUE;
}

static gboolean
call (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  State *state = user;
  bool there = false;
  for (int i = 0; i < step->n_call_rows; i++) /* inversion's calls have the target's row alone */
    there = there || step->rows.row[step->call_row[i]].track == state->track;
  state->active = there && step->i >= (int) lround (state->from * step->n);
  return TRUE;
}

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  const State *state = user;
  return state->active && !site->cross && site->block >= state->block ? PMT_ATTN_QKV : 0;
}

/* The source's row that answers to call row `k`; -1 = none, or it is one of the source's itself. */
static int
source_of (const State *state, const PmtStep *step, int k)
{
  const PmtRow *row = &step->rows.row[step->call_row[k]];
  for (int i = 0; row->track == 0 && i < step->n_call_rows; i++) {
    const PmtRow *other = &step->rows.row[step->call_row[i]];
    if (other->track == state->track && strcmp (other->role, row->role) == 0)
      return i;
  }
  return -1;
}

/* [N, S, C] with the sources' rows in place of, or behind, the targets'. Behind the others stand copies of their own, which weigh nothing
 * more: a softmax over everything twice is the softmax. */
static PmtTensor
exchange (const State *state, PmtRun *run, const PmtStep *step, PmtTensor t)
{
  const int64_t n = t.shape.dim[0], own = state->both ? 2 : 1;
  const size_t size = (size_t) (t.shape.dim[1] * t.shape.dim[2]);
  PmtTensor out = pmt_tensor_new (&run->ctx, PMT_SHAPE3 (n, own * t.shape.dim[1], t.shape.dim[2]));
  for (int64_t k = 0; k < n && out.data && !run->ctx.dry; k++) {
    const int source = source_of (state, step, (int) k);
    float *at = out.data + (size_t) (k * own) * size;
    if (state->both)
      memcpy (at, t.data + (size_t) k * size, size * sizeof (float));
    memcpy (at + (size_t) (own - 1) * size, t.data + (size_t) (source < 0 ? k : source) * size, size * sizeof (float));
  }
  return out;
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *site_call)
{
  const State *state = user;
  if (stage != PMT_ATTN_QKV)
    return;
  site_call->k = exchange (state, run, step, site_call->k);
  site_call->v = exchange (state, run, step, site_call->v);
}

static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  const State *state = user;
  if (!state->photo || stage != PMT_LATENT_POST || track != state->track)
    return TRUE;
  const PmtTensor known = state->path[run->grid->n - 1 - step->grid_i];
  memcpy (run->tracks[track]->latent.data, known.data, (size_t) pmt_tensor_size (known) * sizeof (float));
  return TRUE;
}

static const char *const replaces[] = { "img2img", NULL }, *const conflicts[] = { "multidiffusion", "diffedit", "edict", "prompt-to-prompt", NULL };

const PmtMethod pmt_method_masactrl = {
  .id = "masactrl",
  .label = N_("Same thing again"),
  .summary = N_("Shows what one picture shows in another pose or place, with the same looks."),
  .params = params,
  .order = 210,
  .whole_batch = true,
  .replaces = replaces,
  .conflicts = conflicts,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .plan = plan,
  .call = call,
  .attn_wants = attn_wants,
  .attn = attn,
  .latent = latent,
};
