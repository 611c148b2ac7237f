/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the UNet predicts, where the model's files don't say: one evaluation tells (formats.md 1.4, after stable-diffusion.cpp). At the
 * last timestep the latent is nearly all noise. Shown a constant there, a network that predicts noise gives about what it was shown, and
 * one that predicts velocity, which there is nearly the clean latent turned round, stays far below. */
#include "engine/base/memory.h"
#include "engine/sample/runner.h"

enum { SIDE = 8, TOKENS = 2 };

static PmtTensor
constant (PmtContext *ctx, PmtShape shape, float value)
{
  PmtTensor t = pmt_tensor_new (ctx, shape);
  for (int64_t i = 0; !ctx->dry && i < pmt_tensor_size (t); i++)
    t.data[i] = value;
  return t;
}

static PmtPrediction
judge (PmtTensor sample, PmtTensor out)
{
  const int64_t cells = SIDE * SIDE, wide = sample.shape.dim[3], channels = out.shape.dim[3];
  double sum = 0;
  for (int64_t i = 0; i < cells; i++)
    for (int64_t c = 0; c < channels; c++)
      sum += (double) out.data[i * channels + c] - sample.data[i * wide + c];
  return sum / (double) (cells * channels) < -1.0 ? PMT_PREDICT_V : PMT_PREDICT_EPSILON;
}

static gboolean
probe (PmtRun *run, GError **error)
{
  PmtContext *ctx = &run->ctx;
  const PmtUnetConfig *config = pmt_unet_config (run->unet);
  const float timestep = (float) (run->schedule->config.train_steps - 1);
  PmtArenaMark mark = pmt_arena_mark (ctx->step);
  PmtTensor sample = constant (ctx, PMT_SHAPE4 (1, SIDE, SIDE, config->in_channels), 0.5f);
  /* Channels beyond the latent's, mask and picture, are empty. */
  for (int64_t i = 0; !ctx->dry && i < pmt_tensor_size (sample); i++)
    if (i % config->in_channels >= config->out_channels)
      sample.data[i] = 0.0f;
  const PmtUnetInput input = { .sample = sample, .timesteps = &timestep,
                               .context = constant (ctx, PMT_SHAPE3 (1, TOKENS, config->cross_attention_dim), 0.5f) };
  PmtTensor out = pmt_unet_forward (ctx, run->unet, &input, NULL);
  if (!pmt_runner_check (run, error))
    return FALSE;
  if (!ctx->dry)
    pmt_model_set_prediction (run->model, judge (sample, out));
  pmt_arena_release (ctx->step, mark);
  return TRUE;
}

gboolean
pmt_runner_prediction (PmtRunner *runner, GError **error)
{
  PmtRun *run = &runner->run;
  const PmtPrediction *wanted = run->request->prediction;
  if (!wanted && !pmt_model_prediction_known (run->model) && !probe (run, error))
    return FALSE;
  run->schedule->config.prediction = wanted ? *wanted : pmt_model_schedule (run->model)->prediction;
  return TRUE;
}

/* The UNet alone, and one evaluation. */
static gboolean
learn (PmtRunner *runner, GError **error)
{
  PmtRun *run = &runner->run;
  if (!pmt_runner_open (runner, error))
    return FALSE;
  if (runner->dry) {
    run->unet = pmt_model_unet_dry (run->model, run->unet_choice, error);
  } else {
    pmt_runner_report (runner, PMT_STAGE_LOAD, 0, 1, PMT_NO_TENSOR);
    run->unet = pmt_model_unet (run->model, run->unet_choice, run->request->cancel, error);
  }
  return run->unet && probe (run, error);
}

gboolean
pmt_run_learn_prediction (const PmtRequest *request, GError **error)
{
  const int side = SIDE * pmt_model_size_multiple (request->model);
  const PmtRequest q = { .model = request->model, .prompt = "", .width = side, .height = side, .steps = 1, .guidance = 1, .strength = 1,
                         .sampler = pmt_sampler_find ("ddim", NULL), .cancel = request->cancel, .progress = request->progress,
                         .progress_user = request->progress_user };
  if (pmt_model_prediction_known (q.model))
    return TRUE;
  PmtRunner dry = { .run.request = &q, .dry = true };
  gboolean ok = learn (&dry, error);
  const size_t memory = ok ? pmt_arena_peak (dry.run.memory) : 0, step = ok ? pmt_arena_peak (dry.run.ctx.step) : 0;
  const size_t weights = ok ? pmt_unet_weight_bytes (dry.run.unet) : 0;
  pmt_runner_close (&dry);
  if (!ok || weights + memory + step > pmt_memory_available ())
    return ok;
  PmtRunner runner = { .run.request = &q, .memory_limit = memory, .step_limit = step };
  ok = learn (&runner, error);
  pmt_runner_close (&runner);
  return ok;
}
