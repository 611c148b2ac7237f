/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paint with words (eDiff-I, Balaji et al. 2022, section 5): words of the prompt are painted onto the picture. In the cross-attentions of the
 * prompt's rows, softmax ((Q K^T + W) / sqrt d) with W[p, j] = w0 f mask_j (p) ln (1 + sigma) max (Q K^T): the more noise there is, the
 * more a cell is made to look at the words that are painted there. The maximum is over the row's heads, cells and tokens. */
#include <math.h>

#include "engine/methods/areas.h"
#include "engine/methods/attention_map.h"

#define NAME "method paint-with-words"

typedef struct State {
  PmtAreas areas;
  double strength, base;
  PmtAttnLevel level;
  float **cover; /* [area * levels + level]: cells of that level's grid, with the places' weights */
  bool active;   /* some row of the present network call reads the prompt */
} State;

static const PmtParam params[] = {
  { .id = "strength", .label = N_("_Strength"), .help = N_("How strongly places look at the words painted there; 0.5 to 2 is usual"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 20, .fallback = 1 },
  { .id = "w0", .label = N_("_Base strength"), .help = N_("Factor of all strengths, as the method's authors chose it"), .type = PMT_PARAM_DOUBLE,
    .min = 0, .max = 1, .fallback = 0.1 },
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
  for (int i = 0; state->cover && i < state->areas.n * n_levels (state); i++)
    g_free (state->cover[i]);
  g_free (state->cover);
  pmt_areas_clear (&state->areas);
  g_free (state);
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  State *state = g_new0 (State, 1);
  state->strength = pmt_param_number (values, "strength");
  state->base = pmt_param_number (values, "w0");
  state->level = pmt_attention_level (run);
  if (pmt_areas_read (&state->areas, run, NAME, error))
    return state;
  state_free (state);
  return NULL;
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  if (!pmt_areas_find (&state->areas, run, NAME, error))
    return FALSE;
  state->cover = g_new0 (float *, state->areas.n * n_levels (state) + 1);
  for (int i = 0; i < state->areas.n; i++)
    for (int level = 0; level < n_levels (state); level++) {
      int height, width;
      pmt_attention_grid (run, (PmtAttnLevel) { level, state->level.last }, &height, &width);
      float *cover = state->cover[i * n_levels (state) + level] = g_new0 (float, (gsize) height * (gsize) width);
      if (!run->ctx.dry && !pmt_area_cover_all (&state->areas.area[i], run, height, width, cover, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
call (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  State *state = user;
  state->active = false;
  for (int i = 0; i < step->n_call_rows; i++)
    state->active = state->active || pmt_attention_reads_prompt (run, &step->rows.row[step->call_row[i]]);
  return TRUE;
}

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  return ((State *) user)->active && site->cross ? PMT_ATTN_LOGITS : 0;
}

/* logits [heads, cells, length] of one row, scaled by 1 / sqrt d: so is their maximum, and W with it. */
static void
paint (const State *state, int level, double noise, int64_t heads, int64_t cells, int64_t length, float *logits)
{
  float top = 0; /* all below 0 would turn words away */
  for (int64_t i = 0; i < heads * cells * length; i++)
    top = MAX (top, logits[i]);
  const float factor = (float) (state->base * state->strength * noise) * top;
  for (int k = 0; k < state->areas.n; k++) {
    const PmtArea *area = &state->areas.area[k];
    const float *cover = state->cover[k * n_levels (state) + level];
    for (int64_t i = 0; i < heads * cells; i++)
      for (int c = 0; c < area->n_columns; c++)
        logits[i * length + area->columns[c]] += factor * cover[i % cells];
  }
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *site_call)
{
  const State *state = user;
  const PmtTensor logits = site_call->logits;
  const int level = pmt_attention_site_level (state->level, site_call->site);
  const double noise = log1p (step->sigma);
  const int64_t heads = logits.shape.dim[1], cells = logits.shape.dim[2], length = logits.shape.dim[3];
  for (int i = 0; i < step->n_call_rows && !run->ctx.dry; i++)
    if (pmt_attention_reads_prompt (run, &step->rows.row[step->call_row[i]]))
      paint (state, level, noise, heads, cells, length, logits.data + i * heads * cells * length);
}

/* What a request with boxes asks for by itself. */
static const char *const replaces[] = { "gligen", "multidiffusion", NULL };
/* They differentiate through the attentions which are written over here. */
static const char *const conflicts[] = { "attend-and-excite", "layout-backward", "attention-refocusing", "self-guidance", "pix2pix-zero",
                                         "universal-guidance", NULL };

const PmtMethod pmt_method_paint_with_words = {
  .id = "paint-with-words",
  .label = N_("Paint with words"),
  .summary = N_("Makes places of the picture look at the words painted there, with any model."),
  .params = params,
  .order = 600,
  .conflicts = conflicts,
  .replaces = replaces,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .call = call,
  .attn_wants = attn_wants,
  .attn = attn,
};
