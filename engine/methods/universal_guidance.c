/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Universal guidance (Bansal et al. 2023): the prediction of each step is led by the gradient of a loss of the picture that it implies, through
 * the autoencoder, guidance and the network; that is "forward". "Backward" moves the implied picture itself some steps along the gradient and
 * makes the prediction imply that one. A step may be repeated, with the noise put back in between. The losses are those of
 * picture_loss.h, which need no network of their own, and how far a CLIP finds the picture from a text (1 - cosine). */
#include <math.h>
#include <string.h>

#include "engine/methods/guide.h"
#include "engine/methods/picture_loss.h"
#include "engine/nets/clip_pair.h"
#include "engine/sample/extra.h"
#include "engine/sample/gradient.h"
#include "engine/tensor/tape.h"
#include "engine/text/prompt_syntax.h"

#define WHERE "method universal-guidance"

typedef struct State {
  PmtPictureTask task;
  double scale, rate, start, end, box[4];
  int repeats, backward;
  bool quick;
  float *place; /* owned, unless the request's mask is the place */
  PmtClipPair *clip; /* the run's; NULL unless it is the loss */
  char *wanted;      /* the text for it */
  float *text;       /* its embedding */
} State;

#define LOSS_CLIP 5 /* of the choices below, behind those of PmtPictureLoss */

static const PmtParamChoice losses[] = {
  { "mean-colour", N_("Mean colour") }, { "palette", N_("Palette") }, { "mask", N_("A colour in its place") },
  { "edges", N_("Edges of the picture") }, { "keep-outside", N_("Keep what is outside") }, { "clip", N_("A text, as a CLIP reads the picture") }, { 0 }
};

static const PmtParam params[] = {
  { .id = "loss", .label = N_("_Aim"), .help = N_("What is asked of the picture: a place's mean colour, colours of a palette, a colour in a place and nowhere else, the edges "
                                                  "of the start picture, that picture outside the mask, or a text (which needs the files of a CLIP)"),
    .type = PMT_PARAM_CHOICE, .text = "mean-colour", .choices = losses },
  { .id = "colours", .label = N_("_Colours"), .help = N_("One colour, or several for a palette, as \"#cc2020; #f0e0c0\""), .type = PMT_PARAM_STRING, .text = "#808080" },
  { .id = "encoder", .label = N_("C_LIP"), .help = N_("For a text: folder of a whole CLIP with config.json, model.safetensors and the tokenizer's files"),
    .type = PMT_PARAM_STRING, .text = "" },
  { .id = "text", .label = N_("Te_xt"), .help = N_("What the CLIP should find in the picture; empty = the prompt"), .type = PMT_PARAM_STRING, .text = "" },
  { .id = "left", .label = N_("_Left"), .help = N_("Left edge of the place, as a part of the picture; a mask takes the place of all four edges"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0 },
  { .id = "top", .label = N_("_Top"), .help = N_("Upper edge of the place"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0 },
  { .id = "right", .label = N_("_Right"), .help = N_("Right edge of the place"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 1 },
  { .id = "bottom", .label = N_("_Bottom"), .help = N_("Lower edge of the place"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 1 },
  { .id = "scale", .label = N_("_Strength"), .help = N_("How strongly each step is led; 0 leaves it alone"), .type = PMT_PARAM_DOUBLE, .min = 0,
    .max = 1000000, .fallback = 100 },
  { .id = "repeats", .label = N_("Re_petitions"), .help = N_("How often each step is done; more follow the aim better"), .type = PMT_PARAM_INT, .min = 1,
    .max = 50, .fallback = 1 },
  { .id = "backward", .label = N_("_Direct steps"), .help = N_("How many steps the picture itself is moved towards the aim, beside the leading; 0 = none"),
    .type = PMT_PARAM_INT, .min = 0, .max = 200, .fallback = 0 },
  { .id = "rate", .label = N_("Direct step si_ze"), .help = N_("How far each of these steps goes"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 100000,
    .fallback = 100 },
  { .id = "quick", .label = N_("_Quick"), .help = N_("Leave the network out of the gradient: a third of the time, and coarser"), .type = PMT_PARAM_BOOL,
    .min = 0, .max = 1, .fallback = 0 },
  { .id = "start", .label = N_("_From"), .help = N_("Part of the run from which on it is led"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0 },
  { .id = "end", .label = N_("_Until"), .help = N_("Part of the run up to which it is led"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 1 },
  { 0 }
};

static void
state_free (void *user)
{
  State *state = user;
  g_free (state->place);
  g_free (state->wanted);
  g_free (state->text);
  g_free (state);
}

/* ---- what is asked for ------------------------------------------------------------------------------------------------- */

/* A step is done again for the picture alone: what a method compares its rows with would not be there. */
static bool
compares_rows (const PmtRun *run)
{
  bool any = false;
  for (int i = 0; i < run->n_methods; i++)
    any = any || run->methods[i]->whole_batch;
  return any;
}

static gboolean
check (const State *state, const PmtRun *run, GError **error)
{
  const PmtRequest *q = run->request;
  const char *wrong = NULL;
  if (state->task.loss == PMT_PICTURE_EDGES && !q->image)
    wrong = _("edges are those of a picture and there is none; give one to start from");
  else if (state->task.loss == PMT_PICTURE_KEEP_OUTSIDE && (!q->image || !q->mask))
    wrong = _("there is no mask to keep the outside of; give a picture and a mask");
  else if (!q->mask && !(state->box[0] < state->box[2] && state->box[1] < state->box[3]))
    wrong = _("the place is empty; left has to be less than right and top less than bottom");
  else if (state->repeats > 1 && strcmp (q->sampler->id, "ddim") != 0)
    wrong = _("steps are repeated with DDIM alone; choose the sampler ddim, or repeats=1");
  else if (state->repeats > 1 && compares_rows (run))
    wrong = _("steps are repeated for the picture alone, without the one that prompt-to-prompt or masactrl goes by; leave that out, or choose repeats=1");
  else if (state->start >= state->end)
    wrong = _("nothing is led, since start is not before end; change one of them");
  if (wrong)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, %s."), WHERE, wrong);
  return !wrong;
}

static void *
open_clip (PmtModel *model, PmtUnetChoice unet, const char *path, GError **error)
{
  return pmt_clip_pair_open (path, error);
}

static gboolean
load_clip (void *clip, const PmtCancel *cancel, GError **error)
{
  return pmt_clip_pair_load (clip, cancel, error);
}

static size_t
clip_bytes (const void *clip)
{
  return pmt_clip_pair_bytes (clip);
}

static void
free_clip (void *clip)
{
  pmt_clip_pair_free (clip);
}

static const PmtExtraClass clip_class = { "CLIP", open_clip, load_clip, clip_bytes, free_clip };

static gboolean
get_clip (State *state, PmtRun *run, const PmtParamValues *values, GError **error)
{
  const char *folder = pmt_param_text (values, "encoder"), *text = pmt_param_text (values, "text");
  if (!*folder) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, a text needs a CLIP to read the picture; give encoder, the folder of a whole CLIP."), WHERE);
    return FALSE;
  }
  if (!*text && run->request->prompt) {
    PmtPrompt prompt; /* as it reads without weights and tags, which say nothing to CLIP */
    if (!pmt_prompt_parse (run->request->prompt, run->request->prompt_syntax, &prompt, error))
      return FALSE;
    state->wanted = g_strdup (prompt.text);
    pmt_prompt_clear (&prompt);
  } else {
    state->wanted = g_strdup (text);
  }
  state->clip = pmt_run_extra (run, &clip_class, folder, error);
  if (state->clip)
    state->text = g_new0 (float, pmt_clip_pair_width (state->clip));
  return state->clip != NULL;
}

/* The text's embedding, before the run. */
static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  return !state->clip || pmt_clip_pair_text (state->clip, &run->ctx, state->wanted, state->text, error);
}

/* Pixels whose middle is in the box. */
static void
draw_place (State *state, const PmtRequest *q)
{
  state->task.place = q->mask;
  if (q->mask)
    return;
  state->task.place = state->place = g_new (float, (size_t) q->width * (size_t) q->height);
  for (int y = 0; y < q->height; y++)
    for (int x = 0; x < q->width; x++) {
      const double u = (x + 0.5) / q->width, v = (y + 0.5) / q->height;
      state->place[y * q->width + x] = u > state->box[0] && u < state->box[2] && v > state->box[1] && v < state->box[3];
    }
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  static const char *const edges[] = { "left", "top", "right", "bottom" };
  const PmtRequest *q = run->request;
  State *state = g_new0 (State, 1);
  state->task = (PmtPictureTask) { .loss = (PmtPictureLoss) pmt_param_number (values, "loss"), .height = q->height, .width = q->width, .other = q->image };
  for (int i = 0; i < 4; i++)
    state->box[i] = pmt_param_number (values, edges[i]);
  state->scale = pmt_param_number (values, "scale");
  state->rate = pmt_param_number (values, "rate");
  state->repeats = (int) pmt_param_number (values, "repeats");
  state->backward = (int) pmt_param_number (values, "backward");
  state->quick = pmt_param_number (values, "quick") != 0;
  state->start = pmt_param_number (values, "start");
  state->end = pmt_param_number (values, "end");
  const bool clip = pmt_param_number (values, "loss") == LOSS_CLIP;
  if (pmt_picture_colours (&state->task, pmt_param_text (values, "colours"), WHERE ", colours", error) && check (state, run, error) &&
      (!clip || get_clip (state, run, values, error))) {
    draw_place (state, q);
    return state;
  }
  state_free (state);
  return NULL;
}

/* ---- gradients --------------------------------------------------------------------------------------------------------- */

/* What the loss is of: the picture, or its embedding. */
static PmtTensor
seen (void *user, PmtContext *ctx, PmtTensor picture)
{
  const State *state = user;
  PmtClipVision *vision = pmt_clip_pair_vision (state->clip);
  return pmt_clip_vision_forward (ctx, vision, pmt_clip_vision_picture (ctx, vision, picture), 0, true).embeds;
}

static double
measure (const State *state, PmtTensor of, PmtTensor gradient)
{
  if (!state->clip)
    return pmt_picture_loss (&state->task, of.data, gradient.data);
  return 1 - pmt_clip_pair_cosine (of.data, state->text, pmt_clip_pair_width (state->clip), -1, gradient.data);
}

static gboolean
loss (void *user, PmtRun *run, PmtProbed *probed, int n, double *value, GError **error)
{
  *value = measure (user, probed[n - 1].value, probed[n - 1].gradient);
  return TRUE;
}

/* d loss / d clean, through the autoencoder alone, into `gradient`. */
static gboolean
clean_gradient (const State *state, PmtRun *run, PmtTensor clean, PmtTensor gradient, GError **error)
{
  PmtContext *ctx = &run->ctx;
  PmtArenaMark mark = pmt_arena_mark (ctx->step);
  PmtTape *tape = ctx->tape = pmt_tape_new ();
  PmtTensor leaf = pmt_tape_leaf (tape, clean), of = pmt_vae_decode (ctx, run->vae, leaf);
  if (state->clip)
    of = seen ((void *) state, ctx, of);
  ctx->tape = NULL;
  PmtTensor seed = pmt_tensor_zeros (ctx, of.shape);
  if (seed.data && !ctx->dry)
    measure (state, of, seed);
  ctx->tape = tape;
  pmt_tape_backward (ctx, of, seed);
  ctx->tape = NULL;
  const gboolean ok = !pmt_context_take_error (ctx, error);
  if (ok && !ctx->dry)
    memcpy (gradient.data, pmt_tape_gradient (tape, leaf).data, (size_t) pmt_tensor_size (gradient) * sizeof (float));
  pmt_tape_free (tape);
  pmt_arena_release (ctx->step, mark);
  return ok;
}

/* The clean latent that the present prediction implies. */
static void
denoise (const PmtRun *run, const PmtStep *step, int track, PmtTensor out)
{
  const PmtTrack *t = run->tracks[track];
  run->request->sampler->denoised (t->solver, step->grid_i, t->prediction.data, t->latent.data, out.data);
}

/* What the clean latent gets of the latent itself. */
static double
clean_of_latent (const PmtRun *run, const PmtStep *step, int track, PmtTensor zeros, PmtTensor ones, PmtTensor out)
{
  for (int64_t i = 0; i < pmt_tensor_size (out); i++) {
    zeros.data[i] = 0.0f;
    ones.data[i] = 1.0f;
  }
  run->request->sampler->denoised (run->tracks[track]->solver, step->grid_i, zeros.data, ones.data, out.data);
  return (double) out.data[0];
}

static gboolean
quick_gradient (const State *state, PmtRun *run, const PmtStep *step, int track, PmtTensor *gradient, GError **error)
{
  PmtContext *ctx = &run->ctx;
  const PmtShape shape = run->tracks[track]->latent.shape;
  PmtTensor a = pmt_tensor_new (ctx, shape), b = pmt_tensor_new (ctx, shape);
  *gradient = pmt_tensor_new (ctx, shape);
  if (pmt_context_take_error (ctx, error))
    return FALSE;
  const double factor = clean_of_latent (run, step, track, a, b, *gradient);
  denoise (run, step, track, a);
  if (!clean_gradient (state, run, a, *gradient, error))
    return FALSE;
  for (int64_t i = 0; i < pmt_tensor_size (*gradient) && !ctx->dry; i++)
    gradient->data[i] = (float) (factor * gradient->data[i]);
  return TRUE;
}

static gboolean
forward (const State *state, PmtRun *run, const PmtStep *step, int track, GError **error)
{
  PmtTrack *t = run->tracks[track];
  PmtGradient g = { .user = (void *) state, .picture = !state->clip, .beyond = state->clip ? seen : NULL, .loss = loss, .guidance = t->negative.data ? run->request->guidance : 1 };
  if (state->quick ? !quick_gradient (state, run, step, track, &g.latent, error) : !pmt_run_gradient (run, step, track, &g, error))
    return FALSE;
  pmt_guide_prediction (run, step, t->prediction, g.latent, state->scale);
  return TRUE;
}

static gboolean
backward (const State *state, PmtRun *run, const PmtStep *step, int track, GError **error)
{
  PmtContext *ctx = &run->ctx;
  PmtTrack *t = run->tracks[track];
  PmtTensor clean = pmt_tensor_new (ctx, t->latent.shape), moved = pmt_tensor_zeros (ctx, t->latent.shape), g = pmt_tensor_new (ctx, t->latent.shape);
  if (pmt_context_take_error (ctx, error))
    return FALSE;
  denoise (run, step, track, clean);
  for (int i = 0; i < state->backward; i++) {
    if (!clean_gradient (state, run, clean, g, error))
      return FALSE;
    for (int64_t k = 0; k < pmt_tensor_size (g) && !ctx->dry; k++) {
      clean.data[k] -= (float) (state->rate * g.data[k]);
      moved.data[k] -= (float) (state->rate * g.data[k]);
    }
  }
  pmt_guide_noise (run, step, t->prediction, moved, -1 / step->sigma);
  return TRUE;
}

static bool
acts (const State *state, const PmtRun *run, const PmtStep *step, int track)
{
  return track == run->result_track && !run->tracks[track]->passive && (state->scale > 0 || state->backward > 0) &&
         step->i >= (int) lround (state->start * step->n) && step->i < (int) lround (state->end * step->n);
}

static gboolean
combine (void *user, PmtRun *run, PmtStep *step, int track, GError **error)
{
  const State *state = user;
  if (!acts (state, run, step, track))
    return TRUE;
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  const gboolean ok = (state->scale == 0 || forward (state, run, step, track, error)) &&
                      (state->backward == 0 || backward (state, run, step, track, error));
  pmt_arena_release (run->ctx.step, mark);
  return ok;
}

/* Down one step by the prediction, and up again with fresh noise. */
static gboolean
again (PmtRun *run, const PmtStep *step, int track, GError **error)
{
  PmtTrack *t = run->tracks[track];
  const double here = 1 / (1 + step->sigma * step->sigma), next = run->grid->sigma[step->grid_i + 1], there = 1 / (1 + next * next);
  PmtTensor noise = pmt_tensor_new (&run->ctx, t->latent.shape), prediction;
  if (pmt_context_take_error (&run->ctx, error) || !pmt_run_draw_noise (run, track, noise, error))
    return FALSE;
  run->request->sampler->step (t->solver, step->grid_i, t->prediction.data, t->latent.data);
  for (int64_t i = 0; i < pmt_tensor_size (noise); i++)
    t->latent.data[i] = (float) (sqrt (here / there) * t->latent.data[i] + sqrt (MAX (1 - here / there, 0)) * noise.data[i]);
  if (!pmt_run_evaluate (run, step, track, t->latent, NULL, &prediction, error))
    return FALSE;
  memcpy (t->prediction.data, prediction.data, (size_t) pmt_tensor_size (prediction) * sizeof (float));
  return TRUE;
}

/* The last time is the loop's own. */
static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  const State *state = user;
  gboolean ok = TRUE;
  if (stage != PMT_LATENT_STEP || !acts (state, run, step, track))
    return TRUE;
  for (int i = 1; i < state->repeats && ok; i++) {
    PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
    ok = again (run, step, track, error);
    pmt_arena_release (run->ctx.step, mark);
  }
  if (state->repeats > 1 && ok)
    run->request->sampler->denoised (run->tracks[track]->solver, step->grid_i, run->tracks[track]->prediction.data,
                                     run->tracks[track]->latent.data, run->tracks[track]->denoised.data);
  return ok;
}

static const char *const conflicts[] = { "multidiffusion", "diffedit", "edict", NULL };

const PmtMethod pmt_method_universal_guidance = {
  .id = "universal-guidance",
  .label = N_("Towards colours and edges"),
  .summary = N_("Leads the picture towards a mean colour, a palette, a colour in its place, the edges or the outside of another picture, or a text as a CLIP reads it."),
  .params = params,
  .order = 950, /* after guidance */
  .conflicts = conflicts,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .combine = combine,
  .latent = latent,
};
