/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One picture, one level of noise: forward, loss and the way back (Ho et al. 2020, eq. 14; Salimans & Ho 2022 for velocities). */
#include <math.h>
#include <string.h>

#include "engine/learn/private.h"
#include "engine/ops/ops.h"
#include "engine/tensor/tape.h"

typedef struct Told {
  PmtTensor context, pooled, time_ids;
} Told;

static gboolean
check (PmtLearner *l, GError **error)
{
  return !pmt_context_take_error (&l->ctx, error);
}

/* The caption through all text encoders, side by side. */
static gboolean
tell (PmtLearner *l, const char *text, Told *told, GError **error)
{
  const PmtTextUse use = pmt_model_text_use (l->request->model);
  *told = (Told) { PMT_NO_TENSOR, PMT_NO_TENSOR, PMT_NO_TENSOR };
  for (int k = 0; k < l->nets.n_texts; k++) {
    PmtPromptTokens tokens;
    if (!pmt_learn_tokenize (l, k, text, &tokens, error))
      return FALSE;
    g_autofree int32_t *ids = g_new (int32_t, tokens.length);
    for (int i = 0; i < tokens.length; i++)
      ids[i] = tokens.ids[i];
    const PmtTensor rows = l->request->kind->rows ? l->request->kind->rows (l->parameters, k) : PMT_NO_TENSOR;
    PmtClipTextOutput out = pmt_clip_text_forward_learned (&l->ctx, l->nets.text[k], rows, ids, 1, tokens.length,
                                                           use.skip + l->request->clip_skip, use.final_norm);
    pmt_prompt_tokens_clear (&tokens);
    told->context = k > 0 ? pmt_concat (&l->ctx, told->context, out.hidden) : out.hidden;
    if (use.pooled && k + 1 == l->nets.n_texts)
      told->pooled = out.pooled;
  }
  const int n = pmt_model_n_time_ids (l->request->model);
  if (n == 0)
    return check (l, error);
  told->time_ids = pmt_tensor_zeros (&l->ctx, PMT_SHAPE2 (1, n));
  if (told->time_ids.data && !l->ctx.dry) {
    float *ids = told->time_ids.data;
    ids[0] = (float) l->height;
    ids[1] = (float) l->width;
    ids[4] = (float) l->height;
    ids[5] = (float) l->width;
  }
  return check (l, error);
}

static PmtTensor
copy_in (PmtContext *ctx, const float *values, int64_t h, int64_t w, int64_t c)
{
  PmtTensor t = pmt_tensor_new (ctx, PMT_SHAPE4 (1, h, w, c));
  if (t.data && !ctx->dry)
    memcpy (t.data, values, (size_t) pmt_tensor_size (t) * sizeof (float));
  return t;
}

/* The clean latent of a draw. */
static PmtTensor
clean_latent (PmtLearner *l, const PmtLearnDraw *draw)
{
  const int64_t h = l->latent_height, w = l->latent_width, c = l->latent_channels;
  const PmtLesson *lesson = draw->lesson;
  if (lesson && lesson->latent)
    return copy_in (&l->ctx, lesson->latent, h, w, c);
  const float *moments = !lesson ? NULL : draw->mirrored ? lesson->mirrored : lesson->moments;
  return pmt_vae_sample (&l->ctx, l->vae, copy_in (&l->ctx, moments, h, w, 2 * c), copy_in (&l->ctx, draw->posterior, h, w, c), true);
}

/* How much a level counts: all the same, or cut at a ratio of signal to noise. */
static double
weight_of (const PmtLearner *l, double abar)
{
  const double cut = l->request->min_snr, ratio = abar / MAX (1 - abar, 1e-12);
  if (cut <= 0)
    return 1;
  switch (l->schedule->config.prediction) {
  case PMT_PREDICT_EPSILON:
    return ratio <= cut ? 1 : cut / ratio;
  case PMT_PREDICT_V:
    return MIN (ratio, cut) / (ratio + 1);
  case PMT_PREDICT_SAMPLE:
  default:
    return MIN (ratio, cut);
  }
}

/* The mean square of prediction - wanted, and in `seed` factor times its gradient. */
static double
loss_of (const PmtLearner *l, PmtTensor prediction, PmtTensor clean, const float *noise, PmtLevel level, double factor, PmtTensor seed)
{
  const int64_t n = pmt_tensor_size (prediction);
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    const double z = (double) clean.data[i], e = (double) noise[i];
    double wanted = e;
    if (l->schedule->config.prediction == PMT_PREDICT_V)
      wanted = level.a * e - level.s * z;
    else if (l->schedule->config.prediction == PMT_PREDICT_SAMPLE)
      wanted = z;
    const double off = (double) prediction.data[i] - wanted;
    sum += off * off;
    if (seed.data)
      seed.data[i] = (float) (2 * off * factor / (double) n);
  }
  return sum / (double) n;
}

static gboolean
run (PmtLearner *l, const PmtLearnDraw *draw, const char *text, double weight, double *loss, GError **error)
{
  PmtContext *ctx = &l->ctx;
  PmtTape *tape = ctx->tape;
  Told told;
  ctx->tape = NULL;
  const float timestep = (float) draw->timestep;
  const double abar = l->schedule->abar[draw->timestep], level_weight = weight_of (l, abar);
  const PmtLevel level = pmt_level_from_abar (abar);
  PmtTensor clean = clean_latent (l, draw), x = clean.data ? pmt_tensor_new (ctx, clean.shape) : PMT_NO_TENSOR;
  if (x.data && !ctx->dry)
    pmt_level_mix (level, clean.data, draw->noise, (size_t) pmt_tensor_size (x), x.data);
  ctx->tape = tape;
  if (!check (l, error) || !tell (l, text, &told, error))
    return FALSE;
  const PmtUnetInput input = { .sample = x, .timesteps = &timestep, .context = told.context, .text_embeds = told.pooled, .time_ids = told.time_ids };
  PmtTensor prediction = pmt_unet_forward (ctx, l->nets.unet, &input, NULL);
  ctx->tape = NULL;
  PmtTensor seed = tape && prediction.data ? pmt_tensor_new (ctx, prediction.shape) : PMT_NO_TENSOR;
  if (prediction.data && !ctx->dry)
    *loss = level_weight * loss_of (l, prediction, clean, draw->noise, level, weight * level_weight, seed);
  ctx->tape = tape;
  if (tape)
    pmt_tape_backward (ctx, prediction, seed);
  return check (l, error);
}

gboolean
pmt_learn_pass (PmtLearner *l, const PmtLearnDraw *draw, const char *text, double weight, double *loss, GError **error)
{
  PmtArenaMark mark = pmt_arena_mark (l->ctx.step);
  PmtTape *tape = l->ctx.tape = weight != 0 ? pmt_tape_new () : NULL;
  l->ctx.parameters = l->parameters;
  *loss = 0;
  const gboolean ok = run (l, draw, text, weight, loss, error);
  l->ctx.tape = NULL;
  l->ctx.parameters = NULL;
  pmt_tape_free (tape);
  pmt_arena_release (l->ctx.step, mark);
  return ok;
}
