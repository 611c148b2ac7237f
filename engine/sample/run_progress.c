/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "engine/base/clock.h"
#include "engine/sample/runner.h"

enum { REPORT_EVERY_US = 100000 };

const char *
pmt_stage_name (PmtStage stage)
{
  static const char *const names[] = { "load", "text", "encode", "sample", "decode" };
  return names[stage];
}

static void
tell (PmtRunner *runner)
{
  const PmtRequest *request = runner->run.request;
  if (!request->progress || runner->dry)
    return;
  PmtProgress *p = &runner->progress;
  const gint64 now = g_get_monotonic_time ();
  double fraction = runner->flops > 0 ? runner->run.ctx.flops / runner->flops : 0.0;
  p->fraction = CLAMP (fraction, p->fraction, 1.0);
  /* Work is counted in floating point operations; below a hundredth the rate says little. */
  p->eta = runner->begun && p->fraction >= 0.01 ? (double) (now - runner->begun) * 1e-6 * (1.0 - p->fraction) / p->fraction : -1.0;
  runner->told = now;
  request->progress (request->progress_user, p);
}

void
pmt_runner_report (PmtRunner *runner, PmtStage stage, int step, int of, PmtTensor latent)
{
  PmtProgress *p = &runner->progress;
  if (stage != PMT_STAGE_LOAD && !runner->begun)
    runner->begun = g_get_monotonic_time ();
  p->stage = stage;
  p->step = step;
  p->of = of;
  p->latent = latent;
  tell (runner);
  p->preview = NULL;
}

PmtWorkKind
pmt_work_kind (const char *op)
{
  if (strcmp (op, "conv2d") == 0)
    return PMT_WORK_CONV;
  if (g_str_has_prefix (op, "linear"))
    return PMT_WORK_LINEAR;
  return g_str_has_prefix (op, "attention") || strcmp (op, "softmax") == 0 ? PMT_WORK_ATTENTION : PMT_WORK_REST;
}

static void
count (PmtRunner *runner, const PmtContext *ctx)
{
  const bool autoencoder = runner->looking || runner->progress.stage == PMT_STAGE_ENCODE || runner->progress.stage == PMT_STAGE_DECODE;
  const int at = (int) pmt_work_kind (ctx->op) + (autoencoder ? PMT_WORK_KINDS : 0);
  runner->work[at] += ctx->flops - runner->counted;
  runner->counted = ctx->flops;
  if (!runner->dry) {
    const double now = pmt_work_clock ();
    runner->work_seconds[at] += now - runner->counted_at;
    runner->counted_at = now;
  }
}

static void
on_op (void *user, const PmtContext *ctx)
{
  PmtRunner *runner = user;
  count (runner, ctx);
  if (runner->run.request->progress && !runner->dry && g_get_monotonic_time () - runner->told >= REPORT_EVERY_US)
    tell (runner);
}

void
pmt_runner_watch (PmtRunner *runner)
{
  runner->counted_at = pmt_work_clock ();
  runner->run.ctx.on_op = on_op;
  runner->run.ctx.on_op_user = runner;
}
