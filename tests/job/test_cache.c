/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The model that is kept between jobs: when it is the same one, and when it is opened anew. */
#include <string.h>
#include <sys/stat.h>

#include <glib/gstdio.h>

#include "engine/job/job.h"

static PmtModel *
get (PmtModelCache *cache, const PmtModelParts *parts)
{
  g_autoptr (GError) error = NULL;
  PmtModel *model = pmt_model_cache_get (cache, "", parts, &error);
  g_assert_no_error (error);
  return model;
}

static char *
bundled_vae (void)
{
  g_autofree char *folder = g_build_filename (g_getenv ("PMT_SOURCE_ROOT"), "data", "models", "sketch", "vae", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    if (g_str_has_suffix (name, ".safetensors"))
      return g_build_filename (folder, name, NULL);
  g_assert_not_reached ();
}

static void
write_later (const char *path, const char *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  struct timespec times[2] = { { .tv_sec = 2000000000 }, { .tv_sec = 2000000000 } };
  g_file_set_contents (path, data, (gssize) size, &error);
  g_assert_no_error (error);
  g_assert_cmpint (utimensat (-1, path, times, 0), ==, 0);
}

/* A VAE by its name in the library: kept while its file is the same. */
static void
test_named_part (void)
{
  g_autofree char *home = g_dir_make_tmp ("pmt-cache-XXXXXX", NULL), *folder = g_build_filename (home, "pentimento", "models", "vae", NULL);
  g_autofree char *path = g_build_filename (folder, "mine.safetensors", NULL), *source = bundled_vae (), *data = NULL;
  PmtModelCache *cache = pmt_model_cache_new ();
  const PmtModelParts parts = { NULL, "mine" };
  gsize size;

  g_setenv ("XDG_DATA_HOME", home, TRUE);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_get_contents (source, &data, &size, NULL));
  g_assert_true (g_file_set_contents (path, data, (gssize) size, NULL));
  PmtModel *first = get (cache, &parts), *again = get (cache, &parts), *any = get (cache, NULL);
  g_assert_true (first == again && first == any); /* questions about the text do not open it anew */
  write_later (path, data, size);
  PmtModel *changed = get (cache, &parts);
  g_assert_true (changed != first);
  PmtModel *own = get (cache, &(PmtModelParts) { NULL, NULL });
  g_assert_true (own != changed);
  PmtModel *const all[] = { first, again, any, changed, own };
  for (gsize i = 0; i < G_N_ELEMENTS (all); i++)
    pmt_model_unref (all[i]);
  pmt_model_cache_free (cache);
  g_unlink (path);
  for (int i = 0; i < 4; i++) {
    g_autofree char *up = g_path_get_dirname (folder);
    g_rmdir (folder);
    g_free (folder);
    folder = g_steal_pointer (&up);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cache/named-part", test_named_part);
  return g_test_run ();
}
