/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "engine/kernels/packed.h"
#include "engine/nets/time_embedding.h"
#include "engine/ops/ops.h"
#include "engine/sample/runner.h"

/* ---- taps: one network call, many methods ------------------------------------------------------------------------------ */

typedef struct TapUser {
  PmtRun *run;
  PmtStep *step;
} TapUser;

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  const PmtRun *run = ((TapUser *) user)->run;
  unsigned stages = 0;
  for (int i = 0; i < run->n_methods; i++)
    if (run->methods[i]->attn_wants)
      stages |= run->methods[i]->attn_wants (run->states[i], site);
  return stages | pmt_probing_attn_wants (((const PmtRunner *) run)->probing, ((TapUser *) user)->step, site);
}

/* A gradient would silently miss what a method made by hand of something that has one. */
static void
check_gradient (PmtContext *ctx, const PmtMethod *m, PmtTensor before, PmtTensor after)
{
  if (ctx->tape && before.node > 0 && after.data && after.node == 0)
    pmt_context_fail (ctx, PMT_ERROR_UNSUPPORTED,
                      "The method %s changes what flows in a way that has no gradient; leave it out, or the method that follows a gradient.",
                      m->id);
}

static void
check_attn_gradient (PmtContext *ctx, const PmtMethod *m, const PmtAttnCall *before, const PmtAttnCall *after)
{
  check_gradient (ctx, m, before->source_q, after->source_q);
  check_gradient (ctx, m, before->source_k, after->source_k);
  check_gradient (ctx, m, before->source_v, after->source_v);
  check_gradient (ctx, m, before->q, after->q);
  check_gradient (ctx, m, before->k, after->k);
  check_gradient (ctx, m, before->v, after->v);
  check_gradient (ctx, m, before->logits, after->logits);
  check_gradient (ctx, m, before->probs, after->probs);
  check_gradient (ctx, m, before->out, after->out);
  check_gradient (ctx, m, before->hidden, after->hidden);
}

static void
attn (void *user, PmtContext *ctx, PmtAttnStage stage, PmtAttnCall *call)
{
  TapUser *tap = user;
  PmtRun *run = tap->run;
  for (int i = 0; i < run->n_methods; i++) {
    const PmtMethod *m = run->methods[i];
    if (m->attn_wants && m->attn && m->attn_wants (run->states[i], call->site) & stage) {
      const PmtAttnCall before = *call;
      m->attn (run->states[i], run, tap->step, stage, call);
      check_attn_gradient (ctx, m, &before, call);
    }
  }
  pmt_probing_attn (((PmtRunner *) run)->probing, tap->step, stage, call);
}

static bool
resid_wants (void *user, const PmtResidSite *site)
{
  const PmtRun *run = ((TapUser *) user)->run;
  for (int i = 0; i < run->n_methods; i++)
    if (run->methods[i]->resid_wants && run->methods[i]->resid_wants (run->states[i], site))
      return true;
  return pmt_probing_resid_wants (((const PmtRunner *) run)->probing, ((TapUser *) user)->step, site);
}

static void
resid (void *user, PmtContext *ctx, const PmtResidSite *site, PmtTensor *x)
{
  TapUser *tap = user;
  PmtRun *run = tap->run;
  for (int i = 0; i < run->n_methods; i++) {
    const PmtMethod *m = run->methods[i];
    if (m->resid_wants && m->resid && m->resid_wants (run->states[i], site)) {
      const PmtTensor before = *x;
      m->resid (run->states[i], run, tap->step, site, x);
      check_gradient (ctx, m, before, *x);
    }
  }
  pmt_probing_resid (((PmtRunner *) run)->probing, tap->step, site, *x);
}

static bool
seen (void *user)
{
  return pmt_probing_seen (((PmtRunner *) ((TapUser *) user)->run)->probing);
}

/* ---- the network call -------------------------------------------------------------------------------------------------- */

static bool
same_call (const PmtRow *a, const PmtRow *b)
{
  return pmt_shape_equal (&a->latent.shape, &b->latent.shape) && pmt_shape_equal (&a->context.shape, &b->context.shape) &&
         !a->extra.data == !b->extra.data && (!a->extra.data || pmt_shape_equal (&a->extra.shape, &b->extra.shape)) &&
         !a->pooled.data == !b->pooled.data && (!a->pooled.data || pmt_shape_equal (&a->pooled.shape, &b->pooled.shape)) &&
         !a->time_ids.data == !b->time_ids.data && (!a->time_ids.data || pmt_shape_equal (&a->time_ids.shape, &b->time_ids.shape)) &&
         a->weight_set == b->weight_set;
}

/* The rows' tensors `pick` behind each other; a single one as it is, so that a tape sees where it came from. */
static PmtTensor
stack (PmtContext *ctx, const PmtStep *step, size_t pick)
{
  const PmtTensor *first = (const PmtTensor *) ((const char *) &step->rows.row[step->call_row[0]] + pick);
  if (step->n_call_rows == 1 || !first->data)
    return *first;
  PmtShape shape = first->shape;
  shape.dim[0] = step->n_call_rows;
  PmtTensor all = pmt_tensor_new (ctx, shape);
  if (!all.data || ctx->dry)
    return all;
  const size_t size = (size_t) pmt_tensor_size (*first);
  for (int k = 0; k < step->n_call_rows; k++) {
    const PmtTensor *t = (const PmtTensor *) ((const char *) &step->rows.row[step->call_row[k]] + pick);
    memcpy (all.data + size * k, t->data, size * sizeof (float));
  }
  return all;
}

/* What the guidance scale becomes for UNets that were distilled with it; PMT_NO_TENSOR for others. */
static PmtTensor
embed_guidance (PmtRun *run, const PmtStep *step)
{
  const int width = pmt_unet_config (run->unet)->time_cond_proj_dim, n = step->n_call_rows;
  if (width == 0)
    return PMT_NO_TENSOR;
  g_autofree float *w = g_new (float, n);
  for (int k = 0; k < n; k++)
    w[k] = (float) (step->rows.row[step->call_row[k]].guidance - 1.0);
  return pmt_guidance_embedding (&run->ctx, w, n, width);
}

static gboolean
call_hooks (PmtRun *run, PmtStep *step, GError **error)
{
  for (int i = 0; i < run->n_methods; i++) {
    const PmtMethod *m = run->methods[i];
    if (m->call && !(m->call (run->states[i], run, step, error) && pmt_runner_check (run, error)))
      return FALSE;
  }
  return TRUE;
}

static gboolean
call_network (PmtRun *run, PmtStep *step, GError **error)
{
  PmtRunner *runner = (PmtRunner *) run;
  PmtContext *ctx = &run->ctx;
  TapUser user = { run, step };
  const PmtTaps taps = { &user, attn_wants, attn, resid_wants, resid, runner->probing ? seen : NULL };
  bool tapped = runner->probing != NULL;
  for (int i = 0; i < run->n_methods; i++)
    tapped = tapped || run->methods[i]->attn_wants || run->methods[i]->resid_wants;

  const int n = step->n_call_rows;
  g_autofree float *timesteps = g_new (float, n);
  for (int k = 0; k < n; k++)
    timesteps[k] = (float) step->rows.row[step->call_row[k]].timestep;
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor sample = stack (ctx, step, offsetof (PmtRow, latent)), extra = stack (ctx, step, offsetof (PmtRow, extra));
  step->call_latent = sample;
  if (extra.data)
    sample = pmt_concat (ctx, sample, extra);
  PmtUnetInput input = { .sample = sample, .timesteps = timesteps, .context = stack (ctx, step, offsetof (PmtRow, context)),
                               .timestep_cond = embed_guidance (run, step), .text_embeds = stack (ctx, step, offsetof (PmtRow, pooled)),
                               .time_ids = stack (ctx, step, offsetof (PmtRow, time_ids)) };
  if (!pmt_runner_check (run, error))
    return FALSE;
  step->input = &input;
  struct PmtTape *tape = ctx->tape; /* what networks beside it make counts as constant */
  ctx->tape = NULL;
  const gboolean called = call_hooks (run, step, error);
  ctx->tape = tape;
  step->input = NULL;
  step->call_latent = PMT_NO_TENSOR;
  if (!called)
    return FALSE;
  ctx->weight_set = step->rows.row[step->call_row[0]].weight_set;
  PmtTensor out = pmt_unet_forward (ctx, run->unet, &input, tapped ? &taps : NULL);
  ctx->weight_set = run->weight_set;
  out = pmt_frame_close (ctx, frame, out);
  if (!pmt_runner_check (run, error))
    return FALSE;
  for (int k = 0; k < n && out.data; k++) /* none where the call stopped before its end */
    step->rows.row[step->call_row[k]].prediction = pmt_tensor_rows (out, k, 1);
  runner->evaluations += n;
  return TRUE;
}

gboolean
pmt_run_predict (PmtRun *run, PmtStep *step, GError **error)
{
  const int n = step->rows.n, at_once = ((PmtRunner *) run)->rows_per_call;
  g_autofree int *call_row = g_new (int, n + 1);
  g_autofree bool *done = g_new0 (bool, n + 1);
  for (int i = 0; i < n; i++) {
    if (step->rows.row[i].weight_set < 0 || step->rows.row[i].weight_set > ((PmtRunner *) run)->n_sets) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INTERNAL,
                   "A method asked for weight set %d, which does not exist; leave that method out and report this.",
                   step->rows.row[i].weight_set);
      return FALSE;
    }
    if (done[i])
      continue;
    int taken = 0;
    for (int k = i; k < n && (at_once == 0 || taken < at_once); k++)
      if (!done[k] && same_call (&step->rows.row[i], &step->rows.row[k])) {
        call_row[taken++] = k;
        done[k] = true;
      }
    step->call_row = call_row;
    step->n_call_rows = taken;
    gboolean ok = call_network (run, step, error);
    step->call_row = NULL;
    step->n_call_rows = 0;
    if (!ok)
      return FALSE;
  }
  return TRUE;
}

PmtRow *
pmt_run_add_row (PmtRun *run, PmtStep *step, int track, GError **error)
{
  PmtTrack *t = run->tracks[track];
  PmtTensor shown = pmt_tensor_new (&run->ctx, t->latent.shape);
  if (!pmt_runner_check (run, error))
    return NULL;
  const PmtSampler *sampler = run->request->sampler;
  if (sampler->scale_input)
    sampler->scale_input (t->solver, step->grid_i, t->latent.data, shown.data);
  else
    memcpy (shown.data, t->latent.data, (size_t) pmt_tensor_size (shown) * sizeof (float));
  PmtRow *row = pmt_rows_add (&step->rows);
  row->track = track;
  row->role = PMT_ROW_COND;
  row->latent = shown;
  row->context = t->context;
  row->weight_set = run->weight_set;
  row->pooled = t->pooled;
  row->time_ids = run->time_ids;
  row->guidance = run->request->guidance;
  row->timestep = step->timestep;
  if (run->extra.data && pmt_tensor_dim (shown, 1) == run->latent_height && pmt_tensor_dim (shown, 2) == run->latent_width)
    row->extra = run->extra;
  return row;
}

/* ---- one evaluation ---------------------------------------------------------------------------------------------------- */

static gboolean
call_latent (PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  for (int i = 0; i < run->n_methods && !*moved; i++) {
    const PmtMethod *m = run->methods[i];
    if (m->latent && !(m->latent (run->states[i], run, step, track, stage, moved, error) && pmt_runner_check (run, error)))
      return FALSE;
    if (stage != PMT_LATENT_STEP)
      *moved = false; /* only STEP can be taken over */
  }
  return TRUE;
}

static gboolean
call_latents (PmtRun *run, PmtStep *step, PmtLatentStage stage, GError **error)
{
  for (int k = 0; k < run->n_tracks; k++) {
    bool moved = false;
    if (!call_latent (run, step, k, stage, &moved, error))
      return FALSE;
  }
  return TRUE;
}

/* The methods' rows beside those that are there. */
static gboolean
branch (PmtRun *run, PmtStep *step, GError **error)
{
  for (int i = 0; i < run->n_methods; i++) {
    const PmtMethod *m = run->methods[i];
    if (m->branch && !(m->branch (run->states[i], run, step, error) && pmt_runner_check (run, error)))
      return FALSE;
  }
  return TRUE;
}

/* From a track's rows to its prediction. */
static gboolean
combine (PmtRun *run, PmtStep *step, int track, GError **error)
{
  PmtTrack *t = run->tracks[track];
  for (int i = 0; i < step->rows.n; i++) {
    const PmtRow *row = &step->rows.row[i];
    if (row->track != track || !pmt_shape_equal (&row->prediction.shape, &t->prediction.shape))
      continue;
    memcpy (t->prediction.data, row->prediction.data, (size_t) pmt_tensor_size (t->prediction) * sizeof (float));
    break;
  }
  for (int i = 0; i < run->n_methods; i++) {
    const PmtMethod *m = run->methods[i];
    if (m->combine && !(m->combine (run->states[i], run, step, track, error) && pmt_runner_check (run, error)))
      return FALSE;
  }
  return TRUE;
}

gboolean
pmt_run_evaluate (PmtRun *run, const PmtStep *at, int track, PmtTensor x, const PmtConditioning *text, PmtTensor *prediction, GError **error)
{
  PmtTrack *t = run->tracks[track];
  const PmtTrack before = *t;
  PmtStep step = { .i = at->i, .n = at->n, .grid_i = at->grid_i, .timestep = at->timestep, .sigma = at->sigma };
  t->latent = x;
  t->prediction = pmt_tensor_new (&run->ctx, x.shape);
  if (text) {
    t->context = text->context;
    t->pooled = text->pooled;
  }
  gboolean ok = pmt_runner_check (run, error) && pmt_run_add_row (run, &step, track, error) && branch (run, &step, error) &&
                pmt_run_predict (run, &step, error) && combine (run, &step, track, error);
  *prediction = t->prediction;
  t->latent = before.latent;
  t->prediction = before.prediction;
  t->context = before.context;
  t->pooled = before.pooled;
  pmt_rows_clear (&step.rows);
  return ok;
}

static gboolean
evaluate (PmtRun *run, PmtStep *step, GError **error)
{
  if (pmt_context_poll (&run->ctx))
    return pmt_runner_check (run, error);
  if (!call_latents (run, step, PMT_LATENT_PRE, error))
    return FALSE;
  for (int k = 0; k < run->n_tracks; k++)
    if (!run->tracks[k]->passive && !pmt_run_add_row (run, step, k, error))
      return FALSE;
  if (!branch (run, step, error) || !pmt_run_predict (run, step, error))
    return FALSE;
  for (int k = 0; k < run->n_tracks; k++) {
    PmtTrack *t = run->tracks[k];
    if (t->passive)
      continue;
    if (!combine (run, step, k, error))
      return FALSE;
    run->request->sampler->denoised (t->solver, step->grid_i, t->prediction.data, t->latent.data, t->denoised.data);
  }
  for (int k = 0; k < run->n_tracks; k++) {
    PmtTrack *t = run->tracks[k];
    bool moved = t->passive;
    if (!moved && !call_latent (run, step, k, PMT_LATENT_STEP, &moved, error))
      return FALSE;
    if (!moved)
      run->request->sampler->step (t->solver, step->grid_i, t->prediction.data, t->latent.data);
  }
  return call_latents (run, step, PMT_LATENT_POST, error);
}

/* A latent with one value that is no number, or infinite, is lost: the picture would be black. */
static bool
is_sound (const PmtTensor latent)
{
  const int64_t n = pmt_tensor_size (latent);
  for (int64_t i = 0; i < n; i++)
    if (!isfinite (latent.data[i]))
      return false;
  return true;
}

static gboolean
check_sound (PmtRunner *runner, const PmtStep *step, GError **error)
{
  const PmtRun *run = &runner->run;
  const PmtTrack *t = run->tracks[run->result_track];
  if (runner->dry || (is_sound (t->latent) && (t->passive || is_sound (t->denoised))))
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("In step %d of %d the model '%s' gave values that are no numbers, with which there is no picture; choose another precision than "
                 "%s, leave out LoRAs and controls, or get a fresh copy of the model."),
               step->i + 1, step->n, pmt_model_path (run->model), pmt_precision_name (pmt_model_precision (run->model)));
  return FALSE;
}

/* Whether the estimate at hand is to be the picture. */
static bool
is_enough (const PmtRunner *runner)
{
  const PmtRequest *q = runner->run.request;
  if (q->stop_after == PMT_STOP_AT_ONCE)
    return true;
  return runner->steps_done > 0 &&
         (runner->steps_done == q->stop_after || (q->keep && !runner->dry && atomic_load (q->keep)));
}

static void
take_estimates (PmtRun *run)
{
  for (int k = 0; k < run->n_tracks; k++) {
    PmtTrack *t = run->tracks[k];
    memcpy (t->latent.data, t->denoised.data, (size_t) pmt_tensor_size (t->latent) * sizeof (float));
  }
}

static gboolean
report_step (PmtRunner *runner, const PmtStep *step, GError **error)
{
  const PmtTensor estimate = runner->run.tracks[runner->run.result_track]->denoised;
  /* the last one is the picture */
  const bool again = runner->run.request->preview == PMT_PREVIEW_DECODED && step->i + 1 == step->n;
  if (!again && !pmt_runner_preview (runner, estimate, error))
    return FALSE;
  pmt_runner_report (runner, PMT_STAGE_SAMPLE, step->i + 1, step->n, estimate);
  return TRUE;
}

gboolean
pmt_runner_sample (PmtRunner *runner, GError **error)
{
  PmtRun *run = &runner->run;
  const PmtGrid *grid = run->grid;
  const int n = run->last - run->first;
  PmtStep step = { 0 };
  gboolean ok = TRUE;
  pmt_runner_report (runner, PMT_STAGE_SAMPLE, 0, n, PMT_NO_TENSOR);
  for (int i = run->first; i < run->last && ok; i++) {
    if (is_enough (runner)) {
      runner->stopped = true;
      if (runner->steps_done > 0 && !runner->dry)
        take_estimates (run);
      break;
    }
    PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
    step = (PmtStep) { .i = i - run->first, .n = n, .grid_i = i, .timestep = grid->timestep[i], .sigma = grid->sigma[i] };
    ok = evaluate (run, &step, error);
    pmt_rows_clear (&step.rows);
    pmt_arena_release (run->ctx.step, mark);
    if (ok) {
      runner->steps_done++;
      ok = check_sound (runner, &step, error) && report_step (runner, &step, error);
    }
  }
  if (ok)
    ok = call_latents (run, &step, PMT_LATENT_END, error);
  pmt_arena_trim (run->ctx.step);
  return ok;
}
