/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/datadir.h"

/* The folder of the running program; NULL where the system does not tell. */
static char *
executable_folder (void)
{
  g_autofree char *path = g_file_read_link ("/proc/self/exe", NULL);
  return path ? g_path_get_dirname (path) : NULL;
}

static char *
existing (const char *folder, const char *sub, const char *name)
{
  char *path = g_build_filename (folder, sub, name, NULL);
  if (g_file_test (path, G_FILE_TEST_EXISTS))
    return path;
  g_free (path);
  return NULL;
}

char *
pmt_data_path (const char *name, GError **error)
{
  const char *given = g_getenv ("PENTIMENTO_DATADIR");

  if (given && *given) {
    char *path = existing (given, "", name);
    if (!path)
      g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND,
                   _("The data file '%s' is not in '%s', which PENTIMENTO_DATADIR names; correct or unset the variable."), name, given);
    return path;
  }

  g_autofree char *folder = executable_folder ();
  /* Installed: EXEDIR/data. Build tree: programs stand one or two folders below the root that holds the link to data/. */
  static const char *const places[] = { "data", "../data", "../../data" };
  for (guint i = 0; folder && i < G_N_ELEMENTS (places); i++) {
    char *path = existing (folder, places[i], name);
    if (path)
      return path;
  }
  g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND,
               _("The data file '%s' is not in '%s/data'; install Pentimento again, or set PENTIMENTO_DATADIR to its data folder."), name,
               folder ? folder : ".");
  return NULL;
}

char *
pmt_program_path (const char *installed, const char *built)
{
  g_autofree char *folder = executable_folder ();
  char *path = folder ? existing (folder, installed, "") : NULL;

  return path || !folder ? path : existing (folder, built, "");
}
