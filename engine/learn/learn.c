/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/learn/learn.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cpu.h"
#include "engine/base/memory.h"
#include "engine/kernels/kernels.h"
#include "engine/learn/private.h"
#include "engine/optim/adam.h"

enum { LEVELS = 5 };               /* of noise, for the loss before and after */
enum { SAVE_SECONDS = 300 };       /* between two states on disk */
#define CLIP 1.0                   /* longest gradient */
#define DECAY 1e-2                 /* of weights */
#define SMOOTH 0.02                /* of the running loss */
#define FIXED_SEED 0x5eed0000u     /* of the noise that losses before and after are taken with */

const char *
pmt_learn_stage_name (PmtLearnStage stage)
{
  static const char *const names[] = { "prior", "load", "encode", "learn" };
  return names[stage];
}

void
pmt_learn_request_init (PmtLearnRequest *q, PmtModel *model, const PmtLearnKind *kind)
{
  *q = (PmtLearnRequest) { .model = model, .kind = kind, .word = "", .vectors = 1, .rank = 8, .steps = kind->steps, .accumulate = 1, .rate = kind->rate,
                           .text_rate = kind->text_rate, .prior_weight = 1 };
}

/* ---- what is asked for --------------------------------------------------------------------------------------------------- */

static gboolean
check_numbers (const PmtLearnRequest *q, GError **error)
{
  if (q->steps < 1 || q->steps > 1000000 || q->accumulate < 1 || q->accumulate > 1000)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("Learning takes 1 to 1000000 steps of 1 to 1000 pictures, not %d of %d."), q->steps, q->accumulate);
  if (!(q->rate > 0 && q->rate <= 1) || !(q->text_rate > 0 && q->text_rate <= 1))
    return pmt_refuse (error, PMT_ERROR_INPUT, _("A learning rate is above 0 and at most 1, not %g."), q->rate > 0 && q->rate <= 1 ? q->text_rate : q->rate);
  if (!(q->min_snr >= 0 && q->min_snr <= 1000))
    return pmt_refuse (error, PMT_ERROR_INPUT, _("The cut of noise levels' weights is 0 (none) to 1000, not %g."), q->min_snr);
  if (!(q->prior_weight >= 0 && q->prior_weight <= 100) || q->n_prior < 0 || q->n_prior > 10000)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("There can be 0 to 10000 pictures of the class with a weight of 0 to 100, not %d with %g."), q->n_prior,
                   q->prior_weight);
  return TRUE;
}

/* Before hours go into what could not be kept. */
static gboolean
check_out (const PmtLearnRequest *q, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (q->out);
  if (!g_file_test (folder, G_FILE_TEST_IS_DIR))
    return pmt_refuse (error, PMT_ERROR_IO, _("The folder '%s' does not exist; create it, or write what is learned to another one."), folder);
  if (g_access (folder, W_OK | X_OK) != 0 || g_file_test (q->out, G_FILE_TEST_IS_DIR))
    return pmt_refuse (error, PMT_ERROR_IO, _("The file '%s' cannot be written; choose another name or folder."), q->out);
  return TRUE;
}

static gboolean
check (const PmtLearner *l, GError **error)
{
  const PmtLearnRequest *q = l->request;
  const int multiple = pmt_model_size_multiple (q->model);
  if (q->n_pictures < 1)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("There are no pictures to learn from; give three to five of one thing or style."));
  if (l->width < multiple || l->height < multiple || l->width % multiple || l->height % multiple || l->width > 4096 || l->height > 4096)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("The size to learn at is %d × %d pixels; both sides have to be multiples of %d up to 4096."), l->width, l->height,
                   multiple);
  if (pmt_model_unet_config (q->model, PMT_UNET_MAIN)->in_channels != l->latent_channels)
    return pmt_refuse (error, PMT_ERROR_UNSUPPORTED, _("The model '%s' does not paint from text alone, so nothing can be learned with it; choose the model it was made from."),
                   pmt_model_path (q->model));
  return check_numbers (q, error) && q->kind->check (q, error) && pmt_learn_check_sentences (q, error) && check_out (q, error);
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
  PmtCpuLevel level;
  if (!check (l, error) || !pmt_cpu_select (&level, error))
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
  l->lessons = g_new0 (PmtLesson, q->n_pictures);
  l->prior = g_new0 (PmtLesson, q->n_prior + 1);
  return l->schedule != NULL;
}

static void
close_learner (PmtLearner *l)
{
  const PmtLearnRequest *q = l->request;
  if (l->parameters)
    for (int i = 0; l->mean && i < pmt_parameters_count (l->parameters); i++) {
      g_free (l->mean[i]);
      g_free (l->square[i]);
    }
  g_free (l->mean);
  g_free (l->square);
  for (int i = 0; l->lessons && i < q->n_pictures; i++)
    pmt_lesson_clear (&l->lessons[i]);
  for (int i = 0; l->prior && i < q->n_prior; i++)
    pmt_lesson_clear (&l->prior[i]);
  g_free (l->lessons);
  g_free (l->prior);
  pmt_parameters_free (l->parameters);
  pmt_schedule_free (l->schedule);
  g_clear_error (&l->ctx.error);
  pmt_arena_free (l->ctx.step);
}

static gboolean
add_parameters (PmtLearner *l, GError **error)
{
  const PmtLearnRequest *q = l->request;
  l->parameters = pmt_parameters_new ((size_t) 1 << 34, error);
  if (!l->parameters || !q->kind->add (q, &l->nets, l->parameters, error))
    return FALSE;
  const int n = pmt_parameters_count (l->parameters);
  l->mean = g_new0 (float *, n);
  l->square = g_new0 (float *, n);
  for (int i = 0; i < n; i++) {
    const gsize size = (gsize) pmt_tensor_size (pmt_parameters_value (l->parameters, i));
    l->mean[i] = g_new0 (float, size);
    l->square[i] = g_new0 (float, size);
  }
  return TRUE;
}

/* ---- memory -------------------------------------------------------------------------------------------------------------- */

typedef struct Need {
  size_t encode, learn; /* peaks of the step arena */
  size_t total, missing; /* weights: all, and those still to load */
  size_t found;          /* what is learned, with gradients and the optimiser's state */
  double encode_work[PMT_WORKS], pass_work[PMT_WORKS], look_work[PMT_WORKS]; /* of one picture: encoded, learned from, looked at */
} Need;

static gboolean
use_dry (PmtLearner *l, GError **error)
{
  PmtModel *model = l->request->model;
  if (!(l->nets.unet = pmt_model_unet_dry (model, PMT_UNET_MAIN, error)) || !(l->vae = pmt_model_vae_dry (model, error)))
    return FALSE;
  for (int k = 0; k < l->nets.n_texts; k++)
    if (!(l->nets.text[k] = pmt_model_text_dry_at (model, k, error)))
      return FALSE;
  return TRUE;
}

static void
attach (PmtLearner *l, bool in)
{
  if (l->request->kind->attach)
    l->request->kind->attach (l->request, &l->nets, l->parameters, in);
}

typedef struct Counting {
  double *work, counted;
  bool autoencoder;
} Counting;

static void
count (void *user, const PmtContext *ctx)
{
  Counting *counting = user;
  counting->work[(int) pmt_work_kind (ctx->op) + (counting->autoencoder ? PMT_WORK_KINDS : 0)] += ctx->flops - counting->counted;
  counting->counted = ctx->flops;
}

/* One pass without values: with its way back, or the loss alone. */
static gboolean
dry_pass (PmtLearner *l, double weight, GError **error)
{
  const PmtLearnDraw draw = { 0 };
  g_autofree char *text = pmt_learn_caption (l->request, 0, 0);
  double loss;
  return pmt_learn_pass (l, &draw, text, weight, &loss, error);
}

static gboolean
dry_passes (PmtLearner *l, Need *need, GError **error)
{
  Counting counting = { .work = need->encode_work, .autoencoder = true };
  l->ctx.on_op = count;
  l->ctx.on_op_user = &counting;
  gboolean ok = pmt_learn_encode_dry (l, error);
  need->encode = pmt_arena_peak (l->ctx.step);
  pmt_arena_reset_peak (l->ctx.step);
  attach (l, true);
  counting = (Counting) { .work = need->look_work, .counted = l->ctx.flops };
  ok = ok && dry_pass (l, 0, error);
  counting.work = need->pass_work;
  ok = ok && dry_pass (l, 1, error);
  attach (l, false);
  need->learn = pmt_arena_peak (l->ctx.step);
  l->ctx.on_op = NULL;
  return ok;
}

static gboolean
measure (PmtLearner *l, Need *need, GError **error)
{
  if (!use_dry (l, error) || !add_parameters (l, error))
    return FALSE;
  l->ctx.dry = true;
  l->ctx.step = pmt_arena_new ("the network's activations", (size_t) 1 << 38, error);
  const gboolean ok = l->ctx.step && dry_passes (l, need, error);
  need->found = 4 * sizeof (float) * (size_t) pmt_parameters_size (l->parameters);
  g_clear_pointer (&l->ctx.step, pmt_arena_free);
  l->ctx.dry = false;
  return ok && pmt_model_run_bytes (l->request->model, PMT_UNET_MAIN, true, &need->total, &need->missing, error);
}

static gboolean
fit_in (const PmtLearner *l, const Need *need, GError **error)
{
  const PmtLearnRequest *q = l->request;
  const size_t room = q->memory_limit ? q->memory_limit : pmt_memory_available (), wanted = need->missing + need->found + MAX (need->encode, need->learn);
  if (wanted <= room)
    return TRUE;
  g_autofree char *needed = g_format_size_full (wanted, G_FORMAT_SIZE_IEC_UNITS), *there = g_format_size_full (room, G_FORMAT_SIZE_IEC_UNITS);
  return pmt_refuse (error, PMT_ERROR_MEMORY,
                 _("Learning at %d × %d pixels with the model '%s' needs %s of memory and %s are free; learn at a smaller size, close other programs, or choose a "
                   "smaller model."), l->width, l->height, pmt_model_path (q->model), needed, there);
}

/* Passes of a request: those that teach, and looks at fixed noise before and after. */
static void
work_of (const PmtLearnRequest *q, const Need *need, double *work)
{
  const double pictures = q->n_pictures, passes = (double) q->steps * q->accumulate * (q->n_prior > 0 ? 2 : 1);
  for (int i = 0; i < PMT_WORKS; i++)
    work[i] = (q->flip ? 2 : 1) * pictures * need->encode_work[i] + passes * need->pass_work[i] + 2 * LEVELS * pictures * need->look_work[i];
}

gboolean
pmt_learn_cost (const PmtLearnRequest *q, PmtLearnCost *cost, GError **error)
{
  PmtLearner l;
  Need need = { 0 };
  const gboolean ok = open_learner (&l, q, error) && measure (&l, &need, error);
  if (ok) {
    *cost = (PmtLearnCost) { .memory_bytes = need.total + need.found + MAX (need.encode, need.learn), .weight_bytes = need.total };
    work_of (q, &need, cost->work);
  }
  close_learner (&l);
  return ok;
}

/* ---- learning ------------------------------------------------------------------------------------------------------------ */

static void
tell (const PmtLearner *l, PmtLearnStage stage, int step, int of, double eta)
{
  const PmtLearnRequest *q = l->request;
  if (q->progress)
    q->progress (q->progress_user, &(PmtLearnProgress) { .stage = stage, .step = step, .of = of, .eta = eta, .loss = l->loss,
                                                         .fraction = stage == PMT_LEARN_STEPS && of > 0 ? (double) step / of : 0 });
}

static gboolean
load (PmtLearner *l, const Need *need, GError **error)
{
  const PmtLearnRequest *q = l->request;
  tell (l, PMT_LEARN_LOAD, 0, 0, -1);
  l->ctx.step = pmt_arena_new ("the network's activations", MAX (need->encode, need->learn), error);
  if (!l->ctx.step || !(l->vae = pmt_model_vae (q->model, q->cancel, error)) || !(l->nets.unet = pmt_model_unet (q->model, PMT_UNET_MAIN, q->cancel, error)))
    return FALSE;
  for (int k = 0; k < l->nets.n_texts; k++)
    if (!(l->nets.text[k] = pmt_model_text_at (q->model, k, q->cancel, error)))
      return FALSE;
  return TRUE;
}

/* The mean loss over all pictures and a few levels, with the same noise each time. */
static gboolean
look (PmtLearner *l, double *loss, GError **error)
{
  const PmtLearnRequest *q = l->request;
  double sum = 0;
  for (int i = 0; i < q->n_pictures * LEVELS; i++) {
    PmtLearnDraw draw;
    PmtRng rng;
    double one = 0;
    pmt_rng_seed (&rng, (uint64_t) FIXED_SEED + (uint64_t) i);
    gboolean ok = pmt_learn_draw (l, &rng, &l->lessons[i / LEVELS], 1, &draw, error);
    g_autofree char *text = pmt_learn_caption (q, i / LEVELS, 0);
    draw.mirrored = false;
    draw.timestep = (int) ((i % LEVELS + 0.5) * l->schedule->config.train_steps / LEVELS);
    ok = ok && pmt_learn_pass (l, &draw, text, 0, &one, error);
    pmt_learn_draw_clear (&draw);
    if (!ok)
      return FALSE;
    sum += one;
  }
  *loss = sum / (q->n_pictures * LEVELS);
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
step (PmtLearner *l, GError **error)
{
  const PmtLearnRequest *q = l->request;
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
    return pmt_refuse (error, PMT_ERROR_INPUT, _("What is learned fell apart in step %d; begin anew with a lower learning rate."), l->step + 1);
  if (norm > CLIP)
    pmt_parameters_scale_gradients (l->parameters, (float) (CLIP / (norm + 1e-6)));
  for (int i = 0; i < pmt_parameters_count (l->parameters); i++) {
    const PmtTensor value = pmt_parameters_value (l->parameters, i);
    PmtAdam adam = pmt_adam (pmt_parameters_group (l->parameters, i) == PMT_LEARN_GROUP_TEXT ? q->text_rate : q->rate);
    adam.decay = DECAY;
    pmt_adam_step (&adam, l->step + 1, value.data, pmt_parameters_gradient (l->parameters, value).data, l->mean[i], l->square[i], (size_t) pmt_tensor_size (value));
  }
  l->loss = isnan (l->loss) ? sum : l->loss + MAX (SMOOTH, 1.0 / (l->step + 1)) * (sum - l->loss);
  l->step++;
  return TRUE;
}

static gboolean
loop (PmtLearner *l, GError **error)
{
  const PmtLearnRequest *q = l->request;
  const int first = l->step;
  const gint64 begun = g_get_monotonic_time ();
  gint64 saved = begun;
  while (l->step < q->steps) {
    const gint64 now = g_get_monotonic_time ();
    const int done = l->step - first;
    tell (l, PMT_LEARN_STEPS, l->step, q->steps, done > 0 ? (double) (now - begun) / 1e6 / done * (q->steps - l->step) : -1);
    GError *failed = NULL;
    if (!step (l, &failed)) {
      /* What there is outlives a cancelled call; a step that was under way is done again. */
      if (l->step > first && g_error_matches (failed, PMT_ERROR, PMT_ERROR_CANCELLED))
        pmt_learn_save (l, NULL);
      g_propagate_error (error, failed);
      return FALSE;
    }
    if (now - saved > SAVE_SECONDS * G_USEC_PER_SEC) {
      if (!pmt_learn_save (l, error))
        return FALSE;
      saved = g_get_monotonic_time ();
    }
  }
  tell (l, PMT_LEARN_STEPS, l->step, q->steps, 0);
  return TRUE;
}

static gboolean
learn (PmtLearner *l, const Need *need, PmtLearnResult *result, GError **error)
{
  const PmtLearnRequest *q = l->request;
  if (!pmt_learn_resume (l, error))
    return FALSE;
  const bool fresh = l->step == 0;
  if (!pmt_learn_make_prior (l, error) || !load (l, need, error) || !pmt_learn_encode (l, error) ||
      (fresh && !q->kind->begin (q, &l->nets, l->parameters, error)))
    return FALSE;
  attach (l, true);
  gboolean ok = (!fresh || look (l, &l->before, error)) && loop (l, error) && look (l, &result->loss_after, error);
  attach (l, false);
  ok = ok && q->kind->write (q, &l->nets, l->parameters, error);
  if (ok)
    pmt_learn_forget (l);
  result->loss_before = l->before;
  result->steps = l->step;
  result->parameters = pmt_parameters_size (l->parameters);
  result->peak_bytes = need->total + need->found + pmt_arena_peak (l->ctx.step);
  result->seconds = (double) (g_get_monotonic_time () - l->begun) / 1e6;
  return ok;
}

gboolean
pmt_learn (const PmtLearnRequest *q, PmtLearnResult *result, GError **error)
{
  PmtLearner l;
  Need need = { 0 };
  *result = (PmtLearnResult) { 0 };
  const gboolean ok = open_learner (&l, q, error) && measure (&l, &need, error) && fit_in (&l, &need, error) && learn (&l, &need, result, error);
  close_learner (&l);
  return ok;
}
