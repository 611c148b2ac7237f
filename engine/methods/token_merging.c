/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Token merging for Stable Diffusion (Bolya & Hoffman 2023): where the map is finest, self-attention costs the square of its tokens, and
 * many of them say the same. Before each of these attentions the tokens are parted in two: of every square of 2 x 2 one, drawn anew each
 * time, may take others in; the rest may go into the one they are most like. A share of all tokens, the most alike, goes, each taking one
 * that stays halfway to itself; attention sees means, and each token gets what its mean was answered.
 *
 * Likeness is the cosine between tokens of the residual stream. Tokens that stay keep their order, so that with a share of 0 nothing
 * changes to the bit. The drawing follows from seed, evaluation and block alone, and all rows share it; what goes where is each row's
 * own. Evaluations that other methods nest in a step are left whole. */
#include <math.h>
#include <string.h>

#include "engine/base/rng.h"
#include "engine/base/threads.h"
#include "engine/methods/attention_map.h"
#include "engine/nets/unet_sites.h"
#include "engine/ops/ops.h"

enum { SQUARE = 2, BAND = 1024, CHANNELS = 64 };

typedef struct State {
  double ratio;
  PmtAttnLevel level;
  int finest;          /* the level that is merged: the first that has attention */
  const PmtStep *step; /* the run's own evaluation */
  /* From an attention's sources to its output, in the step's memory (number_places). */
  PmtTensor places; /* int32_t [N, T] */
  PmtTensor shares; /* [N, kept] */
} State;

typedef struct Likeness {
  float score;
  int32_t token, into; /* places on the map */
} Likeness;

static const PmtParam params[] = {
  { .id = "ratio", .label = N_("_Share"), .help = N_("How many of the tokens are merged into others; more is faster and rougher"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 0.75, .fallback = 0.5 },
  { 0 }
};

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  State *state = g_new0 (State, 1);
  int n;
  g_autofree PmtUnetSite *sites = pmt_unet_sites (pmt_model_unet_config (run->model, run->unet_choice), &n);
  state->ratio = pmt_param_number (values, "ratio");
  state->level = pmt_attention_level (run);
  state->finest = state->level.last;
  for (int i = 0; i < n; i++) {
    const PmtAttnSite site = { .place = sites[i].place, .level = sites[i].level };
    state->finest = MIN (state->finest, pmt_attention_site_level (state->level, &site));
  }
  return state;
}

static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  State *state = user;
  if (stage == PMT_LATENT_PRE)
    state->step = step;
  return TRUE;
}

/* ---- who goes where ---------------------------------------------------------------------------------------------------- */

/* taker [T] = true for the one of each whole square that takes others in; their number. What the squares leave at the edges may go. */
static int
draw_takers (const PmtRun *run, const PmtStep *step, const PmtAttnSite *site, bool *taker)
{
  const int down = site->height / SQUARE, across = site->width / SQUARE;
  PmtRng rng;
  pmt_rng_seed (&rng, run->request->seed + 65536u * (uint64_t) (step->i + 1) + (uint64_t) site->block);
  memset (taker, 0, (size_t) site->height * (size_t) site->width);
  for (int y = 0; y < down; y++)
    for (int x = 0; x < across; x++) {
      const int k = (int) (pmt_rng_u32 (&rng) % (SQUARE * SQUARE));
      taker[(y * SQUARE + k / SQUARE) * site->width + x * SQUARE + k % SQUARE] = true;
    }
  return down * across;
}

typedef struct Units {
  const PmtKernels *k;
  const float *x; /* [T, C] */
  const int32_t *token;
  size_t c;
  float *y;
} Units;

static void
unit_range (void *user, size_t begin, size_t end)
{
  const Units *u = user;
  for (size_t i = begin; i < end; i++) {
    const float *x = u->x + (size_t) u->token[i] * u->c;
    u->k->scale (x, 1 / fmaxf (sqrtf (u->k->dot (x, x, u->c)), 1e-20f), u->y + i * u->c, u->c);
  }
}

/* The tokens of a row's list at length 1, [1, n, C]. */
static PmtTensor
units (PmtContext *ctx, const float *x, int64_t c, const int32_t *token, int64_t n)
{
  Units u = { ctx->kernels, x, token, (size_t) c, NULL };
  const PmtTensor made = pmt_tensor_new (ctx, PMT_SHAPE3 (1, n, c));
  u.y = made.data;
  if (made.data && !ctx->dry)
    pmt_parallel_for (ctx->cancel, (size_t) n, 64, unit_range, &u);
  return made;
}

typedef struct Nearest {
  const PmtKernels *k;
  const float *alike; /* [band, n] */
  size_t n;
  const int32_t *takers;
  Likeness *goer;
} Nearest;

static void
nearest_range (void *user, size_t begin, size_t end)
{
  const Nearest *a = user;
  for (size_t i = begin; i < end; i++) {
    const float *alike = a->alike + i * a->n;
    size_t j = 0;
    a->goer[i].score = a->k->max (alike, a->n);
    while (j + 1 < a->n && alike[j] != a->goer[i].score)
      j++;
    a->goer[i].into = a->takers[j];
  }
}

/* For each of one row's goers the taker that it is most like. In bands, so that the whole matrix is never there. */
static void
find_nearest (PmtContext *ctx, PmtTensor row, const int32_t *takers, int64_t n_takers, const int32_t *goers, Likeness *goer, int64_t n_goers)
{
  const PmtAttentionParams single = { .heads = 1 };
  const int64_t c = row.shape.dim[2];
  PmtFrame whole = pmt_frame_open (ctx);
  const PmtTensor to = units (ctx, row.data, c, takers, n_takers);
  for (int64_t first = 0; first < n_goers; first += BAND) {
    const int64_t count = MIN (BAND, n_goers - first);
    PmtFrame frame = pmt_frame_open (ctx);
    const PmtTensor from = units (ctx, row.data, c, goers + first, count);
    const PmtTensor alike = pmt_attention_logits (ctx, from, to, single);
    Nearest a = { ctx->kernels, alike.data, (size_t) n_takers, takers, goer + first };
    if (alike.data && !ctx->dry)
      pmt_parallel_for (ctx->cancel, (size_t) count, 16, nearest_range, &a);
    pmt_frame_close (ctx, frame, PMT_NO_TENSOR);
  }
  pmt_frame_close (ctx, whole, PMT_NO_TENSOR);
}

static int
by_likeness (const void *a, const void *b)
{
  const Likeness *x = a, *y = b;
  return x->score != y->score ? (x->score < y->score ? 1 : -1) : (x->token > y->token) - (x->token < y->token);
}

/* Those that go are parted from those that stay by their sign: place [T] = p of one that stays as number p, -1 - p of one that goes there.
 * share [kept] = one by how many are found at each place. */
static void
number_places (Likeness *goer, int64_t n_goers, int64_t gone, int64_t tokens, int32_t *place, float *share)
{
  int32_t n = 0;
  qsort (goer, (size_t) n_goers, sizeof *goer, by_likeness);
  memset (place, 0, (size_t) tokens * sizeof *place);
  for (int64_t i = 0; i < gone; i++)
    place[goer[i].token] = -1;
  for (int64_t t = 0; t < tokens; t++)
    if (place[t] == 0)
      place[t] = n++;
  for (int32_t i = 0; i < n; i++)
    share[i] = 1;
  for (int64_t i = 0; i < gone; i++) {
    const int32_t into = place[goer[i].into];
    place[goer[i].token] = -1 - into;
    share[into]++;
  }
  for (int32_t i = 0; i < n; i++)
    share[i] = 1 / share[i];
}

/* All rows' places and shares. */
static void
find_places (State *state, PmtRun *run, const PmtStep *step, const PmtAttnCall *call)
{
  PmtContext *ctx = &run->ctx;
  const int64_t rows = call->stream.shape.dim[0], tokens = call->stream.shape.dim[1];
  g_autofree bool *taker = g_new (bool, tokens);
  g_autofree int32_t *takers = g_new (int32_t, tokens), *goers = g_new (int32_t, tokens);
  g_autofree Likeness *goer = g_new (Likeness, tokens);
  const int64_t n_takers = draw_takers (run, step, call->site, taker), n_goers = tokens - n_takers;
  const int64_t gone = n_takers ? MIN (n_goers, (int64_t) ((double) tokens * state->ratio)) : 0;
  for (int64_t t = 0, a = 0, b = 0; t < tokens; t++)
    if (taker[t])
      takers[a++] = (int32_t) t;
    else
      goers[b++] = (int32_t) t;
  G_STATIC_ASSERT (sizeof (int32_t) == sizeof (float));
  state->places = pmt_tensor_new (ctx, PMT_SHAPE2 (rows, tokens));
  state->shares = pmt_tensor_new (ctx, PMT_SHAPE2 (rows, tokens - gone));
  for (int64_t n = 0; n < rows && state->shares.data; n++) {
    if (n_takers)
      find_nearest (ctx, pmt_tensor_rows (call->stream, n, 1), takers, n_takers, goers, goer, n_goers);
    for (int64_t i = 0; i < n_goers; i++)
      goer[i].token = goers[i];
    if (!ctx->dry && !pmt_context_failed (ctx))
      number_places (goer, n_takers ? n_goers : 0, gone, tokens, (int32_t *) state->places.data + n * tokens, state->shares.data + n * (tokens - gone));
  }
}

/* ---- there and back ---------------------------------------------------------------------------------------------------- */

typedef struct Move {
  const PmtKernels *k;
  const float *x;
  float *y;
  const int32_t *place; /* [rows, tokens] */
  const float *share;   /* [rows, kept] */
  size_t tokens, kept, c, blocks;
} Move;

/* A block of channels of one row: what stays is copied, what goes is added there, and sums are divided. */
static void
merge_range (void *user, size_t begin, size_t end)
{
  const Move *m = user;
  for (size_t item = begin; item < end; item++) {
    const size_t row = item / m->blocks, first = item % m->blocks * CHANNELS, n = MIN (CHANNELS, m->c - first);
    const float *x = m->x + row * m->tokens * m->c + first, *share = m->share + row * m->kept;
    float *y = m->y + row * m->kept * m->c + first;
    const int32_t *place = m->place + row * m->tokens;
    for (size_t t = 0; t < m->tokens; t++)
      if (place[t] >= 0)
        memcpy (y + (size_t) place[t] * m->c, x + t * m->c, n * sizeof (float));
    for (size_t t = 0; t < m->tokens; t++)
      if (place[t] < 0) {
        float *to = y + (size_t) (-1 - place[t]) * m->c;
        m->k->add (to, x + t * m->c, to, n);
      }
    for (size_t p = 0; p < m->kept; p++)
      if (share[p] != 1)
        m->k->scale (y + p * m->c, share[p], y + p * m->c, n);
  }
}

static void
spread_range (void *user, size_t begin, size_t end)
{
  const Move *m = user;
  for (size_t item = begin; item < end; item++) {
    const int32_t place = m->place[item];
    const size_t from = item / m->tokens * m->kept + (size_t) (place < 0 ? -1 - place : place);
    memcpy (m->y + item * m->c, m->x + from * m->c, m->c * sizeof (float));
  }
}

/* [N, T, C] -> [N, kept, C], or back. */
static PmtTensor
move (const State *state, PmtContext *ctx, PmtTensor x, bool back)
{
  const int64_t rows = x.shape.dim[0], c = x.shape.dim[2], tokens = state->places.shape.dim[1], kept = state->shares.shape.dim[1];
  const PmtTensor y = pmt_tensor_new (ctx, PMT_SHAPE3 (rows, back ? tokens : kept, c));
  Move m = { ctx->kernels, x.data, y.data, (const int32_t *) state->places.data, state->shares.data, (size_t) tokens, (size_t) kept, (size_t) c,
             (size_t) (c + CHANNELS - 1) / CHANNELS };
  if (!y.data || ctx->dry)
    return y;
  if (back)
    pmt_parallel_for (ctx->cancel, (size_t) (rows * tokens), 64, spread_range, &m);
  else
    pmt_parallel_for (ctx->cancel, (size_t) rows * m.blocks, 1, merge_range, &m);
  return y;
}

/* ---- hooks ------------------------------------------------------------------------------------------------------------- */

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  const State *state = user;
  return !site->cross && site->place != PMT_PLACE_MID && pmt_attention_site_level (state->level, site) == state->finest ? PMT_ATTN_SOURCES | PMT_ATTN_OUT : 0;
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *call)
{
  State *state = user;
  PmtContext *ctx = &run->ctx;
  if (step != state->step || ctx->tape)
    return;
  if (stage == PMT_ATTN_SOURCES) {
    const PmtTensor input = call->source_q, k = call->source_k, v = call->source_v;
    find_places (state, run, step, call);
    if (pmt_context_failed (ctx))
      return;
    call->source_q = move (state, ctx, input, false);
    call->source_k = k.data == input.data ? call->source_q : move (state, ctx, k, false);
    call->source_v = v.data == k.data ? call->source_k : move (state, ctx, v, false);
  } else if (stage == PMT_ATTN_OUT) {
    call->out = move (state, ctx, call->out, true);
  }
}

static const char *const conflicts[] = { "masactrl", "prompt-to-prompt", NULL };

const PmtMethod pmt_method_token_merging = {
  .id = "token-merging",
  .label = N_("Merging of like tokens"),
  .summary = N_("Saves time in large pictures by letting places that look the same share one attention."),
  .params = params,
  .order = 20, /* before all that look at what attention makes */
  .conflicts = conflicts,
  .state_new = state_new,
  .state_free = g_free,
  .latent = latent,
  .attn_wants = attn_wants,
  .attn = attn,
};
