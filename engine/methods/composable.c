/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several prompts in one picture (Liu et al. 2022, "Compositional visual generation with composable diffusion models"):
 * e = e_u + g sum_i w_i (e_i - e_u); a prompt of negative weight is kept out of the picture.
 *
 * Prompts are written with AND between them, as in AUTOMATIC1111's web UI: "a castle AND a sunset :0.8 AND NOT rain". A number behind a
 * colon at a prompt's end is its weight w, 1 without; NOT in front turns its sign. AND and NOT are capital letters and words of their own.
 * Tags ("<lora:…>") count as not being there.
 *
 * The sum is brought into the form that guidance expects: the "cond" row's prediction becomes e_u + sum_i w_i (e_i - e_u), and what
 * guidance (and its rescale) makes of that is the formula above. With one prompt of weight 1 nothing is touched. */
#include <math.h>
#include <string.h>

#include "engine/sample/run.h"

#define ROLE_TERM "term" /* one per further prompt, in their order */

enum { MOST_TERMS = 16 };

typedef struct Term {
  char *text;
  double weight;
  PmtConditioning made; /* of further prompts; the first one's is the run's */
} Term;

typedef struct State {
  Term *term;
  int n;
  bool alone; /* one prompt of weight 1: nothing to do */
} State;

static const PmtParam params[] = {
  { .id = "terms", .label = N_("_Further prompts"),
    .help = N_("Prompts with AND between them, each with :weight at its end and NOT in front for what shall be kept out"),
    .type = PMT_PARAM_STRING, .text = "" },
  { 0 }
};

/* ---- reading -------------------------------------------------------------------------------------------------------------- */

static bool
is_word (char c)
{
  return g_ascii_isalnum (c) || c == '_' || (guchar) c >= 0x80;
}

/* Where `word` stands by itself at or behind `at`; NULL = nowhere. */
static const char *
find_word (const char *text, const char *at, const char *word)
{
  const size_t n = strlen (word);
  while ((at = strstr (at, word)) && ((at > text && is_word (at[-1])) || is_word (at[n])))
    at += n;
  return at;
}

static bool
implied (const PmtRun *run)
{
  const PmtRequest *q = run->request;
  return !q->edit && q->prompt && q->prompt_syntax == PMT_SYNTAX_A1111 && find_word (q->prompt, q->prompt, "AND");
}

/* Takes ":number" off the end of `text`, which has no tags. A weight inside brackets is not at the end. */
static double
take_weight (char *text)
{
  char *colon = strrchr (text, ':'), *end;
  if (!colon)
    return 1;
  const char *number = colon + 1 + strspn (colon + 1, " \t\n");
  const double weight = g_ascii_strtod (number, &end);
  if (end == number || end[strspn (end, " \t\n")] || strspn (number, "+-.0123456789eE") < (size_t) (end - number))
    return 1;
  *colon = '\0';
  return weight;
}

static gboolean
add_term (State *state, const char *begin, const char *end, GError **error)
{
  g_autofree char *text = g_strstrip (g_strndup (begin, (gsize) (end - begin)));
  const double weight = take_weight (text), sign = find_word (text, text, "NOT") == text ? -1 : 1;
  if (state->n == MOST_TERMS) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("There are more than %d prompts with AND between them; leave some of them out."),
                 MOST_TERMS);
    return FALSE;
  }
  if (!(fabs (weight) <= 100)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The weight %g of the prompt \"%s\" has to be from -100 to 100; change it."), weight,
                 g_strstrip (text));
    return FALSE;
  }
  state->term[state->n++] = (Term) { .text = g_strdup (g_strstrip (sign < 0 ? text + 3 : text)), .weight = sign * weight };
  return TRUE;
}

static gboolean
add_terms (State *state, const char *text, GError **error)
{
  for (const char *at = text;;) {
    const char *next = find_word (text, at, "AND");
    if (!add_term (state, at, next ? next : at + strlen (at), error))
      return FALSE;
    if (!next)
      return TRUE;
    at = next + 3;
  }
}

static void
state_free (void *user)
{
  State *state = user;
  for (int i = 0; i < state->n; i++)
    g_free (state->term[i].text);
  g_free (state->term);
  g_free (state);
}

/* Tags act on the whole picture, wherever they stand, and are no part of any prompt: behind the last one's weight they would hide it. */
static gboolean
read_terms (State *state, const PmtRun *run, const char *further, GError **error)
{
  const char *prompt = run->request->prompt ? run->request->prompt : "";
  if (run->request->prompt_syntax != PMT_SYNTAX_A1111) {
    state->term[state->n++] = (Term) { .text = g_strdup (prompt), .weight = 1 };
    return !*further || add_terms (state, further, error);
  }
  g_autofree char *own = pmt_prompt_without_tags (prompt, error), *others = own ? pmt_prompt_without_tags (further, error) : NULL;
  return others && add_terms (state, own, error) && (!*others || add_terms (state, others, error));
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  State *state = g_new0 (State, 1);
  state->term = g_new0 (Term, MOST_TERMS);
  if (!read_terms (state, run, pmt_param_text (values, "terms"), error)) {
    state_free (state);
    return NULL;
  }
  state->alone = state->n == 1 && state->term[0].weight == 1;
  if (!state->alone && pmt_model_unet_config (run->model, run->unet_choice)->time_cond_proj_dim > 0) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                         _("Prompts cannot be joined by AND with a model that has guidance built in; choose another model or one prompt."));
    state_free (state);
    return NULL;
  }
  run->prompt = state->term[0].text;
  for (int i = 1; i < state->n; i++)
    pmt_run_expect_text (run, state->term[i].text);
  return state;
}

/* ---- running -------------------------------------------------------------------------------------------------------------- */

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  if (state->alone)
    return TRUE;
  for (int i = 1; i < state->n; i++) {
    int cut;
    if (!pmt_run_encode_text (run, state->term[i].text, &state->term[i].made, &cut, error))
      return FALSE;
    if (cut > 0)
      pmt_run_note (run, "The last %d tokens of the prompt \"%s\" have no effect, because the text encoder takes no more; shorten it.", cut,
                    state->term[i].text);
  }
  /* guidance does it where there is guidance */
  return run->request->guidance != 1.0 || run->negative_context.data || pmt_run_encode_negative (run, error);
}

/* Rows that show the network the prompt; those of regions or of sources have others. */
static bool
is_ours (const PmtRun *run, const PmtRow *row)
{
  return strcmp (row->role, PMT_ROW_COND) == 0 && row->context.data == run->context.data;
}

static gboolean
branch (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  const State *state = user;
  const int n = step->rows.n;
  for (int i = 0; i < n && !state->alone; i++) {
    if (!is_ours (run, &step->rows.row[i]))
      continue;
    for (int k = 1; k < state->n; k++) {
      PmtRow *row = pmt_rows_add_like (&step->rows, i, ROLE_TERM);
      row->context = state->term[k].made.context;
      row->pooled = state->term[k].made.pooled;
    }
    if (run->request->guidance == 1.0) {
      PmtRow *row = pmt_rows_add_like (&step->rows, i, PMT_ROW_UNCOND);
      row->context = run->negative_context;
      row->pooled = run->negative_pooled;
      row->time_ids = run->negative_time_ids;
    }
  }
  return TRUE;
}

/* out = u + sum_k weight_k (prediction_k - u), prompts of weight 0 left out; `out` may be the first prediction. */
static void
compose (const State *state, const PmtRows *rows, int track, const PmtRow *cond, const float *u, float *out)
{
  const float *prediction[MOST_TERMS] = { cond->prediction.data };
  for (int i = 0, n = 1; i < rows->n && n < state->n; i++)
    if (rows->row[i].track == track && strcmp (rows->row[i].role, ROLE_TERM) == 0)
      prediction[n++] = rows->row[i].prediction.data;
  for (int64_t p = 0; p < pmt_tensor_size (cond->prediction); p++) {
    double sum = 0;
    for (int k = 0; k < state->n; k++)
      if (state->term[k].weight != 0)
        sum += state->term[k].weight * ((double) prediction[k][p] - u[p]);
    out[p] = (float) (u[p] + sum);
  }
}

static gboolean
combine (void *user, PmtRun *run, PmtStep *step, int track, GError **error)
{
  const State *state = user;
  PmtRow *cond = pmt_rows_find (&step->rows, track, PMT_ROW_COND), *uncond = pmt_rows_find (&step->rows, track, PMT_ROW_UNCOND);
  if (state->alone || !cond || !uncond || !is_ours (run, cond) || run->ctx.dry)
    return TRUE;
  compose (state, &step->rows, track, cond, uncond->prediction.data, cond->prediction.data);
  memcpy (run->tracks[track]->prediction.data, cond->prediction.data, (size_t) pmt_tensor_size (cond->prediction) * sizeof (float));
  return TRUE;
}

static const char *const conflicts[] = { "instruct-pix2pix", "prompt-to-prompt", "pix2pix-zero", "masactrl", NULL };

const PmtMethod pmt_method_composable = {
  .id = "composable",
  .label = N_("Several prompts"),
  .summary = N_("Puts what several prompts say into one picture, or keeps it out, with AND and NOT between them."),
  .params = params,
  .order = 890, /* before guidance, which makes of the joined prediction what it makes of one prompt's */
  .conflicts = conflicts,
  .implied = implied,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .branch = branch,
  .combine = combine,
};
