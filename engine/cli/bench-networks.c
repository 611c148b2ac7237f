/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/bench-networks.h"

#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/cpu.h"
#include "engine/base/memory.h"
#include "engine/cli/bench-ops.h"
#include "engine/cli/cli.h"
#include "engine/kernels/blas.h"
#include "engine/kernels/packed.h"
#include "engine/tensor/tape.h"

const char *const pmt_bench_kind_name[PMT_BENCH_KINDS] = { "conv", "linear", "attention", "norm", "rest" };
const char *const pmt_bench_network_name[PMT_BENCH_NETWORKS] = { "unet", "unet_gradient", "vae_decode", "text" };

/* By id of the operation; those that are not here are the rest. */
static const struct {
  const char *op;
  int kind;
} kinds[] = { { "conv2d", PMT_BENCH_CONV }, { "linear", PMT_BENCH_LINEAR }, { "linear_geglu", PMT_BENCH_LINEAR }, { "attention", PMT_BENCH_ATTENTION }, { "attention_logits", PMT_BENCH_ATTENTION },
              { "attention_mix", PMT_BENCH_ATTENTION }, { "softmax", PMT_BENCH_ATTENTION }, { "group_norm", PMT_BENCH_NORM }, { "layer_norm", PMT_BENCH_NORM } };

typedef struct Watch {
  PmtBenchTiming now;
  double start, last, flops, bytes;
} Watch;

static void
on_op (void *user, const PmtContext *ctx)
{
  Watch *watch = user;
  const double t = pmt_work_clock ();
  int kind = PMT_BENCH_REST;
  for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (ctx->op, kinds[i].op) == 0)
      kind = kinds[i].kind;
  PmtBenchPart *part = &watch->now.kind[kind];
  const double seconds = t - watch->last, flop = ctx->flops - watch->flops, bytes = ctx->bytes - watch->bytes;
  part->seconds += seconds;
  part->flop += flop;
  part->bytes += bytes;
  part->calls++;
  pmt_bench_ops_add (watch->now.ops, ctx->op, ctx->op_shape, seconds, flop, bytes);
  watch->flops = ctx->flops;
  watch->bytes = ctx->bytes;
  watch->last = pmt_work_clock ();
}

/* Repeatable values in -1.7..1.7 of variance 1. */
static PmtTensor
values (PmtContext *ctx, PmtShape shape)
{
  PmtTensor t = pmt_tensor_new (ctx, shape);
  guint32 state = 1;
  for (int64_t i = 0; t.data && i < pmt_tensor_size (t); i++) {
    state = state * 1664525u + 1013904223u;
    t.data[i] = ((float) (state >> 8) * 0x1p-23f - 1.0f) * 1.7320508f;
  }
  return t;
}

/* Forward, and with a tape back to the latent too. */
static gboolean
pass_unet (PmtBench *b, bool back, size_t *weights, GError **error)
{
  const PmtUnetConfig *config = pmt_model_unet_config (b->model, PMT_UNET_MAIN);
  PmtUnet *unet = pmt_model_unet (b->model, PMT_UNET_MAIN, b->ctx.cancel, error);
  const int factor = pmt_vae_factor (pmt_model_vae_config (b->model)), ids = pmt_model_n_time_ids (b->model);
  g_autofree float *timesteps = g_new (float, b->rows);
  PmtUnetInput input = { .timesteps = timesteps };
  if (!unet)
    return FALSE;
  *weights = pmt_unet_weight_bytes (unet);
  for (int i = 0; i < b->rows; i++)
    timesteps[i] = 500;
  input.sample = values (&b->ctx, PMT_SHAPE4 (b->rows, b->height / factor, b->width / factor, config->in_channels));
  input.context = values (&b->ctx, PMT_SHAPE3 (b->rows, 77, config->cross_attention_dim));
  if (config->time_cond_proj_dim)
    input.timestep_cond = values (&b->ctx, PMT_SHAPE2 (b->rows, config->time_cond_proj_dim));
  if (config->added_dim) {
    input.text_embeds = values (&b->ctx, PMT_SHAPE2 (b->rows, config->added_dim - ids * config->time_id_dim));
    input.time_ids = values (&b->ctx, PMT_SHAPE2 (b->rows, ids));
  }
  if (!back) {
    pmt_unet_forward (&b->ctx, unet, &input, NULL);
    return TRUE;
  }
  b->ctx.tape = pmt_tape_new ();
  input.sample = pmt_tape_leaf (b->ctx.tape, input.sample);
  pmt_tape_backward (&b->ctx, pmt_unet_forward (&b->ctx, unet, &input, NULL), PMT_NO_TENSOR);
  g_clear_pointer (&b->ctx.tape, pmt_tape_free);
  return TRUE;
}

static gboolean
run_unet (PmtBench *b, size_t *weights, GError **error)
{
  return pass_unet (b, false, weights, error);
}

static gboolean
run_unet_gradient (PmtBench *b, size_t *weights, GError **error)
{
  return pass_unet (b, true, weights, error);
}

static gboolean
run_vae_decode (PmtBench *b, size_t *weights, GError **error)
{
  const PmtVaeConfig *config = pmt_model_vae_config (b->model);
  PmtVae *vae = pmt_model_vae (b->model, b->ctx.cancel, error);
  const int factor = pmt_vae_factor (config);
  if (!vae)
    return FALSE;
  *weights = pmt_vae_weight_bytes (vae);
  pmt_vae_decode (&b->ctx, vae, values (&b->ctx, PMT_SHAPE4 (1, b->height / factor, b->width / factor, config->latent_channels)));
  return TRUE;
}

/* All of the model's encoders, each on one prompt. */
static gboolean
run_text (PmtBench *b, size_t *weights, GError **error)
{
  *weights = 0;
  for (int k = 0; k < pmt_model_n_texts (b->model); k++) {
    const PmtClipTextConfig *config = pmt_model_text_config_at (b->model, k);
    PmtClipText *text = pmt_model_text_at (b->model, k, b->ctx.cancel, error);
    g_autofree int32_t *ids = g_new (int32_t, config->max_positions);
    if (!text)
      return FALSE;
    *weights += pmt_clip_text_weight_bytes (text);
    for (int i = 0; i < config->max_positions; i++)
      ids[i] = (int32_t) (((int64_t) i * 7919 + 11) % config->vocab_size);
    pmt_clip_text_forward (&b->ctx, text, ids, 1, config->max_positions, 0, true);
  }
  return TRUE;
}

static gboolean (*const run_network[PMT_BENCH_NETWORKS]) (PmtBench *b, size_t *weights, GError **error) = { run_unet, run_unet_gradient, run_vae_decode, run_text };

/* The networks of run_network, without running them. */
static gboolean
load (PmtBench *b, int network, GError **error)
{
  bool good = true;
  if (network == PMT_BENCH_VAE_DECODE)
    return pmt_model_vae (b->model, b->ctx.cancel, error) != NULL;
  if (network != PMT_BENCH_TEXT)
    return pmt_model_unet (b->model, PMT_UNET_MAIN, b->ctx.cancel, error) != NULL;
  for (int k = 0; good && k < pmt_model_n_texts (b->model); k++)
    good = pmt_model_text_at (b->model, k, b->ctx.cancel, error) != NULL;
  return good;
}

gboolean
pmt_bench_time (PmtBench *b, int network, bool warm, GError **error)
{
  PmtBenchTiming *best = &b->timing[network];
  const double start = pmt_work_clock ();
  if (!load (b, network, error))
    return FALSE;
  const double ready = pmt_work_clock () - start;
  for (int run = warm ? 0 : 1; run <= b->runs; run++) {
    Watch watch = { .now.ops = pmt_bench_ops_new () };
    const PmtArenaMark mark = pmt_arena_mark (b->ctx.step);
    pmt_arena_reset_peak (b->ctx.step);
    b->ctx.flops = b->ctx.bytes = 0;
    b->ctx.on_op = on_op;
    b->ctx.on_op_user = &watch;
    watch.start = watch.last = pmt_work_clock ();
    if (!run_network[network] (b, &watch.now.weights, error) || pmt_context_take_error (&b->ctx, error)) {
      g_array_unref (watch.now.ops);
      return FALSE;
    }
    watch.now.all = (PmtBenchPart) { pmt_work_clock () - watch.start, b->ctx.flops, b->ctx.bytes, 0 };
    watch.now.activations = pmt_arena_peak (b->ctx.step);
    pmt_arena_release (b->ctx.step, mark);
    const bool better = run > 0 && (run == 1 || watch.now.all.seconds < best->all.seconds);
    GArray *worse = better ? best->ops : watch.now.ops;
    if (better)
      *best = watch.now;
    best->ready = ready;
    g_clear_pointer (&worse, g_array_unref);
  }
  return TRUE;
}

gboolean
pmt_bench_open (PmtBench *b, GError **error)
{
  PmtCpuLevel level;
  if (!pmt_cpu_select (&level, error) || !pmt_blas_check (error))
    return FALSE;
  b->ctx.kernels = pmt_kernels_get (level);
  b->ctx.cancel = pmt_cli_cancel ();
  b->ctx.step = pmt_arena_new ("the networks' activations", pmt_memory_available (), error);
  return b->ctx.step != NULL;
}

void
pmt_bench_close (PmtBench *b)
{
  for (int i = 0; i < PMT_BENCH_NETWORKS; i++)
    g_clear_pointer (&b->timing[i].ops, g_array_unref);
  g_clear_error (&b->ctx.error);
  g_clear_pointer (&b->ctx.step, pmt_arena_free);
}

gboolean
pmt_bench_measure_ceiling (PmtBench *b, GError **error)
{
  b->peak = pmt_memory_resident_peak ();
  return pmt_ceiling_measure (&b->ceiling, b->ctx.kernels, true, b->ctx.cancel, error);
}

double
pmt_bench_speed (const PmtBenchPart *part)
{
  return part->seconds > 0 ? part->flop * 1e-9 / part->seconds : 0;
}

double
pmt_bench_ceiling_of (const PmtBench *b, int i)
{
  return pmt_ceiling_product (&b->ceiling, i <= PMT_BENCH_UNET_GRADIENT ? pmt_model_precision (b->model) : pmt_model_vae_config (b->model)->precision);
}
