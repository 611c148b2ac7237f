/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "engine/nets/unet_sites.h"
#include "engine/ops/ops.h"
#include "engine/sample/gradient.h"
#include "engine/sample/runner.h"
#include "engine/tensor/tape.h"

/* ---- what the network shows -------------------------------------------------------------------------------------------- */

struct PmtProbing {
  PmtGradient *gradient;
  GArray *probed;   /* PmtProbed */
  int row;          /* of the step, that is looked at */
  int attentions;   /* looked at in one forward pass */
  bool to_the_end;  /* of the network, since something behind them is wanted */
};

static bool
wanted (const PmtProbing *probing, const PmtAttnSite *site)
{
  const PmtGradient *g = probing->gradient;
  return g->wants_attention && g->wants_attention (g->user, site);
}

static bool
looks_at (const PmtProbing *probing, const PmtStep *step)
{
  return probing && step->call_row[0] == probing->row;
}

/* Something of what comes out of the network. */
static bool
wants_outputs (const PmtGradient *g)
{
  return g->prediction || g->clean || g->picture || g->beyond;
}

unsigned
pmt_probing_attn_wants (const PmtProbing *probing, const PmtStep *step, const PmtAttnSite *site)
{
  return looks_at (probing, step) && wanted (probing, site) ? PMT_ATTN_PROBS : 0;
}

void
pmt_probing_attn (PmtProbing *probing, const PmtStep *step, PmtAttnStage stage, const PmtAttnCall *call)
{
  if (stage != PMT_ATTN_PROBS || !looks_at (probing, step) || !wanted (probing, call->site))
    return;
  PmtProbed probed = { .kind = PMT_PROBED_ATTENTION, .site = *call->site, .value = call->probs };
  g_array_append_val (probing->probed, probed);
}

bool
pmt_probing_resid_wants (const PmtProbing *probing, const PmtStep *step, const PmtResidSite *site)
{
  return looks_at (probing, step) && probing->gradient->wants_residual &&
         probing->gradient->wants_residual (probing->gradient->user, site);
}

void
pmt_probing_resid (PmtProbing *probing, const PmtStep *step, const PmtResidSite *site, PmtTensor x)
{
  if (!pmt_probing_resid_wants (probing, step, site))
    return;
  PmtProbed probed = { .kind = PMT_PROBED_RESIDUAL, .residual = *site, .value = x };
  g_array_append_val (probing->probed, probed);
}

bool
pmt_probing_seen (const PmtProbing *probing)
{
  return !probing->to_the_end && (int) probing->probed->len == probing->attentions;
}

/* How many attentions of one forward pass are looked at. */
static int
count_attentions (const PmtRun *run, const PmtProbing *probing)
{
  int n, count = 0;
  g_autofree PmtUnetSite *sites = pmt_unet_sites (pmt_unet_config (run->unet), &n);
  for (int i = 0; i < n; i++)
    for (int cross = 0; cross < 2; cross++) {
      const PmtAttnSite site = { .block = i, .place = sites[i].place, .level = sites[i].level, .layer = sites[i].layer, .depth = sites[i].depth,
                                 .cross = cross, .heads = sites[i].heads, .name = sites[i].name };
      count += wanted (probing, &site);
    }
  return count;
}

/* ---- the pass ---------------------------------------------------------------------------------------------------------- */

/* The factor by which the sampler shows latents to the network. */
static float
shown_factor (const PmtRun *run, const PmtTrack *t, int grid_i, float *scratch, size_t n)
{
  if (!run->request->sampler->scale_input)
    return 1.0f;
  for (size_t i = 0; i < n; i++)
    scratch[i] = 1.0f;
  run->request->sampler->scale_input (t->solver, grid_i, scratch, scratch + n);
  return scratch[n];
}

/* The clean latent is a times the latent plus b times the prediction. */
static void
clean_factors (const PmtRun *run, const PmtTrack *t, int grid_i, float *scratch, size_t n, float *a, float *b)
{
  float *zeros = scratch, *ones = scratch + n, *out = scratch + 2 * n;
  for (size_t i = 0; i < n; i++) {
    zeros[i] = 0.0f;
    ones[i] = 1.0f;
  }
  run->request->sampler->denoised (t->solver, grid_i, zeros, ones, out);
  *a = out[0];
  run->request->sampler->denoised (t->solver, grid_i, ones, zeros, out);
  *b = out[0];
}

typedef struct Pass {
  PmtRun *run;
  PmtTrack *track;
  PmtGradient *gradient;
  PmtProbing probing;
  PmtTape *tape;
  PmtTensor latent, context; /* leaves; the context is the first row's */
  PmtStep step;
} Pass;

static gboolean
add_row (Pass *pass, int track, const char *role, float factor, GError **error)
{
  PmtRow *row = pmt_run_add_row (pass->run, &pass->step, track, error);
  if (!row)
    return FALSE;
  row->latent = factor == 1.0f ? pass->latent : pmt_scale (&pass->run->ctx, pass->latent, factor);
  const bool first = pass->step.rows.n == 1;
  if (first)
    row->context = pass->context;
  if (strcmp (role, PMT_ROW_COND) == 0)
    return TRUE;
  row->role = role;
  if (!first)
    row->context = pass->track->negative;
  row->pooled = pass->track->negative_pooled;
  row->time_ids = pass->run->negative_time_ids;
  if (row->context.data)
    return TRUE;
  g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INTERNAL,
                       "A gradient with guidance was asked for in a run without a negative prompt; set the guidance above 1.");
  return FALSE;
}

static void
probe (Pass *pass, PmtProbedKind kind, PmtTensor value)
{
  PmtProbed probed = { .kind = kind, .value = value };
  if (value.data)
    g_array_append_val (pass->probing.probed, probed);
}

/* From the rows' predictions to the picture, as far as it is wanted. */
static void
probe_outputs (Pass *pass, const float *clean)
{
  PmtContext *ctx = &pass->run->ctx;
  const PmtGradient *g = pass->gradient;
  if (!wants_outputs (g))
    return;
  PmtTensor e = pass->step.rows.row[0].prediction;
  if (pass->step.rows.n > 1)
    e = pmt_add (ctx, pmt_scale (ctx, e, (float) g->guidance), pmt_scale (ctx, pass->step.rows.row[1].prediction, (float) (1.0 - g->guidance)));
  if (g->prediction)
    probe (pass, PMT_PROBED_PREDICTION, e);
  if (!g->clean && !g->picture && !g->beyond)
    return;
  PmtTensor x = pmt_add (ctx, pmt_scale (ctx, pass->latent, clean[0]), pmt_scale (ctx, e, clean[1]));
  if (g->clean)
    probe (pass, PMT_PROBED_CLEAN, x);
  if (!g->picture && !g->beyond)
    return;
  PmtTensor picture = pmt_vae_decode (ctx, pass->run->vae, x);
  if (g->picture)
    probe (pass, PMT_PROBED_PICTURE, picture);
  if (g->beyond)
    probe (pass, PMT_PROBED_BEYOND, g->beyond (g->user, ctx, picture));
}

static gboolean
forward (Pass *pass, int track, GError **error)
{
  PmtRun *run = pass->run;
  const PmtGradient *g = pass->gradient;
  const size_t n = (size_t) pmt_tensor_size (pass->track->latent);
  float *scratch = pmt_arena_alloc (run->ctx.step, 3 * n * sizeof (float), error), clean[2];
  if (!scratch)
    return FALSE;
  const float factor = shown_factor (run, pass->track, pass->step.grid_i, scratch, n);
  clean_factors (run, pass->track, pass->step.grid_i, scratch, n, &clean[0], &clean[1]);
  const bool guided = wants_outputs (g) && g->guidance != 0 && g->guidance != 1;
  if (!add_row (pass, track, g->negative ? PMT_ROW_UNCOND : PMT_ROW_COND, factor, error) ||
      (guided && !add_row (pass, track, PMT_ROW_UNCOND, factor, error)))
    return FALSE;
  /* One row at a time: stacked rows would be copies that the tape does not see through. */
  PmtRunner *runner = (PmtRunner *) run;
  const int rows_per_call = runner->rows_per_call;
  runner->rows_per_call = 1;
  const gboolean ok = pmt_run_predict (run, &pass->step, error);
  runner->rows_per_call = rows_per_call;
  if (!ok)
    return FALSE;
  probe_outputs (pass, clean);
  return pmt_runner_check (run, error);
}

static gboolean
backward (Pass *pass, GError **error)
{
  PmtContext *ctx = &pass->run->ctx;
  PmtGradient *g = pass->gradient;
  PmtProbed *probed = (PmtProbed *) pass->probing.probed->data;
  const int n = (int) pass->probing.probed->len;
  g_autofree PmtTensor *of = g_new (PmtTensor, n + 1), *seeds = g_new (PmtTensor, n + 1);
  ctx->tape = NULL;
  for (int i = 0; i < n; i++) {
    of[i] = probed[i].value;
    seeds[i] = probed[i].gradient = pmt_tensor_zeros (ctx, probed[i].value.shape);
  }
  if (!pmt_runner_check (pass->run, error) || (!ctx->dry && !g->loss (g->user, pass->run, probed, n, &g->value, error)))
    return FALSE;
  ctx->tape = pass->tape;
  pmt_tape_backward_several (ctx, of, seeds, n);
  ctx->tape = NULL;
  return pmt_runner_check (pass->run, error);
}

/* What arrived at a leaf; zeros where nothing did. */
static void
take (const PmtContext *ctx, const PmtTape *tape, PmtTensor leaf, PmtTensor into)
{
  PmtTensor got = pmt_tape_gradient (tape, leaf);
  const size_t size = (size_t) pmt_tensor_size (into) * sizeof (float);
  if (ctx->dry)
    return;
  if (got.data)
    memcpy (into.data, got.data, size);
  else
    memset (into.data, 0, size);
}

static gboolean
refuse_whole_batch (const PmtRun *run, GError **error)
{
  for (int i = 0; i < run->n_methods; i++)
    if (run->methods[i]->whole_batch) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                   _("The method %s compares rows of one evaluation and cannot be used with a method that follows a gradient; leave one of them out."),
                   run->methods[i]->id);
      return FALSE;
    }
  return TRUE;
}

/* Something has to be looked at. */
static gboolean
check_looks (Pass *pass, GError **error)
{
  PmtProbing *probing = &pass->probing;
  probing->attentions = count_attentions (pass->run, probing);
  if (probing->attentions > 0 || probing->to_the_end)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("The model '%s' has no attention of the kind that a method of this run looks at; use another model or leave the method out."),
               pmt_model_path (pass->run->model));
  return FALSE;
}

gboolean
pmt_run_gradient (PmtRun *run, const PmtStep *at, int track, PmtGradient *g, GError **error)
{
  PmtRunner *runner = (PmtRunner *) run;
  PmtContext *ctx = &run->ctx;
  PmtTrack *t = run->tracks[track];
  if (!g->apart && !refuse_whole_batch (run, error))
    return FALSE;
  g->value = 0;
  g->latent = pmt_tensor_new (ctx, t->latent.shape);
  const PmtTensor said = g->negative ? t->negative : t->context;
  g->context = g->to_context ? pmt_tensor_new (ctx, said.shape) : PMT_NO_TENSOR;
  if (!pmt_runner_check (run, error))
    return FALSE;
  PmtArenaMark mark = pmt_arena_mark (ctx->step);
  Pass pass = { .run = run, .track = t, .gradient = g, .tape = pmt_tape_new (),
                .probing = { .gradient = g, .probed = g_array_new (FALSE, FALSE, sizeof (PmtProbed)),
                             .to_the_end = g->wants_residual || wants_outputs (g) },
                .step = { .i = at->i, .n = at->n, .grid_i = at->grid_i, .timestep = at->timestep, .sigma = at->sigma } };
  pass.latent = pmt_tape_leaf (pass.tape, t->latent);
  pass.context = g->to_context ? pmt_tape_leaf (pass.tape, said) : said;
  ctx->tape = pass.tape;
  runner->probing = &pass.probing;
  gboolean ok = check_looks (&pass, error) && forward (&pass, track, error);
  runner->probing = NULL;
  ok = ok && backward (&pass, error);
  ctx->tape = NULL;
  if (ok) {
    take (ctx, pass.tape, pass.latent, g->latent);
    if (g->to_context)
      take (ctx, pass.tape, pass.context, g->context);
  }
  pmt_rows_clear (&pass.step.rows);
  g_array_unref (pass.probing.probed);
  pmt_tape_free (pass.tape);
  pmt_arena_release (ctx->step, mark);
  return ok;
}

int
pmt_gradient_step_begun (const PmtRun *run, const PmtStep *step)
{
  const int order = run->grid->order;
  return step->grid_i % order == 0 ? step->i / order : -1;
}
