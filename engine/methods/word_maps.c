/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Heat maps of words (methods.md A12; Hertz et al. 2022, section 3; Tang et al. 2023): where the network looked for each of them while it
 * made the picture. Changes nothing. A map is the mean over steps, sites of the family's attention grid and heads of the part of a cell's
 * cross-attention that the phrase gets, 0..1; over all tokens and marks of the prompt the parts add up to 1. */
#include "engine/methods/attention_map.h"
#include "engine/methods/words.h"

#define NAME "method word-maps"

typedef struct State {
  PmtWords words;
  double from, to;
  PmtAttnLevel level;
  PmtPhraseMap *maps; /* one per word */
  int row;            /* in the present network call; -1 = not looked at */
  const PmtStep *step; /* the run's own present one: other methods' passes say nothing of it */
} State;

static const PmtParam params[] = {
  { .id = "words", .label = N_("_Words"), .help = N_("Words or phrases of the prompt, as \"circle; blue house\"; none = each word for itself"),
    .type = PMT_PARAM_STRING, .text = "" },
  { .id = "from", .label = N_("_From"), .help = N_("Part of the run after which is looked at"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1,
    .fallback = 0 },
  { .id = "to", .label = N_("_To"), .help = N_("Part of the run up to which is looked at"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1,
    .fallback = 1 },
  { 0 }
};

static void
state_free (void *user)
{
  State *state = user;
  for (int i = 0; state->maps && i < state->words.n; i++)
    pmt_phrase_map_clear (&state->maps[i]);
  g_free (state->maps);
  pmt_words_clear (&state->words);
  g_free (state);
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  const PmtWordsRule rule = { .where = NAME ", words" };
  State *state = g_new0 (State, 1);
  state->from = pmt_param_number (values, "from");
  state->to = pmt_param_number (values, "to");
  state->level = pmt_attention_level (run);
  if (state->from >= state->to)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, the part from %g to %g of the run is empty; give two numbers, the smaller "
                   "first."), NAME, state->from, state->to);
  else if (pmt_words_parse (pmt_param_text (values, "words"), &rule, &state->words, error))
    return state;
  state_free (state);
  return NULL;
}

static bool
is_listed (const PmtWords *words, const char *text)
{
  for (int i = 0; i < words->n; i++)
    if (g_str_equal (words->word[i].text, text))
      return true;
  return false;
}

/* Each word of letters or digits, once. */
static gboolean
take_all_words (State *state, PmtRun *run, GError **error)
{
  PmtPromptTokens tokens;
  if (!pmt_run_tokens (run, 0, run->prompt, &tokens, error))
    return FALSE;
  pmt_words_clear (&state->words);
  state->words.word = g_new0 (PmtWord, tokens.n_words + 1);
  for (int i = 0; i < tokens.n_words; i++) {
    const PmtPromptWord *word = &tokens.word[i];
    const bool placed = word->n > 0 && tokens.token[word->first].chunk >= 0;
    const bool named = word->trigger >= 0 || g_unichar_isalnum (g_utf8_get_char (word->text));
    if (placed && named && !is_listed (&state->words, word->text))
      state->words.word[state->words.n++].text = g_strdup (word->text);
  }
  pmt_prompt_tokens_clear (&tokens);
  if (state->words.n == 0)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, the prompt \"%s\" has no words to look for; write some."), NAME,
                 run->prompt ? run->prompt : "");
  return state->words.n > 0;
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  if (state->words.n == 0 && !take_all_words (state, run, error))
    return FALSE;
  state->maps = g_new0 (PmtPhraseMap, state->words.n);
  for (int i = 0; i < state->words.n; i++) {
    GArray *columns = pmt_words_columns_or_fail (run, run->prompt, state->words.word[i].text, NAME ", words", error);
    const gboolean good =
      columns && pmt_phrase_map_init (&state->maps[i], run, state->level, (const int *) columns->data, (int) columns->len, error);
    g_clear_pointer (&columns, g_array_unref);
    if (!good)
      return FALSE;
  }
  return TRUE;
}

/* The first row that reads the prompt. */
static gboolean
call (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  State *state = user;
  state->row = -1;
  if (step != state->step)
    return TRUE;
  if (step->i < (int) (state->from * step->n + 1e-6) || step->i >= (int) (state->to * step->n + 1e-6))
    return TRUE;
  for (int k = step->n_call_rows - 1; k >= 0; k--)
    if (pmt_attention_reads_prompt (run, &step->rows.row[step->call_row[k]]))
      state->row = k;
  return TRUE;
}

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  const State *state = user;
  return state->row >= 0 && pmt_attention_maps_here (state->level, site) ? PMT_ATTN_PROBS : 0;
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *site_call)
{
  State *state = user;
  for (int i = 0; i < state->words.n && !run->ctx.dry; i++)
    pmt_phrase_map_see (&state->maps[i], site_call->probs, state->row);
}

static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  State *state = user;
  if (stage == PMT_LATENT_PRE)
    state->step = step;
  if (stage != PMT_LATENT_END || track != run->result_track || run->ctx.dry)
    return TRUE;
  int height, width;
  pmt_attention_grid (run, state->level, &height, &width);
  g_autofree float *mean = g_new (float, (gsize) height * (gsize) width);
  for (int i = 0; i < state->words.n; i++)
    if (pmt_phrase_map_mean (&state->maps[i], mean))
      pmt_run_add_map (run, state->words.word[i].text, width, height, mean);
  if (state->maps[0].seen == 0)
    pmt_run_note (run, "There are no word maps: from %g to %g of the run nothing that reads the whole prompt was computed.", state->from,
                  state->to);
  return TRUE;
}

const PmtMethod pmt_method_word_maps = {
  .id = "word-maps",
  .label = N_("Word maps"),
  .summary = N_("Shows where the words of the prompt went, as a heat map for each; the picture stays as it is."),
  .params = params,
  .order = 950, /* after all that change attention: what they made of it is shown */
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .call = call,
  .attn_wants = attn_wants,
  .attn = attn,
  .latent = latent,
};
