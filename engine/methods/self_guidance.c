/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Self-guidance (Epstein et al. 2023): move or resize one thing of a picture and keep the rest. A second track makes the picture as it would be
 * (or, with a photo, is the photo with as much noise as the step has); what the network's own attention and features say of it there is
 * the reference, and the picture's prediction is led to differ from that as asked. Without a request to move anything the picture is
 * the reference, to the bit. */
#include <math.h>
#include <string.h>

#include "engine/methods/attention_map.h"
#include "engine/methods/guide.h"
#include "engine/methods/self_loss.h"
#include "engine/methods/start.h"
#include "engine/methods/words.h"

#define WHERE "method self-guidance"

typedef struct State {
  PmtWords words;
  PmtSelfWord how, others; /* without columns */
  double scale, until, end;
  bool photo;
  PmtAttnLevel level;
  int feature_level;       /* of the way up; -1 = features are not looked at */
  GArray *columns;         /* int: the thing's, then one of each other token */
  PmtSelfWord *list;
  int n_list;

  int track;               /* of the reference */
  PmtTensor clean, noise;  /* with a photo */
  bool acts, looks;        /* in the present network call: at all, and at the reference's row */
  int row;
  PmtSelfView reference;   /* mean and feature are the run's memory */
  double heads;            /* seen of it */
} State;

static const PmtParam params[] = {
  { .id = "words", .label = N_("_Thing"), .help = N_("Words of the prompt for the thing that moves, as they stand there"), .type = PMT_PARAM_STRING, .text = "" },
  { .id = "right", .label = N_("To the _right"), .help = N_("How far it moves to the right, as a part of the picture's width; to the left below 0"),
    .type = PMT_PARAM_DOUBLE, .min = -1, .max = 1, .fallback = 0 },
  { .id = "down", .label = N_("_Down"), .help = N_("How far it moves down, as a part of the picture's height; up below 0"),
    .type = PMT_PARAM_DOUBLE, .min = -1, .max = 1, .fallback = 0 },
  { .id = "resize", .label = N_("Re_size"), .help = N_("How many times as wide and high it becomes"), .type = PMT_PARAM_DOUBLE, .min = 0.1, .max = 10,
    .fallback = 1 },
  { .id = "scale", .label = N_("_Strength"), .help = N_("How strongly the picture is led; 0 leaves it alone"), .type = PMT_PARAM_DOUBLE, .min = 0,
    .max = 1000000, .fallback = 50 },
  { .id = "position", .label = N_("_Place counts"), .help = N_("How much the thing's place counts"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1000,
    .fallback = 5 },
  { .id = "size", .label = N_("S_ize counts"), .help = N_("How much the thing's size counts"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1000,
    .fallback = 5 },
  { .id = "shape", .label = N_("S_hape counts"), .help = N_("How much the thing's shape counts, moved and resized"), .type = PMT_PARAM_DOUBLE, .min = 0,
    .max = 1000, .fallback = 8 },
  { .id = "appearance", .label = N_("_Look counts"), .help = N_("How much the thing's look counts; 0 for both looks is faster"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1000, .fallback = 1.7 },
  { .id = "others-shape", .label = N_("_Other shapes count"), .help = N_("How much it counts that all other words keep their shapes and places"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1000, .fallback = 1 },
  { .id = "others-appearance", .label = N_("O_ther looks count"), .help = N_("How much it counts that all other words keep their looks"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1000, .fallback = 0.1 },
  { .id = "until", .label = N_("_Until"), .help = N_("Part of the run in which every step is led; after it every second one is"), .type = PMT_PARAM_DOUBLE,
    .min = 0, .max = 1, .fallback = 0.3 },
  { .id = "end", .label = N_("_End"), .help = N_("Part of the run after which nothing is led"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1,
    .fallback = 0.97 },
  { 0 }
};

static void
state_free (void *user)
{
  State *state = user;
  pmt_words_clear (&state->words);
  g_clear_pointer (&state->columns, g_array_unref);
  g_free (state->list);
  g_free (state);
}

static gboolean
check (const State *state, const PmtRun *run, GError **error)
{
  const char *wrong = NULL;
  if (state->words.n != 1)
    wrong = _("words has to be one phrase of the prompt, the thing that moves, as in words=red circle");
  else if (run->request->mask || run->request->edit)
    wrong = _("whole pictures are made; leave the mask or the instruction out");
  if (wrong)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, %s."), WHERE, wrong);
  return !wrong;
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  const PmtWordsRule rule = { .where = WHERE ", words" };
  const PmtUnetConfig *config = pmt_model_unet_config (run->model, run->unet_choice);
  State *state = g_new0 (State, 1);
  state->how = (PmtSelfWord) { .position = pmt_param_number (values, "position"), .size = pmt_param_number (values, "size"),
                               .shape = pmt_param_number (values, "shape"), .appearance = pmt_param_number (values, "appearance"),
                               .right = pmt_param_number (values, "right"), .down = pmt_param_number (values, "down"),
                               .resize = pmt_param_number (values, "resize") };
  state->others = (PmtSelfWord) { .shape = pmt_param_number (values, "others-shape"),
                                  .appearance = pmt_param_number (values, "others-appearance"), .resize = 1 };
  state->scale = pmt_param_number (values, "scale");
  state->until = pmt_param_number (values, "until");
  state->end = pmt_param_number (values, "end");
  state->photo = run->request->image || run->request->latent;
  state->level = pmt_attention_level (run);
  state->feature_level = state->how.appearance > 0 || state->others.appearance > 0 ? MAX (config->n_levels - 2, 0) : -1;
  if (pmt_words_parse (pmt_param_text (values, "words"), &rule, &state->words, error) && check (state, run, error))
    return state;
  state_free (state);
  return NULL;
}

/* The thing's columns, and those of all other tokens one by one. */
static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  PmtPromptTokens tokens;
  state->columns = pmt_words_columns_or_fail (run, run->prompt, state->words.word[0].text, WHERE ", words", error);
  if (!state->columns || !pmt_run_tokens (run, 0, run->prompt, &tokens, error))
    return FALSE;
  const int own = (int) state->columns->len, chunks = pmt_run_text_chunks (run), length = pmt_run_text_length (run);
  for (int i = 0; i < tokens.n_tokens; i++) {
    const int column = tokens.token[i].chunk * length + tokens.token[i].at;
    bool taken = tokens.token[i].chunk < 0 || tokens.token[i].chunk >= chunks;
    for (int k = 0; k < own && !taken; k++)
      taken = g_array_index (state->columns, int, k) == column;
    if (!taken)
      g_array_append_val (state->columns, column);
  }
  pmt_prompt_tokens_clear (&tokens);
  const int *column = (const int *) state->columns->data, others = (int) state->columns->len - own;
  state->n_list = 1 + others;
  state->list = g_new (PmtSelfWord, state->n_list);
  for (int i = 0; i < state->n_list; i++) {
    state->list[i] = i == 0 ? state->how : state->others;
    state->list[i].columns = i == 0 ? column : column + own + i - 1;
    state->list[i].n_columns = i == 0 ? own : 1;
    state->list[i].shape /= i == 0 ? 1 : others;
    state->list[i].appearance /= i == 0 ? 1 : others;
  }
  return TRUE;
}

static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  state->track = -1;
  if (state->scale == 0)
    return TRUE;
  if (!pmt_run_initial_noise (run, 0, &state->noise, error) || (state->photo && !pmt_start_mean (run, 0, &state->clean, error)))
    return FALSE;
  state->track = pmt_run_add_track (run, run->latent_height, run->latent_width, error);
  if (state->track < 0)
    return FALSE;
  PmtTrack *reference = run->tracks[state->track];
  reference->noise = state->noise;
  reference->rng = run->tracks[0]->rng; /* what samplers draw is the same for both */
  reference->started = state->photo;
  return TRUE;
}

/* ---- the reference ----------------------------------------------------------------------------------------------------- */

static bool
acts_in (const State *state, const PmtStep *step)
{
  const int every = (int) lround (state->until * step->n);
  return state->scale > 0 && step->i < (int) lround (state->end * step->n) && (step->i < every || (step->i - every) % 2 == 1);
}

static gboolean
call (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  State *state = user;
  state->acts = acts_in (state, step);
  state->row = state->track < 0 ? -1 : pmt_attention_row (step, state->track);
  state->looks = state->acts && state->row >= 0;
  if (state->looks) { /* once in each step */
    state->heads = 0;
    if (state->reference.mean && !run->ctx.dry)
      memset (state->reference.mean, 0, (size_t) state->reference.height * (size_t) state->reference.width * (size_t) state->reference.length * sizeof (double));
  }
  return TRUE;
}

static bool
wanted (const State *state, const PmtAttnSite *site)
{
  return site->place == PMT_PLACE_UP && pmt_attention_maps_here (state->level, site);
}

/* In all calls of the step, so that it does not matter which rows are in one. */
static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  const State *state = user;
  return state->acts && wanted (state, site) ? PMT_ATTN_PROBS : 0;
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *site_call)
{
  State *state = user;
  const PmtTensor probs = site_call->probs;
  const int64_t heads = probs.shape.dim[1], n = probs.shape.dim[2] * probs.shape.dim[3];
  if (!state->looks)
    return;
  if (!state->reference.mean) { /* doubles in a run's memory */
    GError *error = NULL;
    PmtTensor room = pmt_run_new_tensor (run, PMT_SHAPE1 (2 * n), &error);
    if (!room.data) {
      pmt_context_fail (&run->ctx, (PmtError) error->code, "%s", error->message);
      g_error_free (error);
      return;
    }
    state->reference.height = site_call->site->height;
    state->reference.width = site_call->site->width;
    state->reference.length = (int) probs.shape.dim[3];
    state->reference.mean = (double *) (void *) room.data;
    if (!run->ctx.dry)
      memset (state->reference.mean, 0, (size_t) n * sizeof (double));
  }
  const float *p = probs.data + state->row * heads * n;
  for (int64_t h = 0; h < heads && !run->ctx.dry; h++)
    for (int64_t k = 0; k < n; k++)
      state->reference.mean[k] += (double) p[h * n + k];
  state->heads += (double) heads;
}

static bool
resid_wants (void *user, const PmtResidSite *site)
{
  const State *state = user;
  return state->acts && site->kind == PMT_RESID_UP && site->level == state->feature_level;
}

static void
resid (void *user, PmtRun *run, PmtStep *step, const PmtResidSite *site, PmtTensor *x)
{
  State *state = user;
  if (!state->looks)
    return;
  const PmtTensor mine = pmt_tensor_rows (*x, state->row, 1);
  PmtSelfView *view = &state->reference;
  if (!view->feature) {
    GError *error = NULL;
    view->feature = pmt_run_new_tensor (run, mine.shape, &error).data;
    if (!view->feature) {
      pmt_context_fail (&run->ctx, (PmtError) error->code, "%s", error->message);
      g_error_free (error);
      return;
    }
    view->feature_height = (int) mine.shape.dim[1];
    view->feature_width = (int) mine.shape.dim[2];
    view->channels = (int) mine.shape.dim[3];
  }
  if (!run->ctx.dry)
    memcpy ((float *) view->feature, mine.data, (size_t) pmt_tensor_size (mine) * sizeof (float));
}

/* ---- the picture ------------------------------------------------------------------------------------------------------- */

static bool
wants_attention (void *user, const PmtAttnSite *site)
{
  return wanted (user, site);
}

static bool
wants_residual (void *user, const PmtResidSite *site)
{
  const State *state = user;
  return site->kind == PMT_RESID_UP && site->level == state->feature_level;
}

static gboolean
loss (void *user, PmtRun *run, PmtProbed *probed, int n, double *value, GError **error)
{
  State *state = user;
  const size_t size = (size_t) state->reference.height * (size_t) state->reference.width * (size_t) state->reference.length;
  PmtSelfView mean = state->reference;
  g_autofree double *values = g_new (double, size);
  for (size_t k = 0; k < size; k++)
    values[k] = state->reference.mean[k] * (1.0 / state->heads); /* as a view has it, to the bit */
  mean.mean = values;
  *value = pmt_self_loss (probed, n, &mean, state->list, state->n_list);
  return TRUE;
}

static gboolean
combine (void *user, PmtRun *run, PmtStep *step, int track, GError **error)
{
  State *state = user;
  if (track != 0 || state->track < 0 || !acts_in (state, step))
    return TRUE;
  PmtGradient gradient = { .user = state, .wants_attention = wants_attention, .loss = loss,
                           .wants_residual = state->feature_level >= 0 ? wants_residual : NULL };
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  const gboolean ok = pmt_run_gradient (run, step, track, &gradient, error);
  if (ok)
    pmt_guide_prediction (run, step, run->tracks[track]->prediction, gradient.latent, state->scale);
  pmt_arena_release (run->ctx.step, mark);
  return ok;
}

/* A photo with the step's noise. */
static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  const State *state = user;
  if (stage == PMT_LATENT_PRE && track == state->track && state->photo)
    run->request->sampler->add_noise (run->tracks[track]->solver, step->grid_i, state->clean.data, state->noise.data, run->tracks[track]->latent.data);
  return TRUE;
}

static const char *const conflicts[] = { "multidiffusion", "diffedit", "edict", "masactrl", "prompt-to-prompt", "deepcache", "token-merging", NULL };

const PmtMethod pmt_method_self_guidance = {
  .id = "self-guidance",
  .label = N_("Move a thing"),
  .summary = N_("Moves or resizes one thing that the prompt names, and keeps the rest of the picture."),
  .params = params,
  .order = 950, /* after guidance */
  .conflicts = conflicts,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .plan = plan,
  .call = call,
  .attn_wants = attn_wants,
  .attn = attn,
  .resid_wants = resid_wants,
  .resid = resid,
  .combine = combine,
  .latent = latent,
};
