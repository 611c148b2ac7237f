/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pix2pix-zero (Parmar et al. 2023): one thing becomes another, the layout stays. What the prompt says gets the difference between sentences about the
 * one and sentences about the other; a second track makes the picture without it, and before each step the latent moves so that the
 * network looks for all words where it does there. A photo is taken to noise first, by an inversion whose noise is kept like noise
 * (even_noise.h). */
#include <string.h>

#include "engine/methods/even_noise.h"
#include "engine/methods/excite.h"
#include "engine/methods/start.h"
#include "engine/sample/gradient.h"
#include "engine/sample/invert.h"

#define WHERE "method pix2pix-zero"

typedef struct State {
  const char *from, *to;
  double amount;
  bool photo;
  PmtEvenNoise even;
  PmtTensor direction; /* [1, S, C] */
  int track;           /* of the picture without it */
  bool looking;        /* at the reference, in the present network call */
  GArray *maps;        /* PmtTensor, the reference's probabilities in this step, in the order of sites; in the run's memory until its end */
} State;

static const PmtParam params[] = {
  { .id = "from", .label = N_("_From"), .help = N_("What the thing is, as a word or phrase, such as \"cat\""), .type = PMT_PARAM_STRING, .text = "" },
  { .id = "to", .label = N_("_To"), .help = N_("What it is to become, such as \"dog\""), .type = PMT_PARAM_STRING, .text = "" },
  { .id = "amount", .label = N_("_Layout"), .help = N_("How strongly the layout is held; 0 leaves the words alone to act"), .type = PMT_PARAM_DOUBLE, .min = 0,
    .max = 100, .fallback = 0.1 },
  { .id = "apart", .label = N_("_Likeness"), .help = N_("How strongly a photo's noise is kept from having patterns"), .type = PMT_PARAM_DOUBLE,
    .min = 0, .max = 1000, .fallback = 20 },
  { .id = "normal", .label = N_("_Normality"), .help = N_("How strongly a photo's noise is kept at mean 0 and variance 1"), .type = PMT_PARAM_DOUBLE,
    .min = 0, .max = 1000, .fallback = 20 },
  { .id = "rounds", .label = N_("_Rounds"), .help = N_("How often both are done in each step of a photo's way to noise"), .type = PMT_PARAM_INT, .min = 0,
    .max = 100, .fallback = 5 },
  { 0 }
};

/* Sentences about a thing, whose mean is what the encoder thinks of it. */
static const char *const sentences[] = { "a photo of a %s", "a picture of a %s", "a close-up of a %s", "a %s in the middle", "a small %s", "a large %s",
                                         "one %s on a plain background", "a bright photo of the %s", "a drawing of a %s", "the %s and nothing else" };

static char *
sentence (size_t i, const char *thing)
{
  g_auto (GStrv) halves = g_strsplit (sentences[i], "%s", 2);
  return g_strconcat (halves[0], thing, halves[1], NULL);
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  const PmtRequest *q = run->request;
  const bool photo = q->image || q->latent;
  const char *from = pmt_param_text (values, "from"), *to = pmt_param_text (values, "to");
  const bool words = *from && *to;
  if (!words || q->mask) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, %s."), WHERE,
                 words ? _("whole pictures are changed; leave the mask out") : _("from and to are needed, as in from=cat,to=dog"));
    return NULL;
  }
  if (photo && !pmt_start_check_inversion (run, "pix2pix-zero", error))
    return NULL;
  State *state = g_new0 (State, 1);
  *state = (State) { .from = from, .to = to, .amount = pmt_param_number (values, "amount"), .photo = photo, .track = -1,
                     .maps = g_array_new (FALSE, FALSE, sizeof (PmtTensor)),
                     .even = { .apart = pmt_param_number (values, "apart"), .normal = pmt_param_number (values, "normal"),
                               .rounds = (int) pmt_param_number (values, "rounds"), .rolls = 5 } };
  pmt_rng_seed (&state->even.rng, q->seed);
  return state;
}

static void
state_free (void *user)
{
  State *state = user;
  g_array_unref (state->maps);
  g_free (state);
}

/* Adds `share` times what is said of the thing. Sentences may be cut to the prompt's own length, which decides that of all contexts. */
static gboolean
add_thing (State *state, PmtRun *run, const char *thing, float share, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (sentences); i++) {
    g_autofree char *said = sentence (i, thing);
    PmtConditioning c;
    if (!pmt_run_encode_text (run, said, &c, NULL, error))
      return FALSE;
    for (int64_t k = 0; k < pmt_tensor_size (c.context) && !run->ctx.dry; k++)
      state->direction.data[k] += share * c.context.data[k];
  }
  return TRUE;
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  const float share = 1.0f / (float) G_N_ELEMENTS (sentences);
  state->direction = pmt_run_new_tensor (run, run->context.shape, error);
  if (!state->direction.data)
    return FALSE;
  if (!run->ctx.dry)
    memset (state->direction.data, 0, (size_t) pmt_tensor_size (state->direction) * sizeof (float));
  if (strcmp (state->from, state->to) == 0)
    return TRUE;
  return add_thing (state, run, state->to, share, error) && add_thing (state, run, state->from, -share, error);
}

static void
even (void *user, float *noise, int height, int width, int channels)
{
  pmt_noise_even (user, noise, height, width, channels);
}

static gboolean
start (State *state, PmtRun *run, GError **error)
{
  PmtTensor clean, noised, noise;
  if (!state->photo)
    return pmt_run_initial_noise (run, 0, &noise, error);
  const PmtInversion inversion = { .text = { run->context, run->pooled }, .noise = state->even.rounds > 0 ? even : NULL, .user = &state->even };
  if (!pmt_start_mean (run, 0, &clean, error) || !pmt_run_invert (run, 0, &inversion, clean, NULL, &noised, error))
    return FALSE;
  memcpy (run->tracks[0]->latent.data, noised.data, (size_t) pmt_tensor_size (noised) * sizeof (float));
  run->tracks[0]->started = true;
  return TRUE;
}

static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  PmtTrack *t = run->tracks[0];
  PmtTensor said = pmt_run_keep (run, t->context, error);
  if (!said.data || !start (state, run, error))
    return FALSE;
  for (int64_t k = 0; k < pmt_tensor_size (said) && !run->ctx.dry; k++)
    said.data[k] += state->direction.data[k];
  t->context = said;
  if (state->amount == 0)
    return TRUE;
  state->track = pmt_run_add_track (run, run->latent_height, run->latent_width, error);
  if (state->track < 0)
    return FALSE;
  PmtTrack *reference = run->tracks[state->track];
  reference->noise = t->noise;
  reference->rng = t->rng; /* what samplers draw is the same for both */
  reference->started = t->started;
  if (t->started)
    memcpy (reference->latent.data, t->latent.data, (size_t) pmt_tensor_size (t->latent) * sizeof (float));
  return TRUE;
}

/* ---- one step ---------------------------------------------------------------------------------------------------------- */

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  return ((State *) user)->looking && site->cross ? PMT_ATTN_PROBS : 0;
}

/* Copies out of the network's own memory are in the run's, since that is gone after the block. */
static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *site_call)
{
  State *state = user;
  const guint at = state->maps->len;
  GError *error = NULL;
  if (!state->looking)
    return;
  g_array_set_size (state->maps, at + 1);
  PmtTensor *kept = &g_array_index (state->maps, PmtTensor, at);
  *kept = pmt_run_keep (run, site_call->probs, &error);
  if (!kept->data) {
    pmt_context_fail (&run->ctx, (PmtError) error->code, "%s", error->message);
    g_error_free (error);
  }
}

static bool
wants (void *user, const PmtAttnSite *site)
{
  return site->cross;
}

/* Sum over sites of the mean over heads of the sum of squared differences. */
static gboolean
loss (void *user, PmtRun *run, PmtProbed *probed, int n, double *value, GError **error)
{
  const State *state = user;
  *value = 0;
  for (int i = 0; i < n; i++) {
    const PmtTensor now = probed[i].value, then = g_array_index (state->maps, PmtTensor, i);
    const double heads = (double) pmt_tensor_dim (now, 1);
    for (int64_t k = 0; k < pmt_tensor_size (now); k++) {
      const double off = (double) now.data[k] - (double) then.data[k];
      *value += off * off / heads;
      probed[i].gradient.data[k] += (float) (2 * off / heads);
    }
  }
  return TRUE;
}

static gboolean
look (State *state, PmtRun *run, const PmtStep *step, GError **error)
{
  PmtStep nested = { .i = step->i, .n = step->n, .grid_i = step->grid_i, .timestep = step->timestep, .sigma = step->sigma };
  g_array_set_size (state->maps, 0);
  state->looking = true;
  const gboolean ok = pmt_run_add_row (run, &nested, state->track, error) && pmt_run_predict (run, &nested, error);
  state->looking = false;
  pmt_rows_clear (&nested.rows);
  return ok;
}

static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  State *state = user;
  if (stage != PMT_LATENT_PRE || track != 0 || state->track < 0)
    return TRUE;
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step), kept = pmt_arena_mark (run->memory);
  PmtGradient gradient = { .user = state, .wants_attention = wants, .loss = loss };
  const gboolean ok = look (state, run, step, error) && pmt_run_gradient (run, step, track, &gradient, error);
  if (ok)
    pmt_gradient_step (run, step, track, gradient.latent, state->amount);
  pmt_arena_release (run->memory, kept);
  pmt_arena_release (run->ctx.step, mark);
  return ok;
}

/* The prompt with the one thing in the other's place, where it names it. */
static char *
shown (const PmtRequest *whole, const PmtParamValues *values)
{
  const char *from = pmt_param_text (values, "from"), *to = pmt_param_text (values, "to");
  g_autofree char *literal = g_regex_escape_string (from, -1), *pattern = g_strdup_printf ("(?<!\\w)%s(?!\\w)", literal);
  g_autoptr (GRegex) regex = *from ? g_regex_new (pattern, G_REGEX_CASELESS, 0, NULL) : NULL;
  return regex && whole->prompt ? g_regex_replace_literal (regex, whole->prompt, -1, 0, to, 0, NULL) : NULL;
}

static const char *const replaces[] = { "img2img", NULL };
static const char *const conflicts[] = { "multidiffusion", "diffedit", "edict", "masactrl", "prompt-to-prompt", "self-guidance", NULL };

const PmtMethod pmt_method_pix2pix_zero = {
  .id = "pix2pix-zero",
  .label = N_("Turn one thing into another"),
  .summary = N_("Turns one thing of a picture or photo into another, with the layout as it was."),
  .params = params,
  .order = 210,
  .replaces = replaces,
  .conflicts = conflicts,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .plan = plan,
  .attn_wants = attn_wants,
  .attn = attn,
  .latent = latent,
  .shown = shown,
};
