/* SPDX-License-Identifier: GPL-3.0-or-later */
/* MasaCtrl, mutual self-attention (Cao et al. 2023): the same thing in another pose or place. Two tracks go beside each other, the target
 * with the prompt and the source with its own. From a step and a block on, the target's self-attentions look with their own queries at the
 * source's keys and values, row by row: with the prompt at that with the prompt, without at that without.
 *
 * Without a picture both start from the same noise. With one, the source is the photo: both start from where DDIM's inversion ends, and the
 * source goes back along the latents of that way, to the bit.
 *
 * With the thing's words in both prompts the thing is kept apart from what is around it: where the target's word is looked for, the source's keys
 * are those where the source's word is, elsewhere the others. Places come from the cross-attention maps of the words so far. */
#include <math.h>
#include <string.h>

#include "engine/methods/attention_map.h"
#include "engine/methods/start.h"
#include "engine/methods/words.h"
#include "engine/nets/unet_sites.h"
#include "engine/ops/ops.h"
#include "engine/sample/invert.h"

enum { SOURCE, TARGET, N_SIDES };
enum { BAND = 256 };

typedef struct State {
  const char *source;
  double from;     /* part of the run */
  int block;       /* the first one */
  bool both, photo, active;
  int track;       /* of the source */
  PmtConditioning said;
  PmtTensor *path; /* with a photo: grid->n + 1 latents; [k] is at grid point grid->n - k */

  /* Things kept apart from what is around them. */
  PmtWords words[N_SIDES];   /* of the source's prompt and of the target's; none = all is one */
  double threshold;
  PmtAttnLevel level;
  PmtPhraseMap map[N_SIDES];
  int row_of[N_SIDES];       /* in the present network call */
  bool gathers;              /* maps, in the present network call */
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
  { .id = "source-thing", .label = N_("_Thing in the source"), .help = N_("Words of the source prompt for the thing; with the next one, things look at things and "
                                                                         "what is around them at what is around them"),
    .type = PMT_PARAM_STRING, .text = "" },
  { .id = "thing", .label = N_("T_hing"), .help = N_("Words of the prompt for the same thing"), .type = PMT_PARAM_STRING, .text = "" },
  { .id = "threshold", .label = N_("Th_reshold"), .help = N_("From which part of the way between the least and the most attention on a place belongs to the thing"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0.1 },
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

static void
state_free (void *user)
{
  State *state = user;
  for (int side = 0; side < N_SIDES; side++) {
    pmt_words_clear (&state->words[side]);
    pmt_phrase_map_clear (&state->map[side]);
  }
  g_free (state->path);
  g_free (state);
}

static bool
apart (const State *state)
{
  return state->words[SOURCE].n > 0;
}

static gboolean
read_things (State *state, const PmtParamValues *values, GError **error)
{
  static const PmtWordsRule rules[] = { { .where = "method masactrl, source-thing" }, { .where = "method masactrl, thing" } };
  if (!pmt_words_parse (pmt_param_text (values, "source-thing"), &rules[SOURCE], &state->words[SOURCE], error) ||
      !pmt_words_parse (pmt_param_text (values, "thing"), &rules[TARGET], &state->words[TARGET], error))
    return FALSE;
  if (state->words[SOURCE].n == state->words[TARGET].n && state->words[SOURCE].n <= 1 && !(state->both && apart (state)))
    return TRUE;
  g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT,
                       _("The method masactrl keeps one thing apart: give source-thing and thing, one phrase each, and leave both out."));
  return FALSE;
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
  state->threshold = pmt_param_number (values, "threshold");
  state->level = pmt_attention_level (run);
  pmt_run_expect_text (run, state->source);
  if (read_things (state, values, error))
    return state;
  state_free (state);
  return NULL;
}

/* The phrase's own map in its own prompt. */
static gboolean
find_thing (State *state, PmtRun *run, int side, GError **error)
{
  const char *prompt = side == SOURCE ? state->source : run->prompt;
  g_autoptr (GArray) columns = pmt_words_columns_or_fail (run, prompt, state->words[side].word[0].text,
                                                          side == SOURCE ? "method masactrl, source-thing" : "method masactrl, thing", error);
  return columns && pmt_phrase_map_init (&state->map[side], run, state->level, (const int *) columns->data, (int) columns->len, error);
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  for (int side = 0; side < N_SIDES && apart (state); side++)
    if (!find_thing (state, run, side, error))
      return FALSE;
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
  state->gathers = there && apart (state);
  state->row_of[SOURCE] = pmt_attention_row (step, state->track);
  state->row_of[TARGET] = pmt_attention_row (step, 0);
  return TRUE;
}

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  const State *state = user;
  if (state->gathers && pmt_attention_maps_here (state->level, site))
    return PMT_ATTN_PROBS;
  return state->active && !site->cross && site->block >= state->block ? PMT_ATTN_QKV | (apart (state) ? PMT_ATTN_OUT : 0) : 0;
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

/* Where a side's thing is, at a grid of height x width: its map so far, from the threshold on between its least and most. All false while
 * nothing was seen. */
static bool
find_place (const State *state, const PmtRun *run, int side, int height, int width, bool *out)
{
  int map_height, map_width;
  pmt_attention_grid (run, state->level, &map_height, &map_width);
  const int cells = map_height * map_width;
  g_autofree float *map = g_new (float, (size_t) cells), *here = g_new (float, (size_t) height * (size_t) width);
  if (!pmt_phrase_map_mean (&state->map[side], map))
    return false;
  float low = map[0], high = map[0];
  for (int i = 1; i < cells; i++) {
    low = MIN (low, map[i]);
    high = MAX (high, map[i]);
  }
  pmt_attention_resize (map, map_height, map_width, here, height, width);
  for (int i = 0; i < height * width; i++)
    out[i] = high > low && (double) (here[i] - low) >= state->threshold * (double) (high - low);
  return true;
}

/* Which of the source's cells the target's may look at: those of their own kind. */
typedef struct Places {
  const bool *from, *to; /* [cells] of the source and of the target: the thing's */
  bool there[2];         /* whether the source has a cell around the thing, and of it */
} Places;

/* logits [1, heads, count, cells] of the queries from `first` on. Where the source has no cell of a kind, all of them are looked at. */
static void
part (const Places *places, int64_t first, PmtTensor logits)
{
  const int64_t heads = pmt_tensor_dim (logits, 1), count = pmt_tensor_dim (logits, 2), cells = pmt_tensor_dim (logits, 3);
  for (int64_t i = 0; i < heads * count; i++) {
    const bool kind = places->to[first + i % count];
    for (int64_t s = 0; s < cells && places->there[kind]; s++)
      if (places->from[s] != kind)
        logits.data[i * cells + s] = -INFINITY;
  }
}

/* One row's attention, into out [N, T, C]. In bands of queries: whole, a large picture's matrix takes gigabytes. */
static void
mix_row (PmtContext *ctx, const PmtAttnCall *c, const Places *places, int64_t row, PmtTensor out)
{
  const PmtAttentionParams how = { .heads = c->site->heads };
  const PmtTensor k = pmt_tensor_rows (c->k, row, 1), v = pmt_tensor_rows (c->v, row, 1);
  const int64_t cells = pmt_tensor_dim (c->q, 1), width = pmt_tensor_dim (c->q, 2);
  const PmtTensor queries = pmt_tensor_view (c->q, PMT_SHAPE2 (pmt_tensor_dim (c->q, 0) * cells, width));
  for (int64_t first = 0; first < cells && !pmt_context_failed (ctx); first += BAND) {
    const int64_t count = MIN (BAND, cells - first);
    PmtFrame frame = pmt_frame_open (ctx);
    const PmtTensor q = pmt_tensor_view (pmt_tensor_rows (queries, row * cells + first, count), PMT_SHAPE3 (1, count, width));
    const PmtTensor logits = pmt_attention_logits (ctx, q, k, how);
    if (logits.data && !ctx->dry)
      part (places, first, logits);
    const PmtTensor mixed = pmt_attention_mix (ctx, pmt_softmax (ctx, logits), v, how);
    if (mixed.data && !ctx->dry)
      memcpy (out.data + (row * cells + first) * width, mixed.data, (size_t) (count * width) * sizeof (float));
    pmt_frame_close (ctx, frame, PMT_NO_TENSOR);
  }
}

/* Target rows of out [N, T, C] anew: what is the target's thing looks at the source's alone, what is around it at what is around that. */
static void
mix_apart (const State *state, PmtRun *run, const PmtStep *step, const PmtAttnCall *c, PmtTensor out)
{
  PmtContext *ctx = &run->ctx;
  const int height = c->site->height, width = c->site->width;
  g_autofree bool *from = g_new0 (bool, (size_t) height * (size_t) width), *to = g_new0 (bool, (size_t) height * (size_t) width);
  Places places = { .from = from, .to = to };
  if (!ctx->dry && !(find_place (state, run, SOURCE, height, width, from) && find_place (state, run, TARGET, height, width, to)))
    return;
  for (int s = 0; s < height * width; s++)
    places.there[from[s]] = true;
  for (int n = 0; n < step->n_call_rows; n++)
    if (source_of (state, step, n) >= 0)
      mix_row (ctx, c, &places, n, out);
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *site_call)
{
  State *state = user;
  if (stage == PMT_ATTN_PROBS) {
    for (int side = 0; side < N_SIDES && !run->ctx.dry; side++)
      pmt_phrase_map_see (&state->map[side], site_call->probs, state->row_of[side]);
  } else if (stage == PMT_ATTN_OUT) {
    PmtTensor out = pmt_tensor_copy (&run->ctx, site_call->out);
    if (out.data)
      mix_apart (state, run, step, site_call, out);
    site_call->out = out;
  } else if (stage == PMT_ATTN_QKV) {
    site_call->k = exchange (state, run, step, site_call->k);
    site_call->v = exchange (state, run, step, site_call->v);
  }
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
