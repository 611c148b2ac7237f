/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "engine/base/cpu.h"
#include "engine/kernels/kernels.h"
#include "engine/sample/runner.h"
#include "engine/sample/weight_set.h"

/* The timestep that `part` of the noise levels ends at (formats.md 7.11). */
static double
cut_of (const PmtSchedule *schedule, double part)
{
  const double steps = schedule->config.train_steps;
  return rint (steps - part * steps);
}

static gboolean
cut_grid (PmtRun *run, GError **error)
{
  const PmtRequest *q = run->request;
  const PmtGrid *grid = run->grid;
  run->last = grid->n;
  if (q->denoising_end == 0 || q->denoising_end == 1)
    return TRUE;
  const double cut = cut_of (run->schedule, q->denoising_end);
  for (run->last = 0; run->last < grid->n && grid->timestep[run->last] >= cut;)
    run->last++;
  return run->last > 0 || pmt_refuse (error, PMT_ERROR_INPUT, _("The first %g of the noise levels have none of %d steps; take more steps."),
                                  q->denoising_end, q->steps);
}

int
pmt_run_first_of_part (const PmtRun *run, double start)
{
  const PmtGrid *grid = run->grid;
  const double cut = cut_of (run->schedule, start);
  int left = 0;
  for (int i = 0; i < grid->n; i++)
    left += grid->timestep[i] < cut;
  /* A step of two evaluations is not cut in two. */
  if (grid->order == 2 && left % 2 == 0 && left < grid->n)
    left++;
  return grid->n - left;
}

bool
pmt_run_goes_on (const PmtRun *run, int at)
{
  return at == run->last && run->last < run->grid->n;
}

/* Networks with further input channels need what these show, and others cannot use it. */
static gboolean
check_channels (const PmtRun *run, GError **error)
{
  const PmtRequest *q = run->request;
  const int c = run->latent_channels, n = run->unet_channels;
  const char *path = pmt_model_path (run->model);
  if (n != c && n != c + 1 && n != 2 * c && n != 2 * c + 1)
    return pmt_refuse (error, PMT_ERROR_UNSUPPORTED,
                   _("The unet of '%s' takes %d channels, and this version runs those with %d (text to image), %d (depth), %d "
                     "(instructions) or %d (inpainting); choose such a model."),
                   path, n, c, c + 1, 2 * c, 2 * c + 1);
  if (q->edit && n != 2 * c)
    return pmt_refuse (error, PMT_ERROR_UNSUPPORTED,
                   _("The model '%s' paints what a text describes and follows no instructions; choose one that was made for them, such as "
                     "InstructPix2Pix, which the plug-in's Models dialog offers under Get More."),
                   path);
  if (q->edit && !q->image)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("There is an instruction and no picture to follow it on; give the picture."));
  if (!q->edit && n == 2 * c)
    return pmt_refuse (error, PMT_ERROR_UNSUPPORTED,
                   _("The model '%s' changes pictures by instructions and does nothing else; give it to the task edit, or choose another "
                     "model."),
                   path);
  if (n == c + 1 && !q->depth)
    return pmt_refuse (error, PMT_ERROR_INPUT,
                   _("The model '%s' draws what a depth map tells; give the map as a control of type depth that has no model of its own."),
                   path);
  if (n != c + 1 && q->depth)
    return pmt_refuse (error, PMT_ERROR_UNSUPPORTED,
                   _("The model '%s' takes no depth map: its unet has %d channels; give the control of type depth a ControlNet or "
                     "T2I-Adapter, or choose a depth model."),
                   path, n);
  return TRUE;
}

static gboolean
check_request (const PmtRun *run, GError **error)
{
  const PmtRequest *q = run->request;
  const int multiple = pmt_model_size_multiple (run->model);
  if (q->width < multiple || q->height < multiple || q->width % multiple || q->height % multiple || q->width > 16384 ||
      q->height > 16384)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("A picture of %d x %d pixels cannot be made; both sides have to be multiples of %d up to 16384."),
                   q->width, q->height, multiple);
  if (q->mask && !q->image)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("There is a mask and no picture that it belongs to; give the picture too."));
  if (!(q->strength > 0 && q->strength <= 1))
    return pmt_refuse (error, PMT_ERROR_INPUT, _("The strength is %g and has to be above 0 and at most 1."), q->strength);
  if (!(q->denoising_start >= 0 && q->denoising_start < 1 && q->denoising_end >= 0 && q->denoising_end <= 1 &&
        (q->denoising_end == 0 || q->denoising_start < q->denoising_end)))
    return pmt_refuse (error, PMT_ERROR_INPUT,
                   _("The part of the noise levels to go through is from %g to %g; both have to be from 0 to 1 and the first the smaller one."),
                   q->denoising_start, q->denoising_end);
  if (q->denoising_start > 0 && !q->image && !q->latent)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("A run that starts at %g of the noise levels goes on from something; give a picture."),
                   q->denoising_start);
  if (!(q->guidance >= 0 && q->guidance <= 1000))
    return pmt_refuse (error, PMT_ERROR_INPUT, _("The guidance is %g and has to be from 0 to 1000."), q->guidance);
  if (!(q->eta <= 1))
    return pmt_refuse (error, PMT_ERROR_INPUT, _("eta is %g and has to be from 0 to 1."), q->eta);
  return check_channels (run, error);
}

/* ---- methods ---------------------------------------------------------------------------------------------------------- */

static void
add_method (PmtRunner *runner, const PmtMethod *method, const PmtParamValues **values, const PmtParamValues *given)
{
  PmtRun *run = &runner->run;
  int at = run->n_methods++;
  while (at > 0 && run->methods[at - 1]->order > method->order) {
    run->methods[at] = run->methods[at - 1];
    values[at] = values[at - 1];
    at--;
  }
  run->methods[at] = method;
  values[at] = given;
}

static bool
has_method (const PmtRun *run, const char *id)
{
  for (int i = 0; i < run->n_methods; i++)
    if (strcmp (run->methods[i]->id, id) == 0)
      return true;
  return false;
}

bool
pmt_request_replaces (const PmtRequest *q, const char *id)
{
  for (int i = 0; i < q->n_methods; i++) {
    const char *const *ids = q->methods[i].method->replaces;
    if (ids && g_strv_contains (ids, id))
      return true;
  }
  return false;
}

char *
pmt_request_shown (const PmtRequest *q)
{
  char *words = NULL;
  for (int i = 0; i < q->n_methods && !words; i++)
    if (q->methods[i].method->shown)
      words = q->methods[i].method->shown (q, &q->methods[i].values);
  return words;
}

static gboolean
check_conflicts (const PmtRun *run, GError **error)
{
  for (int i = 0; i < run->n_methods; i++) {
    const PmtMethod *m = run->methods[i];
    for (int k = 0; m->conflicts && m->conflicts[k]; k++)
      if (has_method (run, m->conflicts[k]))
        return pmt_refuse (error, PMT_ERROR_INPUT, _("The methods %s and %s cannot be used together; leave one of them out."), m->id,
                       m->conflicts[k]);
  }
  return TRUE;
}

static gboolean
choose_methods (PmtRunner *runner, GError **error)
{
  PmtRun *run = &runner->run;
  const PmtRequest *q = run->request;
  int most = q->n_methods;
  for (int i = 0; pmt_methods[i]; i++)
    most++;
  run->methods = g_new0 (const PmtMethod *, most + 1);
  run->states = g_new0 (void *, most + 1);
  runner->values = g_new0 (PmtParamValues, most + 1);
  runner->extras = g_ptr_array_new ();
  g_autofree const PmtParamValues **values = g_new0 (const PmtParamValues *, most + 1);

  for (int i = 0; i < q->n_methods; i++) {
    if (has_method (run, q->methods[i].method->id))
      return pmt_refuse (error, PMT_ERROR_INPUT, _("The method %s is asked for twice; leave one of them out."), q->methods[i].method->id);
    add_method (runner, q->methods[i].method, values, &q->methods[i].values);
  }
  for (int i = 0; pmt_methods[i]; i++) {
    const PmtMethod *m = pmt_methods[i];
    if (!m->implied || !m->implied (run) || has_method (run, m->id) || pmt_request_replaces (q, m->id))
      continue;
    PmtParamValues *own = &runner->values[i];
    pmt_param_values_init (own, m->params);
    add_method (runner, m, values, own);
  }
  if (!check_conflicts (run, error))
    return FALSE;
  for (int i = 0; i < run->n_methods; i++) {
    if (!run->methods[i]->state_new)
      continue;
    GError *failed = NULL;
    run->states[i] = run->methods[i]->state_new (run, values[i], &failed);
    if (failed) {
      g_propagate_error (error, failed);
      return FALSE;
    }
  }
  /* Methods that compare rows get all of them, however few the request would like to have at a time. */
  for (int i = 0; i < run->n_methods; i++)
    if (run->methods[i]->whole_batch)
      runner->rows_per_call = 0;
  return TRUE;
}

/* ---- memory ----------------------------------------------------------------------------------------------------------- */

static PmtArena *
reserve (const char *name, size_t limit, bool dry, GError **error)
{
  return dry ? pmt_arena_new_dry (name, error) : pmt_arena_new (name, limit, error);
}

static gboolean
open_memory (PmtRunner *runner, GError **error)
{
  PmtRun *run = &runner->run;
  PmtCpuLevel level;
  if (!pmt_cpu_select (&level, error))
    return FALSE;
  run->memory = reserve ("the run", runner->memory_limit, runner->dry, error);
  if (!run->memory)
    return FALSE;
  run->ctx.step = reserve ("the network's activations", runner->step_limit, runner->dry, error);
  if (!run->ctx.step)
    return FALSE;
  run->ctx.kernels = pmt_kernels_get (level);
  run->ctx.cancel = run->request->cancel;
  run->ctx.dry = runner->dry;
  return TRUE;
}

gboolean
pmt_runner_open (PmtRunner *runner, GError **error)
{
  PmtRun *run = &runner->run;
  const PmtRequest *q = run->request;
  run->model = q->model;
  run->prompt = q->prompt;
  run->latent_channels = pmt_model_vae_config (run->model)->latent_channels;
  run->unet_choice = pmt_request_unet (q);
  run->unet_channels = pmt_model_unet_channels (run->model, run->unet_choice);
  if (!check_request (run, error))
    return FALSE;
  const int factor = pmt_vae_factor (pmt_model_vae_config (run->model));
  run->latent_width = q->width / factor;
  run->latent_height = q->height / factor;
  if (!runner->dry && q->progress && !pmt_preview_map (run->model, &runner->preview_map, error))
    return FALSE;
  run->schedule = pmt_schedule_new (pmt_model_schedule (run->model), error);
  const double strength = q->denoising_start == 0 && (q->image || q->latent) && !q->edit ? q->strength : 1.0;
  run->grid = run->schedule ? q->sampler->grid (run->schedule, q->steps, strength, error) : NULL;
  return run->grid && cut_grid (run, error) && open_memory (runner, error) && choose_methods (runner, error);
}

void
pmt_runner_close (PmtRunner *runner)
{
  PmtRun *run = &runner->run;
  pmt_runner_drop_sets (run);
  pmt_runner_close_prompts (runner);
  for (int i = run->n_methods - 1; i >= 0; i--)
    if (run->states[i] && run->methods[i]->state_free)
      run->methods[i]->state_free (run->states[i]);
  for (int i = 0; pmt_methods[i] && runner->values; i++)
    pmt_param_values_clear (&runner->values[i]);
  g_free (runner->values);
  g_clear_pointer (&runner->extras, g_ptr_array_unref);
  g_clear_pointer (&runner->notes, g_ptr_array_unref);
  pmt_runner_drop_maps (runner);
  g_free (runner->preview);
  g_free (run->methods);
  g_free (run->states);
  for (int i = 0; i < run->n_tracks; i++) {
    pmt_solver_free (run->tracks[i]->solver);
    g_free (run->tracks[i]);
  }
  g_free (run->tracks);
  g_clear_error (&run->ctx.error);
  pmt_arena_free (run->ctx.step);
  pmt_arena_free (run->memory);
  pmt_grid_free (run->grid);
  pmt_schedule_free (run->schedule);
}

gboolean
pmt_runner_load (PmtRunner *runner, GError **error)
{
  PmtRun *run = &runner->run;
  const PmtCancel *cancel = run->request->cancel;
  run->ctx.weight_set = run->weight_set;
  run->n_texts = pmt_model_n_texts (run->model);
  for (int k = 0; k < run->n_texts; k++)
    if (!(run->tokenizers[k] = pmt_model_tokenizer_at (run->model, k, error)))
      return FALSE;
  if (runner->dry) {
    for (int k = 0; k < run->n_texts; k++)
      if (!(run->texts[k] = pmt_model_text_dry_at (run->model, k, error)))
        return FALSE;
    run->vae = pmt_model_vae_dry (run->model, error);
    run->unet = run->vae ? pmt_model_unet_dry (run->model, run->unet_choice, error) : NULL;
    return run->unet != NULL;
  }
  const int parts = 1 + runner->needs_vae + run->n_texts + (int) runner->extras->len;
  int done = 0;
  pmt_runner_report (runner, PMT_STAGE_LOAD, done, parts, PMT_NO_TENSOR);
  for (int k = 0; k < run->n_texts; k++) {
    if (!(run->texts[k] = pmt_model_text_at (run->model, k, cancel, error)))
      return FALSE;
    pmt_runner_report (runner, PMT_STAGE_LOAD, ++done, parts, PMT_NO_TENSOR);
  }
  run->vae = runner->needs_vae ? pmt_model_vae (run->model, cancel, error) : pmt_model_vae_dry (run->model, error);
  if (!run->vae)
    return FALSE;
  if (runner->needs_vae)
    pmt_runner_report (runner, PMT_STAGE_LOAD, ++done, parts, PMT_NO_TENSOR);
  run->unet = pmt_model_unet (run->model, run->unet_choice, cancel, error);
  if (!run->unet)
    return FALSE;
  pmt_runner_report (runner, PMT_STAGE_LOAD, ++done, parts, PMT_NO_TENSOR);
  for (guint i = 0; i < runner->extras->len; i++) {
    if (!pmt_extra_load (runner->extras->pdata[i], cancel, error))
      return FALSE;
    pmt_runner_report (runner, PMT_STAGE_LOAD, ++done, parts, PMT_NO_TENSOR);
  }
  return pmt_runner_use_sets (run, error);
}
