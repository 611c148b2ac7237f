/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/default-model.h"

#include <libgimp/gimp.h>

#include "plugin/edit.h"
#include "plugin/fill.h"
#include "plugin/generate.h"
#include "plugin/last-settings.h"

static gboolean
set_for (const char *name, const char *path, GError **error)
{
  GimpProcedure *procedure = gimp_pdb_lookup_procedure (gimp_get_pdb (), name);
  g_autoptr (GimpProcedureConfig) config = procedure ? gimp_procedure_create_config (procedure) : NULL;

  if (!config)
    return TRUE; /* not registered: nothing starts with a model then */
  pmt_last_settings_load (config);
  g_object_set (config, "model", path, NULL);
  return pmt_last_settings_save (config, error);
}

gboolean
pmt_default_model_set (const char *path, gboolean edit, GError **error)
{
  if (edit)
    return set_for (PMT_PROCEDURE_EDIT, path, error);
  return set_for (PMT_PROCEDURE_FILL, path, error) && set_for (PMT_PROCEDURE_GENERATE, path, error);
}
