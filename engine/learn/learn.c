/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/learn/learn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cpu.h"
#include "engine/kernels/kernels.h"
#include "engine/learn/private.h"
#include "engine/optim/adam.h"

enum { LEVELS = 5, LOOKED_AT = 8 }; /* of noise, and pictures, for the loss before and after */
enum { SAVE_SECONDS = 300 };        /* between two states on disk */
#define CLIP 1.0                    /* longest gradient */
#define DECAY 1e-2                  /* of weights */
#define SMOOTH 0.02                 /* of the running loss */
#define FIXED_SEED 0x5eed0000u      /* of the noise that losses before and after are taken with */

const char *
pmt_learn_stage_name (PmtLearnStage stage)
{
  static const char *const names[] = { "prior", "load", "encode", "look", "learn" };
  return names[stage];
}

void
pmt_learn_request_init (PmtLearnRequest *q, PmtModel *model, const PmtLearnKind *kind)
{
  *q = (PmtLearnRequest) { .model = model, .kind = kind, .word = "", .vectors = 1, .rank = 8, .steps = kind->steps, .accumulate = 1, .rate = kind->rate,
                           .text_rate = kind->text_rate > 0 ? kind->text_rate : kind->rate, .prior_weight = 1 };
}

static gboolean
open_learner (PmtLearner *l, const PmtLearnRequest *q, GError **error)
{
  const PmtVaeConfig *vae = pmt_model_vae_config (q->model);
  const int native = pmt_model_native_size (q->model), factor = pmt_vae_factor (vae);
  *l = (PmtLearner) { .request = q, .width = q->width ? q->width : native, .height = q->height ? q->height : native,
                      .latent_channels = vae->latent_channels, .loss = NAN, .before = NAN, .begun = g_get_monotonic_time () };
  l->latent_width = l->width / factor;
  l->latent_height = l->height / factor;
  l->saved = l->begun;
  PmtCpuLevel level;
  if (!pmt_cpu_select (&level, error))
    return FALSE;
  l->ctx.kernels = pmt_kernels_get (level);
  l->ctx.cancel = q->cancel;
  l->nets.n_texts = pmt_model_n_texts (q->model);
  for (int k = 0; k < l->nets.n_texts; k++)
    if (!(l->nets.tokenizer[k] = pmt_model_tokenizer_at (q->model, k, error)))
      return FALSE;
  PmtScheduleConfig schedule = *pmt_model_schedule (q->model);
  if (q->prediction)
    schedule.prediction = *q->prediction;
  l->schedule = pmt_schedule_new (&schedule, error);
  l->lessons = g_new0 (PmtLesson, MAX (q->n_pictures, 0) + 1);
  l->prior = g_new0 (PmtLesson, MAX (q->n_prior, 0) + 1);
  return l->schedule != NULL;
}

static void
close_learner (PmtLearner *l)
{
  const PmtLearnRequest *q = l->request;
  for (int i = 0; l->lessons && i < q->n_pictures; i++)
    pmt_lesson_clear (&l->lessons[i]);
  for (int i = 0; l->prior && i < q->n_prior; i++)
    pmt_lesson_clear (&l->prior[i]);
  g_free (l->lessons);
  g_free (l->prior);
  g_free (l->settings);
  pmt_parameters_free (l->parameters);
  pmt_schedule_free (l->schedule);
  g_clear_error (&l->ctx.error);
  pmt_arena_free (l->ctx.step);
}

void
pmt_learn_attach (PmtLearner *l, bool in)
{
  l->attached = in;
  if (l->request->kind->attach)
    l->request->kind->attach (l->request, &l->nets, l->parameters, in);
}

gboolean
pmt_learn_cost (const PmtLearnRequest *request, PmtLearnCost *cost, GError **error)
{
  PmtLearnRequest q = *request;
  PmtLearner l;
  PmtLearnNeed need;
  q.word = q.kind->learns_word && !*q.word ? "word" : q.word;
  const gboolean ok = open_learner (&l, &q, error) && pmt_learn_check_numbers (&l, error) && pmt_learn_check_model (&l, error) &&
                      pmt_learn_measure (&l, &need, error);
  if (ok) {
    *cost = (PmtLearnCost) { .memory_bytes = MAX (need.total + pmt_learn_peak (&need), need.prior.memory_bytes), .weight_bytes = need.total };
    pmt_learn_work (&l, &need, cost->work);
  }
  close_learner (&l);
  return ok;
}

/* ---- telling and keeping ------------------------------------------------------------------------------------------------- */

void
pmt_learn_tell (const PmtLearner *l, PmtLearnStage stage, int step, int of)
{
  const PmtLearnRequest *q = l->request;
  const double done = l->work - l->first, gone = l->worked ? (double) (g_get_monotonic_time () - l->worked) / G_USEC_PER_SEC : 0;
  if (q->progress)
    q->progress (q->progress_user, &(PmtLearnProgress) { .stage = stage, .step = step, .of = of, .loss = l->loss,
                                                         .fraction = l->all > 0 ? MIN (l->work / l->all, 1) : 0,
                                                         .eta = gone > 0 && done > 0 ? gone / done * MAX (l->all - l->work, 0) : -1 });
}

bool
pmt_learn_paused (const PmtLearner *l)
{
  return l->request->pause && atomic_load (l->request->pause);
}

void
pmt_learn_save_sometimes (PmtLearner *l)
{
  if (g_get_monotonic_time () - l->saved < SAVE_SECONDS * G_USEC_PER_SEC)
    return;
  pmt_learn_save (l, NULL);
  l->saved = g_get_monotonic_time ();
}

/* ---- learning ------------------------------------------------------------------------------------------------------------ */

static gboolean
load (PmtLearner *l, const PmtLearnNeed *need, GError **error)
{
  const PmtLearnRequest *q = l->request;
  pmt_learn_tell (l, PMT_LEARN_LOAD, 0, 0);
  l->ctx.step = pmt_arena_new ("the network's activations", MAX (need->encode, need->learn), error);
  if (!l->ctx.step || !(l->vae = pmt_model_vae (q->model, q->cancel, error)) || !(l->nets.unet = pmt_model_unet (q->model, PMT_UNET_MAIN, q->cancel, error)))
    return FALSE;
  for (int k = 0; k < l->nets.n_texts; k++)
    if (!(l->nets.text[k] = pmt_model_text_at (q->model, k, q->cancel, error)))
      return FALSE;
  return TRUE;
}

int
pmt_learn_looks (const PmtLearnRequest *q)
{
  return MIN (q->n_pictures, LOOKED_AT) * LEVELS;
}

/* The mean loss over some pictures and a few levels, with the same noise each time. */
static gboolean
look (PmtLearner *l, double *loss, GError **error)
{
  const int n = pmt_learn_looks (l->request);
  double sum = 0;
  for (int i = 0; i < n; i++) {
    const int picture = i / LEVELS;
    PmtLearnDraw draw;
    PmtRng rng;
    double one = 0;
    pmt_learn_tell (l, PMT_LEARN_LOOK, i, n);
    const double before = l->ctx.flops;
    pmt_rng_seed (&rng, (uint64_t) FIXED_SEED + (uint64_t) i);
    gboolean ok = pmt_learn_draw (l, &rng, &l->lessons[picture], 1, &draw, error);
    g_autofree char *text = pmt_learn_caption (l->request, picture, 0);
    draw.mirrored = false;
    draw.timestep = (int) ((i % LEVELS + 0.5) * l->schedule->config.train_steps / LEVELS);
    ok = ok && pmt_learn_pass (l, &draw, text, 0, &one, error);
    pmt_learn_draw_clear (&draw);
    if (!ok)
      return FALSE;
    sum += one;
    l->work += l->ctx.flops - before;
  }
  *loss = sum / n;
  return TRUE;
}

/* One picture and, where there are such, one of the class. */
static gboolean
pass (PmtLearner *l, int number, double *loss, GError **error)
{
  const PmtLearnRequest *q = l->request;
  const double share = 1.0 / q->accumulate;
  PmtLearnDraw draw;
  PmtRng rng;
  pmt_rng_seed (&rng, q->seed + 1 + (uint64_t) number);
  gboolean ok = pmt_learn_draw (l, &rng, l->lessons, q->n_pictures, &draw, error);
  g_autofree char *text = ok ? pmt_learn_caption (q, (int) (draw.lesson - l->lessons), draw.choice) : NULL;
  ok = ok && pmt_learn_pass (l, &draw, text, share, loss, error);
  pmt_learn_draw_clear (&draw);
  if (!ok || q->n_prior == 0)
    return ok;
  double prior = 0;
  ok = pmt_learn_draw (l, &rng, l->prior, q->n_prior, &draw, error) && pmt_learn_pass (l, &draw, q->prior->prompt, share * q->prior_weight, &prior, error);
  pmt_learn_draw_clear (&draw);
  *loss += q->prior_weight * prior;
  return ok;
}

static gboolean
fell_apart (const PmtLearner *l, GError **error)
{
  return pmt_refuse (error, PMT_ERROR_INPUT, _("What is learned fell apart after %d steps, its values being no numbers any more; remove '%s.learning' if it is there, and "
                                               "begin anew with a lower learning rate."), l->step, l->request->out);
}

static gboolean
step (PmtLearner *l, GError **error)
{
  const PmtLearnRequest *q = l->request;
  const double before = l->ctx.flops;
  double sum = 0;
  pmt_parameters_clear_gradients (l->parameters);
  for (int i = 0; i < q->accumulate; i++) {
    double loss = 0;
    if (!pass (l, l->step * q->accumulate + i, &loss, error))
      return FALSE;
    sum += loss / q->accumulate;
  }
  const double norm = pmt_parameters_gradient_norm (l->parameters);
  if (!isfinite (norm) || !isfinite (sum))
    return fell_apart (l, error);
  if (norm > CLIP)
    pmt_parameters_scale_gradients (l->parameters, (float) (CLIP / (norm + 1e-6)));
  for (int i = 0; i < pmt_parameters_count (l->parameters); i++) {
    const PmtTensor value = pmt_parameters_value (l->parameters, i);
    PmtAdam adam = pmt_adam (pmt_parameters_group (l->parameters, i) == PMT_LEARN_GROUP_TEXT ? q->text_rate : q->rate);
    adam.decay = DECAY;
    pmt_adam_step (&adam, l->step + 1, value.data, pmt_parameters_gradient (l->parameters, value).data, pmt_parameters_moment (l->parameters, i, 0),
                   pmt_parameters_moment (l->parameters, i, 1), (size_t) pmt_tensor_size (value));
  }
  l->loss = isnan (l->loss) ? sum : l->loss + MAX (SMOOTH, 1.0 / (l->step + 1)) * (sum - l->loss);
  l->step++;
  l->work += l->ctx.flops - before;
  return TRUE;
}

static gboolean
loop (PmtLearner *l, GError **error)
{
  const PmtLearnRequest *q = l->request;
  while (l->step < q->steps && !pmt_learn_paused (l)) {
    pmt_learn_tell (l, PMT_LEARN_STEPS, l->step, q->steps);
    if (!step (l, error))
      return FALSE;
    pmt_learn_save_sometimes (l);
  }
  pmt_learn_tell (l, PMT_LEARN_STEPS, l->step, q->steps);
  return TRUE;
}

/* Up to the last step, or until it is asked to pause. */
static gboolean
learn (PmtLearner *l, const PmtLearnNeed *need, GError **error)
{
  const PmtLearnRequest *q = l->request;
  const bool fresh = l->step == 0;
  if (!pmt_learn_make_prior (l, need->prior.flops, error))
    return FALSE;
  if (l->n_made < q->n_prior)
    return TRUE;
  if (!load (l, need, error) || !pmt_learn_encode (l, error) || (fresh && !q->kind->begin (q, &l->nets, l->parameters, error)))
    return FALSE;
  pmt_learn_attach (l, true);
  return (!isnan (l->before) || look (l, &l->before, error)) && loop (l, error);
}

/* After the last step. */
static gboolean
finish (PmtLearner *l, PmtLearnResult *result, GError **error)
{
  /* A look takes its time, and a file can fail to be written: neither is to cost the steps. */
  pmt_learn_save (l, NULL);
  if (!look (l, &result->loss_after, error))
    return FALSE;
  if (!isfinite (result->loss_after))
    return fell_apart (l, error);
  if (!l->request->kind->write (l->request, &l->nets, l->parameters, error))
    return FALSE;
  pmt_learn_forget (l);
  return TRUE;
}

/* Keeps what there is for the next call; a cancelled one that cannot says so. */
static gboolean
keep (PmtLearner *l, GError **error)
{
  g_autoptr (GError) failed = NULL;
  if (l->step == 0 && l->n_made == 0)
    return TRUE;
  return pmt_learn_save (l, &failed) ||
         pmt_refuse (error, PMT_ERROR_IO, _("It was stopped, and what was learned so far could not be kept: %s"), failed->message);
}

static gboolean
run (PmtLearner *l, const PmtLearnNeed *need, PmtLearnResult *result, GError **error)
{
  const PmtLearnRequest *q = l->request;
  GError *failed = NULL;
  double work[PMT_WORKS];
  pmt_learn_work (l, need, work);
  for (int i = 0; i < PMT_WORKS; i++) {
    l->all += work[i];
    l->first += q->n_prior > 0 ? l->n_made * need->prior.work[i] : 0;
    l->first += (double) l->step * q->accumulate * (q->n_prior > 0 ? 2 : 1) * need->pass_work[i];
  }
  l->work = l->first;
  l->worked = g_get_monotonic_time ();
  gboolean ok = learn (l, need, &failed);
  result->paused = ok && l->step < q->steps;
  if (ok && !result->paused)
    ok = finish (l, result, &failed);
  else if ((result->paused || g_error_matches (failed, PMT_ERROR, PMT_ERROR_CANCELLED)) && !keep (l, error)) {
    g_clear_error (&failed);
    ok = FALSE;
  }
  if (failed)
    g_propagate_error (error, failed);
  if (l->attached)
    pmt_learn_attach (l, false);
  result->loss_before = l->before;
  result->steps = l->step;
  result->parameters = pmt_parameters_size (l->parameters);
  result->peak_bytes = need->total + need->found + need->kept + (l->ctx.step ? pmt_arena_peak (l->ctx.step) : 0);
  result->seconds = (double) (g_get_monotonic_time () - l->begun) / G_USEC_PER_SEC;
  return ok;
}

/* A model whose files don't say what it predicts is tried out, and may have another size then. */
static gboolean
learn_prediction (const PmtLearnRequest *q, PmtLearner *l, GError **error)
{
  if (q->prediction || pmt_model_prediction_known (q->model))
    return TRUE;
  if (!pmt_run_learn_prediction (&(PmtRequest) { .model = q->model, .cancel = q->cancel }, error))
    return FALSE;
  pmt_model_settle (q->model);
  close_learner (l);
  return open_learner (l, q, error) && pmt_learn_check (l, error);
}

/* What other work with this model has left in memory goes. */
static void
make_room (PmtModel *model)
{
  pmt_extras_begin (pmt_model_extras (model));
  pmt_extras_sweep (pmt_model_extras (model));
  pmt_model_rest_idle (model, PMT_UNET_MAIN);
}

gboolean
pmt_learn (const PmtLearnRequest *q, PmtLearnResult *result, GError **error)
{
  PmtLearner l;
  PmtLearnNeed need;
  *result = (PmtLearnResult) { 0 };
  make_room (q->model);
  gboolean ok = open_learner (&l, q, error) && pmt_learn_check (&l, error) && learn_prediction (q, &l, error) && pmt_learn_measure (&l, &need, error) &&
                pmt_learn_fits (&l, &need, error) && pmt_learn_take_pictures (&l, error);
  if (ok) {
    l.parameters = pmt_parameters_new (need.found, error);
    PmtLearnNets shapes = l.nets; /* the dry ones, of which shapes alone are asked for */
    ok = l.parameters && q->kind->add (q, &shapes, l.parameters, error);
  }
  if (ok) {
    memset (l.nets.text, 0, sizeof l.nets.text);
    l.nets.unet = NULL;
    l.settings = pmt_learn_settings (&l);
    ok = pmt_learn_resume (&l, error) && run (&l, &need, result, error);
  }
  close_learner (&l);
  return ok;
}
