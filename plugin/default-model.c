/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/default-model.h"

#include <libgimp/gimp.h>

#include "plugin/edit.h"
#include "plugin/fill.h"
#include "plugin/generate.h"
#include "plugin/last-settings.h"

static const char *const fills[] = { PMT_PROCEDURE_FILL,          "plug-in-pentimento-expand",
                                     "plug-in-pentimento-add",    "plug-in-pentimento-remove",
                                     "plug-in-pentimento-refine", "plug-in-pentimento-replace-background" };

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
pmt_default_model_set (const char *path, const char *use, GError **error)
{
  if (g_str_equal (use, "edit"))
    return set_for (PMT_PROCEDURE_EDIT, path, error);
  for (gsize i = 0; i < G_N_ELEMENTS (fills); i++)
    if (!set_for (fills[i], path, error))
      return FALSE;
  return g_str_equal (use, "inpaint") || set_for (PMT_PROCEDURE_GENERATE, path, error);
}
