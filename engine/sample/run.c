/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/run.h"

#include "engine/base/memory.h"
#include "engine/sample/runner.h"

/* What a run needs, from a dry one. */
typedef struct Need {
  size_t memory, step; /* peaks of the two arenas */
  size_t extra_total, extra_missing; /* memory of the extras, and what of it is not loaded */
  double flops;
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
execute (PmtRunner *runner, PmtResult *result, GError **error)
{
  if (!pmt_runner_open (runner, error) || !pmt_runner_load (runner, error))
    return FALSE;
  pmt_runner_watch (runner);
  return pmt_runner_prediction (runner, error) && pmt_runner_text (runner, error) && pmt_runner_start (runner, error) && pmt_runner_sample (runner, error) &&
         pmt_runner_decode (runner, result, error);
}

/* What memory may decide. */
typedef struct Way {
  int rows_per_call; /* 0 = all; never changes the picture */
  bool tiled;        /* the autoencoder works in tiles; changes the picture a little */
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
                     .flops = runner.run.ctx.flops, .evaluations = runner.evaluations,
                     .many_rows = runner.evaluations > runner.steps_done, .vae = pmt_vae_used (vae) };
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
  return (Way) { request->rows_per_call, request->vae_tiling == PMT_VAE_TILING_ON };
}

static bool
may_tile (const PmtRequest *request)
{
  const PmtVaeConfig *vae = pmt_model_vae_config (request->model);
  const int factor = pmt_vae_factor (vae);
  return request->vae_tiling == PMT_VAE_TILING_AUTO && pmt_vae_tiling_helps (vae, request->height / factor, request->width / factor);
}

gboolean
pmt_run_cost_one (const PmtRequest *request, PmtCost *cost, GError **error)
{
  Need need;
  size_t total, missing;
  if (!measure (request, first_way (request), &need, error) ||
      !pmt_model_run_bytes (request->model, pmt_request_unet (request), need.vae, &total, &missing, error))
    return FALSE;
  const Way tiled = { request->rows_per_call, true };
  if (need.memory + need.step + missing + need.extra_missing > room_for (request) && may_tile (request) &&
      !measure (request, tiled, &need, error))
    return FALSE;
  *cost = (PmtCost) { .activation_bytes = need.memory + need.step, .weight_bytes = total + need.extra_total, .flops = need.flops,
                      .evaluations = need.evaluations };
  return TRUE;
}

/* Decides how many rows go into one network call and whether the autoencoder works in tiles, and refuses a run that does not fit, before
 * anything heavy is loaded. */
static gboolean
fit (const PmtRequest *request, Way *way, Need *need, GError **error)
{
  size_t total, missing;
  *way = first_way (request);
  pmt_extras_begin (pmt_model_extras (request->model));
  if (!measure (request, *way, need, error) ||
      !pmt_model_run_bytes (request->model, pmt_request_unet (request), need->vae, &total, &missing, error))
    return FALSE;
  pmt_extras_sweep (pmt_model_extras (request->model));
  missing += need->extra_missing;
  const size_t room = room_for (request);
  const bool singly = way->rows_per_call == 0 && need->many_rows && !need->whole_batch, tiles = may_tile (request);
  const Way ways[] = { { 1, way->tiled }, { way->rows_per_call, true }, { 1, true } };
  const bool possible[] = { singly, tiles, singly && tiles };
  for (guint i = 0; i < G_N_ELEMENTS (ways) && need->memory + need->step + missing > room; i++) {
    if (!possible[i])
      continue;
    *way = ways[i];
    if (!measure (request, *way, need, error))
      return FALSE;
  }
  if (need->memory + need->step + missing <= room)
    return TRUE;
  g_autofree char *wanted = g_format_size_full (need->memory + need->step + missing, G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *there = g_format_size_full (room, G_FORMAT_SIZE_IEC_UNITS);
  g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY,
               _("A picture of %d x %d pixels with the model '%s' needs %s of memory and %s are free; make the picture smaller or close "
                 "other programs."),
               request->width, request->height, pmt_model_path (request->model), wanted, there);
  return FALSE;
}

gboolean
pmt_run_one (const PmtRequest *request, PmtResult *result, GError **error)
{
  Need need;
  Way way;
  *result = (PmtResult) { 0 };
  if (!fit (request, &way, &need, error))
    return FALSE;
  /* The arenas are as large as the dry run said, so the computed peak is also kept. */
  PmtRunner runner = { .run.request = request, .rows_per_call = way.rows_per_call, .tiled = way.tiled, .memory_limit = need.memory, .step_limit = need.step, .needs_vae = need.vae,
                       .flops = need.flops };
  gboolean ok = execute (&runner, result, error);
  if (ok)
    result->peak_bytes = pmt_arena_peak (runner.run.memory) + pmt_arena_peak (runner.run.ctx.step);
  else
    pmt_result_clear (result);
  pmt_runner_close (&runner);
  return ok;
}
