/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is kept of a measurement of this machine's speed. */
#include <string.h>

#include <glib/gstdio.h>

#include "engine/job/private.h"

static char *home, *path;

/* Whether the file of speeds has a best product. */
static gboolean
is_kept (void)
{
  g_autofree char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) && strstr (text, "\"best ") != NULL;
}

static void
test_beside_a_job (void)
{
  g_autoptr (GError) error = NULL;
  PmtModel *model = pmt_model_open ("", &error);
  double work[PMT_WORKS];

  g_assert_no_error (error);
  for (int i = 0; i < PMT_WORKS; i++)
    work[i] = 1e9;
  pmt_speed_job (TRUE);
  g_assert_cmpfloat (pmt_speed_seconds (model, work), >, 0);
  g_assert_false (is_kept ());
  pmt_speed_job (FALSE);
  g_assert_cmpfloat (pmt_speed_seconds (model, work), >, 0);
  g_assert_true (is_kept ());
  pmt_model_unref (model);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  home = g_dir_make_tmp ("pmt-speed-XXXXXX", NULL);
  g_setenv ("XDG_CACHE_HOME", home, TRUE);
  path = g_build_filename (home, "pentimento", "speed.json", NULL);
  g_test_add_func ("/speed/beside-a-job", test_beside_a_job);
  const int status = g_test_run ();
  g_autofree char *folder = g_path_get_dirname (path);
  g_unlink (path);
  g_rmdir (folder);
  g_rmdir (home);
  g_free (path);
  g_free (home);
  return status;
}
