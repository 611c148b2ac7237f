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

static gboolean
measure (const PmtRequest *request, int rows_per_call, Need *need, GError **error)
{
  PmtRunner runner = { .run.request = request, .dry = true, .rows_per_call = rows_per_call };
  gboolean ok = execute (&runner, NULL, error);
  if (ok) {
    *need = (Need) { .memory = pmt_arena_peak (runner.run.memory), .step = pmt_arena_peak (runner.run.ctx.step),
                     .flops = runner.run.ctx.flops, .evaluations = runner.evaluations,
                     .many_rows = runner.evaluations > runner.steps_done };
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

gboolean
pmt_run_cost_one (const PmtRequest *request, PmtCost *cost, GError **error)
{
  Need need;
  size_t total, missing;
  if (!measure (request, request->rows_per_call, &need, error) ||
      !pmt_model_run_bytes (request->model, pmt_request_unet (request), &total, &missing, error))
    return FALSE;
  *cost = (PmtCost) { .activation_bytes = need.memory + need.step, .weight_bytes = total + need.extra_total, .flops = need.flops,
                      .evaluations = need.evaluations };
  return TRUE;
}

/* Decides how many rows go into one network call and refuses a run that does not fit, before anything heavy is loaded. */
static gboolean
fit (const PmtRequest *request, int *rows_per_call, Need *need, GError **error)
{
  size_t total, missing;
  if (!pmt_model_run_bytes (request->model, pmt_request_unet (request), &total, &missing, error))
    return FALSE;
  *rows_per_call = request->rows_per_call;
  pmt_extras_begin (pmt_model_extras (request->model));
  if (!measure (request, *rows_per_call, need, error))
    return FALSE;
  pmt_extras_sweep (pmt_model_extras (request->model));
  missing += need->extra_missing;
  const size_t room = request->memory_limit ? request->memory_limit : pmt_memory_available ();
  if (need->memory + need->step + missing > room && *rows_per_call == 0 && need->many_rows && !need->whole_batch) {
    *rows_per_call = 1;
    if (!measure (request, 1, need, error))
      return FALSE;
  }
  if (need->memory + need->step + missing <= room)
    return TRUE;
  g_autofree char *wanted = g_format_size_full (need->memory + need->step + missing, G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *there = g_format_size_full (room, G_FORMAT_SIZE_IEC_UNITS);
  g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY,
               "A picture of %d x %d pixels with the model '%s' needs %s of memory and %s are free; make the picture smaller or close "
               "other programs.",
               request->width, request->height, pmt_model_path (request->model), wanted, there);
  return FALSE;
}

gboolean
pmt_run_one (const PmtRequest *request, PmtResult *result, GError **error)
{
  Need need;
  int rows_per_call;
  *result = (PmtResult) { 0 };
  if (!fit (request, &rows_per_call, &need, error))
    return FALSE;
  /* The arenas are as large as the dry run said, so the computed peak is also kept. */
  PmtRunner runner = { .run.request = request, .rows_per_call = rows_per_call, .memory_limit = need.memory, .step_limit = need.step,
                       .flops = need.flops };
  gboolean ok = execute (&runner, result, error);
  if (ok)
    result->peak_bytes = pmt_arena_peak (runner.run.memory) + pmt_arena_peak (runner.run.ctx.step);
  else
    pmt_result_clear (result);
  pmt_runner_close (&runner);
  return ok;
}
