/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/run.h"

#include <string.h>

#include "engine/base/memory.h"
#include "engine/sample/runner.h"

/* What a run needs, from a dry one. */
typedef struct Need {
  size_t memory, step; /* peaks of the two arenas */
  size_t step_text, step_sample; /* of the second, before sampling and before decoding */
  bool late_text;
  size_t extra_total, extra_missing; /* memory of the extras, and what of it is not loaded */
  double flops, work[PMT_WORKS];
  int evaluations;
  bool whole_batch, many_rows;
  bool vae; /* something is encoded, or decoded by the model's own autoencoder */
} Need;

PmtUnetChoice
pmt_request_unet (const PmtRequest *request)
{
  if (request->edit)
    return PMT_UNET_FOR_EDIT;
  return request->fill && request->image && request->mask ? PMT_UNET_FOR_FILL : PMT_UNET_MAIN;
}

static gboolean
begin (PmtRunner *runner, GError **error)
{
  if (!pmt_runner_open (runner, error) || !pmt_runner_load (runner, error))
    return FALSE;
  pmt_runner_watch (runner);
  return pmt_runner_prediction (runner, error) && pmt_runner_text (runner, error) && pmt_runner_start (runner, error);
}

static gboolean
execute (PmtRunner *runner, PmtResult *result, GError **error)
{
  PmtRun *run = &runner->run;
  if (!begin (runner, error))
    return FALSE;
  runner->sampling = true;
  runner->step_text = pmt_arena_peak (run->ctx.step);
  if (!runner->dry && !runner->late_text)
    pmt_model_rest_texts (run->model);
  if (!pmt_runner_sample (runner, error))
    return FALSE;
  runner->step_sample = pmt_arena_peak (run->ctx.step);
  if (!runner->dry && runner->frugal)
    pmt_model_rest_unet (run->model, run->unet_choice);
  return pmt_runner_decode (runner, result, error);
}

/* What memory may decide. */
typedef struct Way {
  int rows_per_call; /* 0 = all; never changes the picture */
  bool tiled;        /* the autoencoder works in tiles; changes the picture a little */
  bool frugal;       /* the UNet's weights go before decoding, and are read again by the next run */
} Way;

static gboolean
measure (const PmtRequest *request, Way way, Need *need, GError **error)
{
  PmtRunner runner = { .run.request = request, .dry = true, .rows_per_call = way.rows_per_call, .tiled = way.tiled };
  PmtVae *vae = pmt_model_vae_dry (request->model, error);
  if (!vae)
    return FALSE;
  pmt_vae_forget_use (vae);
  gboolean ok = execute (&runner, NULL, error);
  if (ok) {
    *need = (Need) { .memory = pmt_arena_peak (runner.run.memory), .step = pmt_arena_peak (runner.run.ctx.step),
                     .step_text = runner.step_text, .step_sample = runner.step_sample, .late_text = runner.late_text,
                     .flops = runner.run.ctx.flops, .evaluations = runner.evaluations,
                     .many_rows = runner.evaluations > runner.steps_done, .vae = pmt_vae_used (vae) };
    memcpy (need->work, runner.work, sizeof need->work);
    for (int i = 0; i < runner.run.n_methods; i++)
      need->whole_batch = need->whole_batch || runner.run.methods[i]->whole_batch;
    for (guint i = 0; i < runner.extras->len; i++) {
      const PmtExtra *extra = runner.extras->pdata[i];
      need->extra_total += pmt_extra_bytes (extra);
      need->extra_missing += pmt_extra_loaded (extra) ? 0 : pmt_extra_bytes (extra);
    }
  }
  pmt_runner_close (&runner);
  return ok;
}

static size_t
room_for (const PmtRequest *request)
{
  return request->memory_limit ? request->memory_limit : pmt_memory_available ();
}

static Way
first_way (const PmtRequest *request)
{
  return (Way) { request->rows_per_call, request->vae_tiling == PMT_VAE_TILING_ON, false };
}

static bool
may_tile (const PmtRequest *request)
{
  const PmtVaeConfig *vae = pmt_model_vae_config (request->model);
  const int factor = pmt_vae_factor (vae);
  return request->vae_tiling == PMT_VAE_TILING_AUTO && pmt_vae_tiling_helps (vae, request->height / factor, request->width / factor);
}

/* How a run goes with the memory that there is. */
typedef struct Fit {
  Way way;
  Need need;
  size_t total, missing; /* weights: all, and those still to load */
  size_t texts, unet;    /* those of them that can go: text encoders' after the prompts, the UNet's before decoding */
  size_t room;
  bool fits;
} Fit;

/* Most of weights and arenas at one time, from the weights that are there before sampling. */
static size_t
most (const Fit *fit, size_t weights)
{
  const Need *n = &fit->need;
  const size_t before = weights + n->step_text, rested = n->late_text ? 0 : fit->texts;
  const size_t sampling = weights + n->step_sample - MIN (rested, weights + n->step_sample);
  const size_t gone = rested + (fit->way.frugal ? fit->unet : 0), decoding = weights + n->step - MIN (gone, weights + n->step);
  return n->memory + MAX (before, MAX (sampling, decoding));
}

static size_t
wanted (const Fit *fit)
{
  return most (fit, fit->missing);
}

/* Decides how many rows go into one network call, whether the UNet stays to the end and whether the autoencoder works in tiles. */
static gboolean
choose_way (const PmtRequest *request, Fit *fit, GError **error)
{
  const PmtUnetChoice unet = pmt_request_unet (request);
  fit->way = first_way (request);
  if (!measure (request, fit->way, &fit->need, error) ||
      !pmt_model_run_bytes (request->model, unet, fit->need.vae, &fit->total, &fit->missing, error) ||
      !pmt_model_rest_bytes (request->model, unet, &fit->texts, &fit->unet, error))
    return FALSE;
  fit->missing += fit->need.extra_missing;
  fit->room = room_for (request);
  const bool singly = fit->way.rows_per_call == 0 && fit->need.many_rows && !fit->need.whole_batch, tiles = may_tile (request);
  const bool frugal = fit->unet > 0;
  fit->way.frugal = frugal && request->once;
  const int rows = fit->way.rows_per_call;
  const bool tiled = fit->way.tiled;
  const struct {
    bool possible;
    Way way;
  } ways[] = {
    { singly, { 1, tiled, fit->way.frugal } }, { frugal, { rows, tiled, true } }, { frugal && singly, { 1, tiled, true } },
    { tiles, { rows, true, fit->way.frugal } }, { tiles && singly, { 1, true, fit->way.frugal } },
    { tiles && frugal, { rows, true, true } }, { tiles && singly && frugal, { 1, true, true } },
  };
  for (guint i = 0; i < G_N_ELEMENTS (ways) && wanted (fit) > fit->room; i++) {
    if (!ways[i].possible)
      continue;
    const bool other = ways[i].way.rows_per_call != fit->way.rows_per_call || ways[i].way.tiled != fit->way.tiled;
    fit->way = ways[i].way;
    if (other && !measure (request, fit->way, &fit->need, error))
      return FALSE;
  }
  fit->fits = wanted (fit) <= fit->room;
  return TRUE;
}

gboolean
pmt_run_cost_one (const PmtRequest *request, PmtCost *cost, GError **error)
{
  Fit fit;
  if (!choose_way (request, &fit, error))
    return FALSE;
  *cost = (PmtCost) { .activation_bytes = fit.need.memory + fit.need.step, .weight_bytes = fit.total + fit.need.extra_total,
                      .flops = fit.need.flops, .evaluations = fit.need.evaluations, .vae_tiled = fit.way.tiled, .fits = fit.fits };
  cost->memory_bytes = most (&fit, cost->weight_bytes);
  memcpy (cost->work, fit.need.work, sizeof cost->work);
  return TRUE;
}

gboolean
pmt_run_largest (const PmtRequest *request, int *width, int *height)
{
  const bool full = request->full.width > 0;
  const int whole_width = full ? request->full.width : request->width, whole_height = full ? request->full.height : request->height;
  const int multiple = pmt_model_size_multiple (request->model);
  const int long_side = MAX (whole_width, whole_height) / multiple;
  const int close = MAX (long_side / 48, 1); /* a little below what would just fit will do */
  int fits = 0, fails = long_side;
  for (int at = long_side / 4; fails - fits > close; at = (fits + fails) / 2) {
    PmtRequest smaller = *request;
    PmtCost cost;
    if (at < 1)
      return FALSE;
    const int w = MAX ((int) ((int64_t) whole_width * at / long_side) / multiple, 1) * multiple;
    const int h = MAX ((int) ((int64_t) whole_height * at / long_side) / multiple, 1) * multiple;
    *(full ? &smaller.full.width : &smaller.width) = w;
    *(full ? &smaller.full.height : &smaller.height) = h;
    if (pmt_run_cost (&smaller, &cost, NULL) && cost.fits) {
      fits = at;
      *width = w;
      *height = h;
    } else if (fits == 0) {
      return FALSE;
    } else {
      fails = at;
    }
  }
  return fits > 0;
}

static gboolean
refuse (const PmtRequest *request, const Fit *fit, GError **error)
{
  int width, height;
  g_autofree char *needed = g_format_size_full (wanted (fit), G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *there = g_format_size_full (fit->room, G_FORMAT_SIZE_IEC_UNITS);
  if (pmt_run_largest (request, &width, &height))
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY,
                 _("A picture of %d x %d pixels with the model '%s' needs %s of memory and %s are free; make it %d x %d pixels at most, or "
                   "close other programs."),
                 request->width, request->height, pmt_model_path (request->model), needed, there, width, height);
  else
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY,
                 _("A picture of %d x %d pixels with the model '%s' needs %s of memory and %s are free; close other programs, or choose a "
                   "smaller model."),
                 request->width, request->height, pmt_model_path (request->model), needed, there);
  return FALSE;
}

/* Refuses a run that does not fit, before anything heavy is loaded. */
static gboolean
fit_in (const PmtRequest *request, Fit *fit, GError **error)
{
  pmt_extras_begin (pmt_model_extras (request->model));
  if (!choose_way (request, fit, error))
    return FALSE;
  pmt_extras_sweep (pmt_model_extras (request->model));
  return fit->fits || refuse (request, fit, error);
}

gboolean
pmt_run_fits_one (const PmtRequest *request, GError **error)
{
  Fit fit;
  return choose_way (request, &fit, error) && (fit.fits || refuse (request, &fit, error));
}

gboolean
pmt_run_one (const PmtRequest *request, PmtResult *result, GError **error)
{
  Fit fit;
  *result = (PmtResult) { 0 };
  if (!fit_in (request, &fit, error))
    return FALSE;
  /* The arenas are as large as the dry run said, so the computed peak is also kept. */
  PmtRunner runner = { .run.request = request, .rows_per_call = fit.way.rows_per_call, .tiled = fit.way.tiled, .memory_limit = fit.need.memory,
                       .step_limit = fit.need.step, .needs_vae = fit.need.vae, .flops = fit.need.flops,
                       .frugal = fit.way.frugal, .late_text = fit.need.late_text };
  gboolean ok = execute (&runner, result, error);
  if (ok) {
    result->peak_bytes = pmt_arena_peak (runner.run.memory) + pmt_arena_peak (runner.run.ctx.step);
    result->memory_bytes = most (&fit, fit.total + fit.need.extra_total);
  } else {
    pmt_result_clear (result);
  }
  pmt_runner_close (&runner);
  return ok;
}
