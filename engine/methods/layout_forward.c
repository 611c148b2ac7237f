/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layout by forward guidance (Chen, Laina and Vedaldi 2023, section 3.1): in the first part of the run each head's map of a boxed word is
 * moved towards its box, M[p, i] = (1 - l) M[p, i] + l h[p] sum_q M[q, i], with h a smooth window of sum 1. What a word is looked at
 * altogether stays what it was; a cell's probabilities no longer add up to 1. */
#include <math.h>
#include <string.h>

#include "engine/methods/areas.h"
#include "engine/methods/attention_map.h"

#define NAME "method layout-forward"

typedef struct State {
  PmtAreas areas;
  double strength, until, feather;
  bool ends;
  int *columns;     /* of all areas' words, each once */
  int n_columns;
  int *others;      /* columns of end marks and padding */
  int n_others;
  PmtAttnLevel level;
  float **window;   /* [column * levels + level], and one more per level for the ends */
  bool active;      /* in the present network call */
} State;

static const PmtParam params[] = {
  { .id = "strength", .label = N_("_Strength"), .help = N_("Which part of a word's attention is moved into its box"), .type = PMT_PARAM_DOUBLE,
    .min = 0, .max = 1, .fallback = 0.8 },
  { .id = "until", .label = N_("_Until"), .help = N_("Part of the run in which attention is moved"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1,
    .fallback = 0.8 },
  { .id = "feather", .label = N_("_Feather"), .help = N_("How far a box fades out, as a part of the picture"), .type = PMT_PARAM_DOUBLE, .min = 0,
    .max = 0.5, .fallback = 0.1 },
  { .id = "ends", .label = N_("_End marks"), .help = N_("Whether the marks after the prompt's end, which carry much of its sense, move into the boxes too"),
    .type = PMT_PARAM_BOOL, .min = 0, .max = 1, .fallback = 0 },
  { 0 }
};

static int
n_levels (const State *state)
{
  return state->level.last + 1;
}

static void
state_free (void *user)
{
  State *state = user;
  for (int i = 0; state->window && i < (state->n_columns + 1) * n_levels (state); i++)
    g_free (state->window[i]);
  g_free (state->window);
  g_free (state->columns);
  g_free (state->others);
  pmt_areas_clear (&state->areas);
  g_free (state);
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  State *state = g_new0 (State, 1);
  state->strength = pmt_param_number (values, "strength");
  state->until = pmt_param_number (values, "until");
  state->feather = pmt_param_number (values, "feather");
  state->ends = pmt_param_number (values, "ends") != 0;
  state->level = pmt_attention_level (run);
  if (pmt_areas_read (&state->areas, run, NAME, error))
    return state;
  state_free (state);
  return NULL;
}

/* ---- windows ---------------------------------------------------------------------------------------------------------- */

/* 1 between begin and end, falling to 0 at `feather` beyond by a cosine. */
static double
slope (double at, double begin, double end, double feather)
{
  const double beyond = MAX (begin - at, at - end);
  if (beyond <= 0)
    return 1;
  return beyond < feather ? 0.5 + 0.5 * cos (G_PI * beyond / feather) : 0;
}

/* One place, not normalised. A box between the cells' centres has the cell that its own centre is in. */
static gboolean
draw (const State *state, const PmtRun *run, const PmtArea *place, int height, int width, float *out, GError **error)
{
  double sum = 0;
  if (place->mask)
    return pmt_area_cover (place, run, height, width, out, error);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) {
      float *cell = &out[y * width + x];
      *cell = (float) (slope ((x + 0.5) / width, place->x0, place->x1, state->feather) *
                       slope ((y + 0.5) / height, place->y0, place->y1, state->feather));
      sum += *cell;
    }
  if (sum == 0)
    out[(int) ((place->y0 + place->y1) / 2 * height) * width + (int) ((place->x0 + place->x1) / 2 * width)] = 1;
  return TRUE;
}

static void
normalise (float *window, int n)
{
  double sum = 0;
  for (int i = 0; i < n; i++)
    sum += window[i];
  for (int i = 0; i < n; i++)
    window[i] = (float) (window[i] / sum);
}

static void
join (float *window, const float *place, int n)
{
  for (int i = 0; i < n; i++)
    window[i] = MAX (window[i], place[i]);
}

static int
number_of (const State *state, int column)
{
  int k = 0;
  while (k < state->n_columns && state->columns[k] != column)
    k++;
  return k;
}

/* A word of several areas, or of one with several places, has all of them: moved into one after the other it would be in the last alone. */
static gboolean
make_windows (State *state, PmtRun *run, int level, GError **error)
{
  int height, width;
  pmt_attention_grid (run, (PmtAttnLevel) { level, state->level.last }, &height, &width);
  const int cells = height * width, levels = n_levels (state);
  g_autofree float *one = g_new (float, cells);
  for (int k = 0; k <= state->n_columns; k++)
    state->window[k * levels + level] = g_new0 (float, cells);
  if (run->ctx.dry)
    return TRUE;
  for (int a = 0; a < state->areas.n; a++)
    for (const PmtArea *place = &state->areas.area[a]; place; place = place->also) {
      if (!draw (state, run, place, height, width, one, error))
        return FALSE;
      for (int c = 0; c < place->n_columns; c++)
        join (state->window[number_of (state, place->columns[c]) * levels + level], one, cells);
      join (state->window[state->n_columns * levels + level], one, cells);
    }
  for (int k = 0; k <= state->n_columns; k++)
    normalise (state->window[k * levels + level], cells);
  return TRUE;
}

static void
gather_columns (State *state)
{
  int most = 0;
  for (int a = 0; a < state->areas.n; a++)
    most += state->areas.area[a].n_columns;
  state->columns = g_new (int, most);
  for (int a = 0; a < state->areas.n; a++)
    for (int c = 0; c < state->areas.area[a].n_columns; c++) {
      const int column = state->areas.area[a].columns[c];
      if (number_of (state, column) == state->n_columns)
        state->columns[state->n_columns++] = column;
    }
}

/* Places of the prompt without a word, but for each chunk's beginning. */
static gboolean
find_ends (State *state, PmtRun *run, GError **error)
{
  PmtPromptTokens tokens;
  if (!pmt_run_tokens (run, 0, run->prompt, &tokens, error))
    return FALSE;
  const int n = tokens.n_chunks * tokens.length;
  g_autofree bool *taken = g_new0 (bool, n);
  for (int i = 0; i < tokens.n_tokens; i++)
    if (tokens.token[i].chunk >= 0 && tokens.token[i].chunk < tokens.n_chunks)
      taken[tokens.token[i].chunk * tokens.length + tokens.token[i].at] = true;
  state->others = g_new (int, n);
  for (int i = 0; i < n; i++)
    if (!taken[i] && i % tokens.length != 0)
      state->others[state->n_others++] = i;
  pmt_prompt_tokens_clear (&tokens);
  return TRUE;
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  if (!pmt_areas_find (&state->areas, run, NAME, error) || (state->ends && !find_ends (state, run, error)))
    return FALSE;
  gather_columns (state);
  state->window = g_new0 (float *, (state->n_columns + 1) * n_levels (state));
  for (int level = 0; level < n_levels (state); level++)
    if (!make_windows (state, run, level, error))
      return FALSE;
  return TRUE;
}

/* ---- attention -------------------------------------------------------------------------------------------------------- */

static gboolean
call (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  State *state = user;
  state->active = false;
  if (step->i < (int) (state->until * step->n + 1e-6))
    for (int i = 0; i < step->n_call_rows; i++)
      state->active = state->active || pmt_attention_reads_prompt (run, &step->rows.row[step->call_row[i]]);
  return TRUE;
}

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  return ((State *) user)->active && site->cross ? PMT_ATTN_PROBS : 0;
}

/* One column of one head, probs [cells, length]. */
static void
move (const State *state, const float *window, int column, int64_t cells, int64_t length, float *probs)
{
  const float l = (float) state->strength;
  double sum = 0;
  for (int64_t i = 0; i < cells; i++)
    sum += probs[i * length + column];
  for (int64_t i = 0; i < cells; i++) {
    float *p = &probs[i * length + column];
    *p = (1.0f - l) * *p + l * window[i] * (float) sum;
  }
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *site_call)
{
  const State *state = user;
  const PmtTensor probs = site_call->probs;
  const int level = pmt_attention_site_level (state->level, site_call->site), levels = n_levels (state);
  const int64_t heads = probs.shape.dim[1], cells = probs.shape.dim[2], length = probs.shape.dim[3];
  if (run->ctx.dry || state->strength == 0)
    return;
  for (int i = 0; i < step->n_call_rows; i++) {
    if (!pmt_attention_reads_prompt (run, &step->rows.row[step->call_row[i]]))
      continue;
    for (int64_t head = 0; head < heads; head++) {
      float *p = probs.data + (i * heads + head) * cells * length;
      for (int c = 0; c < state->n_columns; c++)
        move (state, state->window[c * levels + level], state->columns[c], cells, length, p);
      for (int c = 0; c < state->n_others; c++)
        move (state, state->window[state->n_columns * levels + level], state->others[c], cells, length, p);
    }
  }
}

/* What a request with boxes asks for by itself. */
static const char *const replaces[] = { "gligen", "multidiffusion", NULL };
/* They differentiate through the attentions which are written over here. */
static const char *const conflicts[] = { "attend-and-excite", "layout-backward", "attention-refocusing", "self-guidance", "pix2pix-zero",
                                         "universal-guidance", NULL };

const PmtMethod pmt_method_layout_forward = {
  .id = "layout-forward",
  .label = N_("Words into boxes"),
  .summary = N_("Moves the attention on words into their boxes, with any model and at no cost."),
  .params = params,
  .order = 650,
  .conflicts = conflicts,
  .replaces = replaces,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .call = call,
  .attn_wants = attn_wants,
  .attn = attn,
};
