/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Structured diffusion guidance (Feng et al. 2023): words of one thing are kept from colouring another. Each phrase is encoded by itself,
 * and its states between the marks take the places of its words in a copy of the prompt's context. In the cross-attentions of the prompt's
 * rows the keys are the prompt's own, and the values the mean over the prompt's context and these copies. As the probabilities are shared
 * and values are linear in the context, one mean context is all that is needed.
 *
 * For "A and B" there is the other form of the paper: keys from each of the contexts, values from one with all phrases in place, and the
 * outputs averaged. All keys stand behind each other then, and each context's logits are made to share an equal part of the softmax. */
#include <math.h>
#include <string.h>

#include "engine/methods/attention_map.h"
#include "engine/methods/words.h"
#include "engine/text/noun_chunks.h"

#define NAME "method structured"

enum { MOST_PHRASES = 32 };

typedef struct State {
  PmtWords phrases;
  bool conjunction;
  PmtTensor keys;   /* [1, S, C], in a conjunction [1, (phrases + 1) S, C]; in the run's memory */
  PmtTensor values; /* alike */
  int copies;       /* of S in these */
  bool active;      /* in the present network call */
} State;

static const PmtParam params[] = {
  { .id = "phrases", .label = N_("_Phrases"), .help = N_("Things with their words, as \"a red circle; a blue house\"; none = those that the prompt seems to name"),
    .type = PMT_PARAM_STRING, .text = "" },
  { .id = "conjunction", .label = N_("_Conjunction"), .help = N_("For \"one and another\": each thing is also looked for by itself"),
    .type = PMT_PARAM_BOOL, .min = 0, .max = 1, .fallback = 0 },
  { 0 }
};

static void
state_free (void *user)
{
  State *state = user;
  pmt_words_clear (&state->phrases);
  g_free (state);
}

/* Methods that look at attention in passes of their own. */
static const char *const lookers[] = { "attend-and-excite", "layout-backward", "attention-refocusing", "universal-guidance", NULL };

/* A conjunction has further columns, which others would take for words. */
static gboolean
check_others (const PmtRun *run, GError **error)
{
  for (int i = 0; i < run->n_methods; i++) {
    const PmtMethod *m = run->methods[i];
    if (m->internal || !(m->attn_wants || g_strv_contains (lookers, m->id)) || strcmp (m->id, "structured") == 0)
      continue;
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("In %s, a conjunction cannot be used together with the method %s; leave one of them out."), NAME, m->id);
    return FALSE;
  }
  return TRUE;
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  const PmtWordsRule rule = { .where = NAME ", phrases" };
  State *state = g_new0 (State, 1);
  state->conjunction = pmt_param_number (values, "conjunction") != 0;
  if (pmt_words_parse (pmt_param_text (values, "phrases"), &rule, &state->phrases, error)) {
    if (state->phrases.n > MOST_PHRASES)
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, there are %d phrases and at most %d are possible; leave some out."), NAME,
                   state->phrases.n, MOST_PHRASES);
    else if (!state->conjunction || check_others (run, error))
      return state;
  }
  state_free (state);
  return NULL;
}

/* ---- contexts --------------------------------------------------------------------------------------------------------- */

/* The things that the prompt seems to name, each once. */
static gboolean
find_phrases (State *state, PmtRun *run, GError **error)
{
  PmtPromptTokens tokens;
  if (!pmt_run_tokens (run, 0, run->prompt, &tokens, error))
    return FALSE;
  GArray *chunks = pmt_noun_chunks (&tokens);
  pmt_words_clear (&state->phrases);
  state->phrases.word = g_new0 (PmtWord, MOST_PHRASES);
  for (guint i = 0; i < chunks->len && state->phrases.n < MOST_PHRASES; i++) {
    const PmtNounChunk chunk = g_array_index (chunks, PmtNounChunk, i);
    g_autofree char *text = pmt_noun_chunk_text (&tokens, chunk);
    bool there = tokens.token[tokens.word[chunk.first + chunk.n - 1].first].chunk < 0; /* cut: nothing to be kept apart */
    for (int k = 0; k < state->phrases.n; k++)
      there = there || strcmp (state->phrases.word[k].text, text) == 0;
    if (!there)
      state->phrases.word[state->phrases.n++].text = g_steal_pointer (&text);
  }
  g_array_unref (chunks);
  pmt_prompt_tokens_clear (&tokens);
  return TRUE;
}

/* The phrase's own states into `context` [S, C], wherever it stands in the prompt. */
static gboolean
paste (PmtRun *run, const char *phrase, PmtTensor said, float *context, GError **error)
{
  PmtPromptTokens own;
  if (!pmt_run_tokens (run, 0, phrase, &own, error))
    return FALSE;
  const size_t width = (size_t) pmt_tensor_dim (said, 2);
  gboolean good = TRUE;
  for (int k = 0;; k++) {
    GArray *spans = pmt_run_phrase_spans (run, run->prompt, phrase, k, error);
    good = spans != NULL;
    int token = 0;
    for (guint i = 0; good && i < spans->len; i++) {
      const PmtPromptSpan *span = &g_array_index (spans, PmtPromptSpan, i);
      for (int at = span->begin; at < span->end && token < own.n_tokens; at++, token++) {
        const PmtPromptToken *t = &own.token[token];
        if (t->chunk >= 0 && t->chunk < own.n_chunks && !run->ctx.dry)
          memcpy (context + (size_t) (span->chunk * own.length + at) * width,
                  said.data + (size_t) (t->chunk * own.length + t->at) * width, width * sizeof (float));
      }
    }
    const bool last = !good || spans->len == 0;
    g_clear_pointer (&spans, g_array_unref);
    if (last)
      break;
  }
  pmt_prompt_tokens_clear (&own);
  return good;
}

static gboolean
make_tensors (State *state, PmtRun *run, GError **error)
{
  PmtShape shape = run->context.shape;
  state->copies = state->conjunction ? state->phrases.n + 1 : 1;
  shape.dim[1] *= state->copies;
  state->keys = state->conjunction ? pmt_run_new_tensor (run, shape, error) : run->context;
  if (state->keys.data)
    state->values = pmt_run_new_tensor (run, shape, error);
  return state->values.data != NULL;
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  if (state->phrases.n == 0 && !find_phrases (state, run, error))
    return FALSE;
  if (state->phrases.n == 0)
    return TRUE;
  if (!make_tensors (state, run, error))
    return FALSE;
  const size_t n = (size_t) pmt_tensor_size (run->context), size = n * sizeof (float);
  g_autofree float *one = g_new (float, n);
  const float part = 1.0f / (float) (state->phrases.n + 1);
  if (!run->ctx.dry) {
    memcpy (state->values.data, run->context.data, size);
    if (state->conjunction)
      memcpy (state->keys.data, run->context.data, size);
  }
  for (int k = 0; k < state->phrases.n; k++) {
    const char *phrase = state->phrases.word[k].text;
    GArray *columns = pmt_words_columns_or_fail (run, run->prompt, phrase, NAME ", phrases", error);
    if (!columns)
      return FALSE;
    g_array_unref (columns);
    PmtConditioning said;
    if (!pmt_run_encode_text (run, phrase, &said, NULL, error))
      return FALSE;
    if (!run->ctx.dry)
      memcpy (one, run->context.data, size);
    if (!paste (run, phrase, said.context, one, error))
      return FALSE;
    if (run->ctx.dry)
      continue;
    if (state->conjunction) {
      memcpy (state->keys.data + (size_t) (k + 1) * n, one, size);
      if (!paste (run, phrase, said.context, state->values.data, error))
        return FALSE;
    } else {
      for (size_t i = 0; i < n; i++) /* differences, so that a phrase that says what the prompt says changes nothing */
        state->values.data[i] += part * (one[i] - run->context.data[i]);
    }
  }
  for (int k = 1; k < state->copies && !run->ctx.dry; k++)
    memcpy (state->values.data + (size_t) k * n, state->values.data, size);
  return TRUE;
}

/* ---- attention -------------------------------------------------------------------------------------------------------- */

static gboolean
call (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  State *state = user;
  state->active = false;
  for (int i = 0; i < step->n_call_rows && state->phrases.n > 0; i++)
    state->active = state->active || pmt_attention_reads_prompt (run, &step->rows.row[step->call_row[i]]);
  return TRUE;
}

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  const State *state = user;
  if (!state->active || !site->cross)
    return 0;
  return PMT_ATTN_SOURCES | (state->conjunction ? PMT_ATTN_LOGITS : 0);
}

/* What is projected, for all rows of the call: `own` for those that read the prompt, copies of what they had for others. */
static PmtTensor
sources (const State *state, PmtRun *run, const PmtStep *step, PmtTensor given, PmtTensor own)
{
  PmtShape shape = given.shape;
  shape.dim[1] *= state->copies;
  PmtTensor all = pmt_tensor_new (&run->ctx, shape);
  const size_t n = (size_t) (given.shape.dim[1] * given.shape.dim[2]), copies = (size_t) state->copies;
  for (size_t i = 0; i < (size_t) step->n_call_rows && all.data && !run->ctx.dry; i++) {
    float *to = all.data + i * n * copies;
    if (pmt_attention_reads_prompt (run, &step->rows.row[step->call_row[i]]))
      memcpy (to, own.data, n * copies * sizeof (float));
    else
      for (size_t k = 0; k < copies; k++)
        memcpy (to + k * n, given.data + i * n, n * sizeof (float));
  }
  return all;
}

/* Each of the copies' logits less the logarithm of its sum: in the softmax over all of them each then has an equal part. */
static void
share (const State *state, PmtTensor logits)
{
  const int64_t length = pmt_tensor_dim (logits, 3) / state->copies, n = pmt_tensor_size (logits) / length;
  for (int64_t i = 0; i < n; i++) {
    float *at = logits.data + i * length, top = at[0];
    for (int64_t j = 1; j < length; j++)
      top = MAX (top, at[j]);
    double sum = 0;
    for (int64_t j = 0; j < length; j++)
      sum += exp ((double) at[j] - top);
    const float off = (float) (top + log (sum));
    for (int64_t j = 0; j < length; j++)
      at[j] -= off;
  }
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *site_call)
{
  const State *state = user;
  if (stage == PMT_ATTN_LOGITS) {
    if (!run->ctx.dry)
      share (state, site_call->logits);
    return;
  }
  site_call->source_v = sources (state, run, step, site_call->source_v, state->values);
  if (state->conjunction)
    site_call->source_k = sources (state, run, step, site_call->source_k, state->keys);
}

static const char *const conflicts[] = { "pix2pix-zero", NULL };

const PmtMethod pmt_method_structured = {
  .id = "structured",
  .label = N_("Things with their words"),
  .summary = N_("Keeps each thing's own words with it, so that fewer colours and qualities end up on the wrong one."),
  .params = params,
  .order = 550,
  .conflicts = conflicts,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .call = call,
  .attn_wants = attn_wants,
  .attn = attn,
};
