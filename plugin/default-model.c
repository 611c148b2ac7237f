/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/default-model.h"

#include <libgimp/gimp.h>

#include "plugin/describe.h"
#include "plugin/edit.h"
#include "plugin/fill.h"
#include "plugin/generate.h"
#include "plugin/last-settings.h"
#include "plugin/learn.h"
#include "plugin/model-search.h"

static const char *const fills[] = { PMT_PROCEDURE_FILL,          "plug-in-pentimento-expand",
                                     "plug-in-pentimento-add",    "plug-in-pentimento-remove",
                                     "plug-in-pentimento-refine", "plug-in-pentimento-replace-background" };

static const char *const pictures[] = { PMT_PROCEDURE_GENERATE, PMT_PROCEDURE_DESCRIBE, PMT_PROCEDURE_LEARN };

/* but_for: NULL, or the use of models that stay where they are. */
static gboolean
set_for (const char *name, const char *path, const char *but_for, GError **error)
{
  GimpProcedure *procedure = gimp_pdb_lookup_procedure (gimp_get_pdb (), name);
  g_autoptr (GimpProcedureConfig) config = procedure ? gimp_procedure_create_config (procedure) : NULL;
  g_autofree char *old = NULL;

  if (!config)
    return TRUE; /* not registered: nothing starts with a model then */
  pmt_last_settings_load (config);
  g_object_get (config, "model", &old, NULL);
  if (but_for && old && g_strcmp0 (pmt_model_search_use (old), but_for) == 0)
    return TRUE;
  g_object_set (config, "model", path, NULL);
  return pmt_last_settings_save (config, error);
}

gboolean
pmt_default_model_set (const char *path, const char *use, GError **error)
{
  if (g_str_equal (use, "edit"))
    return set_for (PMT_PROCEDURE_EDIT, path, NULL, error);
  for (gsize i = 0; i < G_N_ELEMENTS (fills); i++)
    if (!set_for (fills[i], path, NULL, error))
      return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (pictures) && !g_str_equal (use, "inpaint"); i++)
    if (!set_for (pictures[i], path, NULL, error))
      return FALSE;
  return TRUE;
}

static gboolean
is_among (const char *const *names, gsize n, const char *name)
{
  for (gsize i = 0; i < n; i++)
    if (g_str_equal (names[i], name))
      return TRUE;
  return FALSE;
}

/* All but the one that has it already. */
static void
share_with (const char *const *names, gsize n, const char *name, const char *path, const char *but_for)
{
  for (gsize i = 0; i < n; i++)
    if (!g_str_equal (names[i], name))
      set_for (names[i], path, but_for, NULL);
}

void
pmt_default_model_share (const char *procedure, const char *path)
{
  const char *use = path[0] ? pmt_model_search_use (path) : ""; /* the bundled one paints everywhere */
  const gboolean fill = is_among (fills, G_N_ELEMENTS (fills), procedure), picture = is_among (pictures, G_N_ELEMENTS (pictures), procedure);

  if ((!fill && !picture) || g_strcmp0 (use, "edit") == 0)
    return;
  /* of a model that nothing is known of, only its own kind of dialog is sure to paint with it */
  if (fill || (use && !g_str_equal (use, "inpaint")))
    share_with (fills, G_N_ELEMENTS (fills), procedure, path, fill ? NULL : "inpaint");
  if (picture || (use && !g_str_equal (use, "inpaint")))
    share_with (pictures, G_N_ELEMENTS (pictures), procedure, path, NULL);
}
