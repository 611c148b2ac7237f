/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "engine/sample/runner.h"

#include <inttypes.h>

static void
free_maps (PmtMap *maps, int n)
{
  for (int i = 0; i < n; i++) {
    g_free (maps[i].name);
    g_free (maps[i].values);
  }
  g_free (maps);
}

void
pmt_runner_drop_maps (PmtRunner *runner)
{
  free_maps (runner->maps, runner->n_maps);
  runner->maps = NULL;
  runner->n_maps = 0;
}

void
pmt_run_add_map (PmtRun *run, const char *name, int width, int height, const float *values)
{
  PmtRunner *runner = (PmtRunner *) run;
  if (runner->dry)
    return;
  runner->maps = g_renew (PmtMap, runner->maps, runner->n_maps + 1);
  runner->maps[runner->n_maps++] = (PmtMap) { g_strdup (name), width, height,
                                              g_memdup2 (values, (gsize) width * (gsize) height * sizeof (float)) };
}

void
pmt_result_clear (PmtResult *result)
{
  free_maps (result->maps, result->n_maps);
  g_free (result->image);
  g_free (result->latent);
  g_strfreev (result->notes);
  *result = (PmtResult) { 0 };
}

void
pmt_run_note (PmtRun *run, const char *format, ...)
{
  PmtRunner *runner = (PmtRunner *) run;
  va_list args;
  if (runner->dry)
    return;
  if (!runner->notes)
    runner->notes = g_ptr_array_new_with_free_func (g_free);
  va_start (args, format);
  g_ptr_array_add (runner->notes, g_strdup_vprintf (format, args));
  va_end (args);
}

float *
pmt_result_array (int64_t n, GError **error)
{
  float *p = g_try_malloc ((size_t) n * sizeof (float));
  if (!p)
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("The picture needs %" PRId64 " bytes that are not there; make it smaller."),
                 n * (gint64) sizeof (float));
  return p;
}

static gboolean
fill_result (PmtRunner *runner, PmtTensor latent, PmtTensor picture, PmtResult *result, GError **error)
{
  const PmtRun *run = &runner->run;
  result->latent = pmt_result_array (pmt_tensor_size (latent), error);
  if (!result->latent)
    return FALSE;
  if (picture.data && !(result->image = pmt_result_array (pmt_tensor_size (picture), error)))
    return FALSE;
  result->width = run->request->width;
  result->height = run->request->height;
  result->latent_width = run->latent_width;
  result->latent_height = run->latent_height;
  result->latent_channels = run->latent_channels;
  result->vae_tiled = runner->tiled && pmt_vae_tiling_helps (pmt_vae_config (run->vae), run->latent_height, run->latent_width);
  memcpy (result->work, runner->work, sizeof result->work);
  memcpy (result->work_seconds, runner->work_seconds, sizeof result->work_seconds);
  result->steps_done = runner->steps_done;
  result->stopped_after = runner->stopped ? runner->steps_done : 0;
  if (runner->notes) {
    g_ptr_array_add (runner->notes, NULL);
    result->notes = (char **) g_ptr_array_free (g_steal_pointer (&runner->notes), FALSE);
  }
  result->maps = g_steal_pointer (&runner->maps);
  result->n_maps = runner->n_maps;
  runner->n_maps = 0;
  result->prompt_tokens_cut = runner->prompt_tokens_cut;
  result->negative_tokens_cut = run->negative_tokens_cut;
  result->prediction = run->schedule->config.prediction;
  pmt_nhwc_to_nchw (latent.data, result->latent, 1, run->latent_channels, run->latent_height, run->latent_width);
  for (int64_t i = 0; i < pmt_tensor_size (picture); i++) {
    const float p = 0.5f * picture.data[i] + 0.5f;
    result->image[i] = p > 0.0f ? MIN (p, 1.0f) : 0.0f; /* NaN gives 0 */
  }
  return TRUE;
}

PmtTensor
pmt_runner_picture (PmtRunner *runner, PmtTensor latent)
{
  PmtRun *run = &runner->run;
  for (int i = 0; i < run->n_methods; i++)
    if (run->methods[i]->decode)
      return run->methods[i]->decode (run->states[i], run, latent);
  return runner->tiled ? pmt_vae_decode_tiled (&run->ctx, run->vae, latent) : pmt_vae_decode (&run->ctx, run->vae, latent);
}

gboolean
pmt_runner_decode (PmtRunner *runner, PmtResult *result, GError **error)
{
  PmtRun *run = &runner->run;
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  PmtTensor latent = run->tracks[run->result_track]->latent;
  pmt_runner_report (runner, PMT_STAGE_DECODE, 0, 0, PMT_NO_TENSOR);
  PmtTensor picture = run->request->latent_only ? PMT_NO_TENSOR : pmt_runner_picture (runner, latent);
  gboolean ok = pmt_runner_check (run, error);
  if (ok && !runner->dry) {
    ok = fill_result (runner, latent, picture, result, error);
    runner->progress.fraction = 1.0;
    if (ok)
      pmt_runner_report (runner, PMT_STAGE_DECODE, 1, 1, PMT_NO_TENSOR);
  }
  pmt_arena_release (run->ctx.step, mark);
  return ok;
}
