/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "engine/job/private.h"
#include "engine/weights/config.h"

#define RECOMMENDATIONS "pentimento.json"

gboolean
pmt_job_choose (const PmtJob *job, PmtModel *model, PmtJobChoice *choice, GError **error)
{
  g_autofree char *path = g_build_filename (pmt_model_path (model), RECOMMENDATIONS, NULL);
  const PmtJobUsual usual = pmt_job_usual (model);
  const char *sampler = usual.sampler;
  JsonObject *config = NULL;
  gboolean good = TRUE;

  choice->steps = usual.steps;
  choice->guidance = usual.guidance;
  choice->sampler = NULL;
  if (g_file_test (path, G_FILE_TEST_IS_REGULAR)) {
    config = pmt_config_load (path, error);
    good = config && pmt_config_int (config, "steps", usual.steps, &choice->steps, error) &&
           pmt_config_double (config, "guidance", usual.guidance, &choice->guidance, error) &&
           pmt_config_string (config, "sampler", usual.sampler, &sampler, error);
    if (good && (choice->steps < 1 || choice->steps > 1000 || !(choice->guidance >= 0 && choice->guidance <= 50))) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("The file '%s' recommends steps or guidance out of range; correct it."), path);
      good = FALSE;
    }
  }
  if (good)
    choice->sampler = job->sampler ? job->sampler : pmt_sampler_find (sampler, error);
  /* a sampler that was asked for by name and works in few steps says in how many, unless it is the model's own */
  if (good && job->sampler && job->sampler->advised_steps > 0 && strcmp (job->sampler->id, usual.sampler) != 0) {
    choice->steps = job->sampler->advised_steps;
    choice->guidance = job->sampler->advised_guidance;
  }
  for (int i = 0; i < job->n_methods; i++)
    if (job->methods[i].method->advised_guidance > 0)
      choice->guidance = MIN (choice->guidance, job->methods[i].method->advised_guidance);
  if (job->steps > 0)
    choice->steps = job->steps;
  if (job->guidance >= 0)
    choice->guidance = job->guidance;
  g_clear_pointer (&config, json_object_unref);
  return good && choice->sampler != NULL;
}

gboolean
pmt_job_set_precision (const PmtJob *job, PmtModel *model, PmtModel *refiner, GError **error)
{
  PmtModel *const models[] = { model, refiner };

  for (gsize i = 0; i < G_N_ELEMENTS (models) && models[i]; i++) {
    GError *failed = NULL;
    PmtPrecision precision = job->precision >= 0 ? (PmtPrecision) job->precision : pmt_model_auto_precision (models[i], &failed);

    if (failed) {
      g_propagate_error (error, failed);
      return FALSE;
    }
    if (!pmt_model_set_precision (models[i], precision, error))
      return FALSE;
  }
  return TRUE;
}
