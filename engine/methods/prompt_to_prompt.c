/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prompt-to-Prompt (Hertz et al. 2022): change words of a prompt and keep the picture's layout. Two tracks start from the same noise, one
 * with the source prompt, one with the target prompt. In the first part of the run the target's row with the prompt attends as the source's
 * does: the probabilities M of its cross-attentions come from the source's by a map between words, and so do those of its self-attentions at
 * coarse grids. A word's column may be made stronger or weaker (not renormalised), and a local blend keeps the source's latent wherever
 * neither track's chosen words are looked at.
 *
 * The run's prompt is the target where the source is given as a parameter, and the source where the target is (a recipe's prompt stays
 * what it was). Either way the target's picture comes out. With a picture both tracks start from it. */
#include <string.h>

#include "engine/methods/attention_map.h"
#include "engine/methods/word_map.h"
#include "engine/methods/words.h"

#define NAME "method prompt-to-prompt"

enum { SOURCE, TARGET, N_SIDES };

/* What the local blend looks at in one track. */
typedef struct Looked {
  GArray *columns, *minus; /* of int */
  float *sum, *sum_minus;  /* [grid_height, grid_width], over sites and steps; in the run's memory */
} Looked;

typedef struct State {
  const char *text[N_SIDES]; /* borrowed from the run and the parameters */
  const char *given;         /* the one that is not the run's prompt; NULL = they are the same */
  int given_side;
  int track[N_SIDES];
  int mode;                  /* 0 auto, else PmtWordMapMode + 1 */
  double cross, self, blend_start, threshold;
  PmtWords cross_words, weights, blend, minus;
  int self_level;            /* self-attention at this level of the network and coarser ones */
  PmtConditioning conditioning; /* of the given text */

  PmtWordMap map;
  float *until;  /* per column: part of the run in which it is the source's */
  float *factor; /* per column */
  float *row;    /* one row of probabilities */
  Looked looked[N_SIDES];
  PmtAttnLevel level;        /* of maps */
  int grid_height, grid_width;

  /* In the present network call. */
  bool cross_now, self_now, blend_now;
  int row_of[N_SIDES];
} State;

static const PmtParamChoice modes[] = {
  { "auto", N_("By the number of words") }, { "swap", N_("Words are swapped") }, { "refine", N_("Words are added or left out") }, { 0 }
};

static const PmtParamChoice grids[] = { { "32", N_("Coarse") }, { "16", N_("Medium") }, { 0 } };

static const PmtParam params[] = {
  { .id = "source", .label = N_("_Source prompt"), .help = N_("What the picture to keep the layout of is made from; the prompt then says what it shall become"),
    .type = PMT_PARAM_STRING, .text = "" },
  { .id = "target", .label = N_("_Target prompt"), .help = N_("What the picture of the prompt shall become, in place of a source prompt"),
    .type = PMT_PARAM_STRING, .text = "" },
  { .id = "mode", .label = N_("_Mode"), .help = N_("How words of both prompts are matched: one by one, or those that both have; by itself it is one by one "
                                                   "where both have as many words"),
    .type = PMT_PARAM_CHOICE, .text = "auto", .choices = modes },
  { .id = "cross", .label = N_("_Cross-attention"), .help = N_("Part of the run in which words are placed as in the source; less leaves more freedom"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0.8 },
  { .id = "self", .label = N_("Se_lf-attention"), .help = N_("Part of the run in which shapes are held as in the source; 0.5 to 0.6 suits photographs"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0.4 },
  { .id = "self-grid", .label = N_("Self-attention _grid"), .help = N_("The finest grid whose shapes are held: one cell for 32 pixels of an SD 1 picture, or for 16"),
    .type = PMT_PARAM_CHOICE, .text = "32", .choices = grids },
  { .id = "word-cross", .label = N_("Cross-attention of _words"), .help = N_("Parts of the run for single words of the target, as \"dog:0.4; red:1\""),
    .type = PMT_PARAM_STRING, .text = "" },
  { .id = "weights", .label = N_("_Weights"), .help = N_("Words of the target that count more or less, from -2 to 5, as \"snowy:2; trees:-1\""),
    .type = PMT_PARAM_STRING, .text = "" },
  { .id = "blend", .label = N_("_Blend words"), .help = N_("Words of either prompt whose places alone may change, as \"cat; dog\"; none = the whole picture may"),
    .type = PMT_PARAM_STRING, .text = "" },
  { .id = "blend-minus", .label = N_("Blend _without"), .help = N_("Words of either prompt whose places stay as they are all the same"),
    .type = PMT_PARAM_STRING, .text = "" },
  { .id = "blend-threshold", .label = N_("Blend t_hreshold"), .help = N_("From which part of the strongest attention on a place belongs to the blend words"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0.3 },
  { .id = "blend-start", .label = N_("Blend fr_om"), .help = N_("Part of the run after which the blend begins; 0.2 suits photographs"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0 },
  { 0 }
};

/* ---- state ------------------------------------------------------------------------------------------------------------ */

static void
state_free (void *user)
{
  State *state = user;
  pmt_words_clear (&state->cross_words);
  pmt_words_clear (&state->weights);
  pmt_words_clear (&state->blend);
  pmt_words_clear (&state->minus);
  pmt_word_map_clear (&state->map);
  g_free (state->until);
  g_free (state->factor);
  g_free (state->row);
  for (int side = 0; side < N_SIDES; side++) {
    g_clear_pointer (&state->looked[side].columns, g_array_unref);
    g_clear_pointer (&state->looked[side].minus, g_array_unref);
  }
  g_free (state);
}

static gboolean
read_texts (State *state, const PmtRun *run, const PmtParamValues *values, GError **error)
{
  const char *source = pmt_param_text (values, "source"), *target = pmt_param_text (values, "target");
  const char *prompt = run->prompt ? run->prompt : "";
  if (*source && *target) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("In %s, source and target are both given beside the prompt; give the source, and the target as the prompt, or the other "
                   "way round."), NAME);
    return FALSE;
  }
  state->text[SOURCE] = *source ? source : prompt;
  state->text[TARGET] = *target ? target : prompt;
  state->given = *source ? source : *target ? target : NULL;
  state->given_side = *target ? TARGET : SOURCE;
  return TRUE;
}

static gboolean
read_lists (State *state, const PmtParamValues *values, GError **error)
{
  const PmtWordsRule part = { NAME ", word-cross", true, true, 1, 0, 1 }, weight = { NAME ", weights", true, true, 1, -2, 5 };
  const PmtWordsRule blend = { .where = NAME ", blend" }, minus = { .where = NAME ", blend-minus" };
  return pmt_words_parse (pmt_param_text (values, "word-cross"), &part, &state->cross_words, error) &&
         pmt_words_parse (pmt_param_text (values, "weights"), &weight, &state->weights, error) &&
         pmt_words_parse (pmt_param_text (values, "blend"), &blend, &state->blend, error) &&
         pmt_words_parse (pmt_param_text (values, "blend-minus"), &minus, &state->minus, error);
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  if (run->request->mask || run->request->edit) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The %s changes words of a whole picture; leave the %s out."), NAME,
                 run->request->mask ? "mask" : "instruction");
    return NULL;
  }
  State *state = g_new0 (State, 1);
  state->track[SOURCE] = state->track[TARGET] = -1; /* none before they are made: a photo on its way to noise is left alone */
  if (!read_texts (state, run, values, error) || !read_lists (state, values, error)) {
    state_free (state);
    return NULL;
  }
  state->mode = (int) pmt_param_number (values, "mode");
  state->cross = pmt_param_number (values, "cross");
  state->self = pmt_param_number (values, "self");
  state->blend_start = pmt_param_number (values, "blend-start");
  state->threshold = pmt_param_number (values, "blend-threshold");
  state->level = pmt_attention_level (run);
  state->self_level = state->level.level - (int) pmt_param_number (values, "self-grid");
  if (state->given)
    pmt_run_expect_text (run, state->given);
  return state;
}

/* ---- words ------------------------------------------------------------------------------------------------------------ */

static gboolean
make_map (State *state, const PmtPromptTokens *source, const PmtPromptTokens *target, GError **error)
{
  PmtWordMapMode mode = source->n_words == target->n_words ? PMT_WORD_MAP_SWAP : PMT_WORD_MAP_REFINE;
  if (state->mode > 0)
    mode = state->mode - 1;
  if (mode == PMT_WORD_MAP_SWAP && source->n_words != target->n_words) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("In %s, words are swapped one by one, and the source has %d and the target %d; make it as many, or choose the mode "
                   "refine."), NAME,
                 source->n_words, target->n_words);
    return FALSE;
  }
  pmt_word_map_init (&state->map, mode, source, target);
  return TRUE;
}

static gboolean
set_columns (State *state, PmtRun *run, const PmtWords *words, const char *where, float *values, GError **error)
{
  for (int i = 0; i < words->n; i++) {
    GArray *columns = pmt_words_columns_or_fail (run, state->text[TARGET], words->word[i].text, where, error);
    if (!columns)
      return FALSE;
    for (guint k = 0; k < columns->len; k++)
      values[g_array_index (columns, int, k)] = (float) words->word[i].value;
    g_array_unref (columns);
  }
  return TRUE;
}

/* Columns of each word in either prompt; it has to be in one of them. */
static gboolean
look_for (State *state, PmtRun *run, const PmtWords *words, const char *where, GArray *found[N_SIDES], GError **error)
{
  for (int side = 0; side < N_SIDES; side++)
    found[side] = g_array_new (FALSE, FALSE, sizeof (int));
  for (int i = 0; i < words->n; i++) {
    guint n = 0;
    for (int side = 0; side < N_SIDES; side++) {
      GArray *columns = pmt_words_columns (run, state->text[side], words->word[i].text, error);
      if (!columns)
        return FALSE;
      n += columns->len;
      g_array_append_vals (found[side], columns->data, columns->len);
      g_array_unref (columns);
    }
    if (n == 0) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                   _("In %s, \"%s\" is in neither prompt, as far as the model reads them; name words as they stand there."), where,
                   words->word[i].text);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
make_sums (State *state, PmtRun *run, GError **error)
{
  pmt_attention_grid (run, state->level, &state->grid_height, &state->grid_width);
  const int64_t cells = (int64_t) state->grid_height * state->grid_width;
  for (int side = 0; side < N_SIDES; side++) {
    PmtTensor sums = pmt_run_new_tensor (run, PMT_SHAPE2 (2, cells), error);
    if (!sums.data)
      return FALSE;
    if (!run->ctx.dry)
      memset (sums.data, 0, (size_t) (2 * cells) * sizeof (float));
    state->looked[side].sum = sums.data;
    state->looked[side].sum_minus = sums.data + cells;
  }
  return TRUE;
}

static gboolean
read_words (State *state, PmtRun *run, GError **error)
{
  GArray *blend[N_SIDES] = { 0 }, *minus[N_SIDES] = { 0 };
  for (int i = 0; i < state->map.n; i++) {
    state->until[i] = (float) state->cross;
    state->factor[i] = 1.0f;
  }
  const gboolean good = set_columns (state, run, &state->cross_words, NAME ", word-cross", state->until, error) &&
                        set_columns (state, run, &state->weights, NAME ", weights", state->factor, error) &&
                        look_for (state, run, &state->blend, NAME ", blend", blend, error) &&
                        look_for (state, run, &state->minus, NAME ", blend-minus", minus, error);
  for (int side = 0; side < N_SIDES; side++) {
    state->looked[side].columns = blend[side];
    state->looked[side].minus = minus[side];
  }
  return good && (state->blend.n == 0 || make_sums (state, run, error));
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  PmtPromptTokens tokens[N_SIDES] = { 0 };
  if (state->given && !pmt_run_encode_text (run, state->given, &state->conditioning, NULL, error))
    return FALSE;
  gboolean good = TRUE;
  for (int side = 0; good && side < N_SIDES; side++)
    good = pmt_run_tokens (run, 0, state->text[side], &tokens[side], error);
  good = good && make_map (state, &tokens[SOURCE], &tokens[TARGET], error);
  for (int side = 0; side < N_SIDES; side++)
    pmt_prompt_tokens_clear (&tokens[side]);
  if (!good)
    return FALSE;
  state->until = g_new (float, state->map.n);
  state->factor = g_new (float, state->map.n);
  state->row = g_new (float, state->map.n);
  return read_words (state, run, error);
}

/* ---- tracks ----------------------------------------------------------------------------------------------------------- */

/* A second track that starts as the first one does, random numbers included. */
static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  PmtTensor noise;
  if (!run->tracks[0]->started && !pmt_run_initial_noise (run, 0, &noise, error))
    return FALSE;
  const int added = pmt_run_add_track (run, run->latent_height, run->latent_width, error);
  if (added < 0)
    return FALSE;
  const PmtTrack *first = run->tracks[0];
  PmtTrack *second = run->tracks[added];
  second->noise = first->noise;
  second->rng = first->rng;
  second->started = first->started;
  second->context = first->context;
  second->pooled = first->pooled;
  second->negative = first->negative;
  second->negative_pooled = first->negative_pooled;
  if (first->started && !run->ctx.dry)
    memcpy (second->latent.data, first->latent.data, (size_t) pmt_tensor_size (first->latent) * sizeof (float));
  if (state->given) {
    second->context = state->conditioning.context;
    second->pooled = state->conditioning.pooled;
  }
  state->track[state->given_side] = added;
  state->track[!state->given_side] = 0;
  run->result_track = state->track[TARGET];
  return TRUE;
}

/* ---- attention -------------------------------------------------------------------------------------------------------- */

static bool
within (double part, int now, int of)
{
  return now < (int) (part * of + 1e-6);
}

/* A nested prediction of another method may show one of the tracks alone: there is nothing to be changed then. */
static gboolean
call (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  State *state = user;
  bool both = true;
  for (int side = 0; side < N_SIDES; side++) {
    state->row_of[side] = pmt_attention_row (step, state->track[side]);
    both = both && state->row_of[side] >= 0;
  }
  state->self_now = both && within (state->self, step->i, step->n);
  state->blend_now = both && state->blend.n > 0;
  state->cross_now = false;
  for (int i = 0; both && i < state->map.n; i++)
    state->cross_now = state->cross_now || within (state->until[i], step->i, step->n);
  return TRUE;
}

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  const State *state = user;
  bool wanted;
  if (site->cross)
    wanted = state->cross_now || (state->blend_now && pmt_attention_maps_here (state->level, site));
  else
    wanted = state->self_now && pmt_attention_site_level (state->level, site) >= state->self_level;
  return wanted ? PMT_ATTN_PROBS : 0;
}

/* One query's probabilities in the target, from its own and the source's. */
static void
change_row (const State *state, const PmtStep *step, const float *source, float *target)
{
  for (int j = 0; j < state->map.n; j++) {
    const int begin = state->map.begin[j], end = state->map.begin[j + 1];
    float p = target[j];
    if (!within (state->until[j], step->i, step->n)) {
      state->row[j] = p;
      continue;
    }
    if (end == begin + 1 && state->map.weight[begin] == 1.0f) {
      p = source[state->map.from[begin]];
    } else if (end > begin) {
      p = 0;
      for (int i = begin; i < end; i++)
        p += state->map.weight[i] * source[state->map.from[i]];
    }
    state->row[j] = state->factor[j] == 1.0f ? p : p * state->factor[j];
  }
  memcpy (target, state->row, (size_t) state->map.n * sizeof (float));
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *site_call)
{
  State *state = user;
  if (run->ctx.dry)
    return;
  PmtTensor probs = site_call->probs;
  const int64_t length = probs.shape.dim[3], rows = probs.shape.dim[1] * probs.shape.dim[2];
  const float *source = probs.data + state->row_of[SOURCE] * rows * length;
  float *target = probs.data + state->row_of[TARGET] * rows * length;
  if (!site_call->site->cross) {
    memcpy (target, source, (size_t) (rows * length) * sizeof (float));
    return;
  }
  if (state->cross_now)
    for (int64_t i = 0; i < rows; i++)
      change_row (state, step, source + i * length, target + i * length);
  if (!state->blend_now || !pmt_attention_maps_here (state->level, site_call->site))
    return;
  for (int side = 0; side < N_SIDES; side++) {
    const Looked *looked = &state->looked[side];
    pmt_attention_add (probs, state->row_of[side], (const int *) looked->columns->data, (int) looked->columns->len, looked->sum);
    pmt_attention_add (probs, state->row_of[side], (const int *) looked->minus->data, (int) looked->minus->len, looked->sum_minus);
  }
}

/* ---- local blend ------------------------------------------------------------------------------------------------------ */

/* Adds to `mask` (latent size, 0 or 1) where the map is above the threshold's part of its highest value. */
static void
mark (const State *state, const PmtRun *run, const float *sum, bool grow, float *mask)
{
  const int h = run->latent_height, w = run->latent_width;
  g_autofree float *pooled = g_new (float, (gsize) state->grid_height * (gsize) state->grid_width);
  g_autofree float *large = g_new (float, (gsize) h * (gsize) w);
  if (grow)
    pmt_attention_max_pool (sum, state->grid_height, state->grid_width, pooled);
  pmt_attention_resize (grow ? pooled : sum, state->grid_height, state->grid_width, large, h, w);
  float top = 0;
  for (int i = 0; i < h * w; i++)
    top = MAX (top, large[i]);
  for (int i = 0; i < h * w && top > 0; i++)
    if (large[i] / top > (float) state->threshold)
      mask[i] = 1;
}

static void
keep_source (const float *mask, PmtTensor source, PmtTensor target)
{
  const int64_t c = pmt_tensor_dim (target, -1), cells = pmt_tensor_size (target) / c;
  for (int64_t i = 0; i < cells; i++)
    if (mask[i] == 0)
      memcpy (target.data + i * c, source.data + i * c, (size_t) c * sizeof (float));
}

static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  const State *state = user;
  if (stage != PMT_LATENT_POST || track != state->track[TARGET] || state->blend.n == 0 || within (state->blend_start, step->i, step->n) ||
      run->ctx.dry)
    return TRUE;
  const gsize cells = (gsize) run->latent_height * (gsize) run->latent_width;
  g_autofree float *mask = g_new0 (float, cells);
  for (int side = 0; side < N_SIDES; side++)
    mark (state, run, state->looked[side].sum, true, mask);
  if (state->minus.n > 0) {
    g_autofree float *without = g_new0 (float, cells);
    for (int side = 0; side < N_SIDES; side++)
      mark (state, run, state->looked[side].sum_minus, false, without);
    for (gsize i = 0; i < cells; i++)
      mask[i] = without[i] > 0 ? 0 : mask[i];
  }
  const PmtTrack *from = run->tracks[state->track[SOURCE]], *to = run->tracks[state->track[TARGET]];
  keep_source (mask, from->latent, to->latent);
  keep_source (mask, from->denoised, to->denoised);
  return TRUE;
}

static char *
shown (const PmtRequest *whole, const PmtParamValues *values)
{
  const char *target = pmt_param_text (values, "target");
  return *target ? g_strdup (target) : NULL;
}

/* Methods that have tracks of their own, or that differentiate through the attentions which are written over here. */
static const char *const conflicts[] = { "multidiffusion", "masactrl", "edict", "diffedit", "attend-and-excite", "layout-backward",
                                         "attention-refocusing", "self-guidance", "pix2pix-zero", NULL };

const PmtMethod pmt_method_prompt_to_prompt = {
  .id = "prompt-to-prompt",
  .label = N_("Change a word"),
  .summary = N_("Changes words of a prompt, or how much they count, and keeps the picture's layout."),
  .params = params,
  .order = 700, /* after the methods that start track 0 */
  .conflicts = conflicts,
  .whole_batch = true,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .plan = plan,
  .call = call,
  .attn_wants = attn_wants,
  .attn = attn,
  .latent = latent,
  .shown = shown,
};
