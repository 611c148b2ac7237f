/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attend-and-Excite (Chefer et al. 2023): before each of the first steps the latent moves so that the word that the network looks at least
 * gets a place where it does look. methods.md B1; as diffusers' pipeline has it, without its passes that only report. */
#include <math.h>
#include <string.h>

#include "engine/methods/attention_map.h"
#include "engine/methods/excite.h"
#include "engine/methods/words.h"

#define WHERE "method attend-and-excite"

enum { MOST_STEPS = 1000 };

typedef struct State {
  PmtWords words, thresholds; /* a threshold's text is the step that it holds at, of a run of fifty */
  bool words_only;
  double scale;
  int steps, refinements;
  PmtAttnLevel level;
  GArray *tokens; /* int, columns of the context */
  int *columns, n_columns;
} State;

static const PmtParam params[] = {
  { .id = "words", .label = N_("_Words"), .help = N_("Words of the prompt that have to be seen, with spaces between, or phrases with semicolons between"),
    .type = PMT_PARAM_STRING, .text = "" },
  { .id = "scale", .label = N_("_Strength"), .help = N_("How far the picture moves towards them in each step"), .type = PMT_PARAM_DOUBLE,
    .min = 0, .max = 1000, .fallback = 20 },
  { .id = "steps", .label = N_("S_teps"), .help = N_("How many of the first steps of a run of 50 it acts in; of other runs the same part"),
    .type = PMT_PARAM_INT, .min = 0, .max = MOST_STEPS, .fallback = 25 },
  { .id = "thresholds", .label = N_("_Thresholds"),
    .help = N_("Steps, of a run of 50, in which it goes on until every word is seen that well, written step:value with semicolons between"),
    .type = PMT_PARAM_STRING, .text = "0:0.05; 10:0.5; 20:0.8" },
  { .id = "refinements", .label = N_("_Most repetitions"), .help = N_("How often it goes on at most in such a step"), .type = PMT_PARAM_INT, .min = 0,
    .max = 100, .fallback = 20 },
  { .id = "words-only", .label = N_("_Only words count"),
    .help = N_("Whether the words compete with each other only, and not with the padding behind them; for Stable Diffusion 2"),
    .type = PMT_PARAM_BOOL, .min = 0, .max = 1, .fallback = 0 },
  { 0 }
};

static void
state_free (void *user)
{
  State *state = user;
  pmt_words_clear (&state->words);
  pmt_words_clear (&state->thresholds);
  g_clear_pointer (&state->tokens, g_array_unref);
  g_free (state->columns);
  g_free (state);
}

/* "circle star" is two words; "red circle; star" a phrase and a word. */
static gboolean
read_words (const char *text, PmtWords *words, GError **error)
{
  const PmtWordsRule rule = { .where = WHERE ", words" };
  g_autofree char *list = g_strdup (text);
  if (!strchr (list, ';'))
    g_strdelimit (g_strstrip (list), " ", ';');
  g_autoptr (GString) joined = g_string_new (NULL);
  g_auto (GStrv) parts = g_strsplit (list, ";", -1);
  for (int i = 0; parts[i]; i++)
    if (*g_strstrip (parts[i]))
      g_string_append_printf (joined, "%s%s", joined->len ? ";" : "", parts[i]);
  return pmt_words_parse (joined->str, &rule, words, error);
}

static gboolean
read_thresholds (const char *text, PmtWords *thresholds, GError **error)
{
  const PmtWordsRule rule = { .where = WHERE ", thresholds", .numbers = true, .need_numbers = true, .min = 0, .max = 1 };
  if (!pmt_words_parse (text, &rule, thresholds, error))
    return FALSE;
  for (int i = 0; i < thresholds->n; i++) {
    char *end;
    const gint64 step = g_ascii_strtoll (thresholds->word[i].text, &end, 10);
    if (*end == '\0' && step >= 0)
      continue;
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, thresholds, \"%s\" is no step; write step:value, as in 10:0.5."), WHERE,
                 thresholds->word[i].text);
    return FALSE;
  }
  return TRUE;
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  State *state = g_new0 (State, 1);
  state->scale = pmt_param_number (values, "scale");
  state->steps = (int) pmt_param_number (values, "steps");
  state->refinements = (int) pmt_param_number (values, "refinements");
  state->words_only = pmt_param_number (values, "words-only") != 0;
  state->level = pmt_attention_level (run);
  gboolean ok = read_words (pmt_param_text (values, "words"), &state->words, error) &&
                read_thresholds (pmt_param_text (values, "thresholds"), &state->thresholds, error);
  if (ok && state->words.n == 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, no words are given; say which words of the prompt have to be seen, as in words=circle star."), WHERE);
    ok = FALSE;
  }
  if (ok)
    return state;
  state_free (state);
  return NULL;
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  state->tokens = g_array_new (FALSE, FALSE, sizeof (int));
  for (int i = 0; i < state->words.n; i++) {
    g_autoptr (GArray) found = pmt_words_columns_or_fail (run, run->prompt, state->words.word[i].text, WHERE ", words", error);
    if (!found)
      return FALSE;
    g_array_append_vals (state->tokens, found->data, found->len);
  }
  return pmt_sharp_maps_columns (run, state->words_only, &state->columns, &state->n_columns, error);
}

static bool
wants (void *user, const PmtAttnSite *site)
{
  return pmt_attention_maps_here (((State *) user)->level, site);
}

static gboolean
loss (void *user, PmtRun *run, PmtProbed *probed, int n, double *value, GError **error)
{
  const State *state = user;
  *value = pmt_excite_loss (probed, n, state->columns, state->n_columns, (const int *) state->tokens->data, (int) state->tokens->len);
  return TRUE;
}

/* The loss that has to be reached in this step; infinite where any will do. Of thresholds that fall into one step of a short run the highest
 * counts. */
static double
target (const State *state, const PmtRun *run, const PmtStep *step)
{
  double wanted = INFINITY;
  for (int k = 0; k < state->thresholds.n; k++) {
    const PmtWord *w = &state->thresholds.word[k];
    const int64_t at = MIN (g_ascii_strtoll (w->text, NULL, 10), MOST_STEPS);
    if (pmt_gradient_step_of_fifty (run, step, at) == pmt_gradient_step_begun (run, step))
      wanted = MIN (wanted, MAX (0.0, 1.0 - w->value));
  }
  return wanted;
}

/* In place of what an earlier call left behind `mark`. */
static gboolean
evaluate (PmtRun *run, const PmtStep *step, int track, PmtGradient *gradient, PmtArenaMark mark, GError **error)
{
  pmt_arena_release (run->ctx.step, mark);
  return pmt_run_gradient (run, step, track, gradient, error);
}

/* The loss that decides about going on is that of before the step just taken, as in the reference. A dry run counts all repetitions. */
static gboolean
refine (const State *state, PmtRun *run, const PmtStep *step, int track, PmtGradient *gradient, PmtArenaMark mark, double k,
        GError **error)
{
  const double wanted = target (state, run, step);
  bool moved = false;
  for (int i = 0; i < state->refinements && (run->ctx.dry ? wanted < INFINITY : gradient->value > wanted); i++) {
    if (i > 0 && !evaluate (run, step, track, gradient, mark, error))
      return FALSE;
    pmt_gradient_step (run, step, track, gradient->latent, k);
    moved = true;
  }
  return !moved || evaluate (run, step, track, gradient, mark, error);
}

static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  const State *state = user;
  if (stage != PMT_LATENT_PRE || track != run->result_track || run->tracks[track]->passive || state->scale == 0)
    return TRUE;
  const bool acts = pmt_gradient_step_acts (run, step, state->steps);
  if (pmt_gradient_step_begun (run, step) < 0 || (!acts && target (state, run, step) == INFINITY))
    return TRUE;
  const double k = state->scale * sqrt (step->n > 1 ? 1.0 - 0.5 * step->i / (step->n - 1) : 1.0);
  PmtGradient gradient = { .user = user, .wants_attention = wants, .loss = loss };
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  gboolean ok = evaluate (run, step, track, &gradient, mark, error) && refine (state, run, step, track, &gradient, mark, k, error);
  if (ok && acts)
    pmt_gradient_step (run, step, track, gradient.latent, k);
  pmt_arena_release (run->ctx.step, mark);
  return ok;
}

const PmtMethod pmt_method_attend_and_excite = {
  .id = "attend-and-excite",
  .label = N_("Make sure of these words"),
  .summary = N_("Sees to it that every named thing of the prompt is in the picture."),
  .params = params,
  .order = 350,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .latent = latent,
};
