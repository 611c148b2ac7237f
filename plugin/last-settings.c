/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/last-settings.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>

#include "plugin/error.h"

static char *
settings_path (GimpProcedureConfig *config)
{
  const char *name = gimp_procedure_get_name (gimp_procedure_config_get_procedure (config));
  g_autofree char *file = g_strconcat (name, ".last", NULL);

  return g_build_filename (gimp_directory (), "pentimento", file, NULL);
}

void
pmt_last_settings_load (GimpProcedureConfig *config)
{
  g_autofree char *path = settings_path (config);
  g_autofree char *text = NULL;
  gsize length;

  if (g_file_get_contents (path, &text, &length, NULL))
    gimp_config_deserialize_string (GIMP_CONFIG (config), text, (int) length, NULL, NULL);
}

gboolean
pmt_last_settings_save (GimpProcedureConfig *config, GError **error)
{
  g_autofree char *path = settings_path (config);
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *text = gimp_config_serialize_to_string (GIMP_CONFIG (config), NULL);
  g_autoptr (GError) problem = NULL;

  g_mkdir_with_parents (folder, 0700);
  if (text && g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &problem))
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The prompt cannot be kept in %s (%s): check who may write there."), path,
               problem ? problem->message : "");
  return FALSE;
}
