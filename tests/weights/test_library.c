/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The walk through the library's folders, where there is more than is looked at. */
#include <glib/gstdio.h>

#include "engine/weights/library.h"
#include "tests/weights/files.h"

static gboolean
count (const PmtLibraryFile *file, gpointer user)
{
  int *seen = user;
  seen[g_str_equal (file->folder->origin, "added")]++;
  return TRUE;
}

/* A large folder leaves the one after it its share, and is told. */
static void
test_limit (void)
{
  g_autofree char *large = files_folder (), *small = files_folder ();
  g_autoptr (GPtrArray) folders = g_ptr_array_new ();
  PmtLibraryFolder first = { large, "own", TRUE }, second = { small, "added", TRUE };
  int seen[2] = { 0, 0 };

  for (int i = 0; i < 9; i++) {
    g_autofree char *name = g_strdup_printf ("%d.safetensors", i);
    files_write (large, name, "x", 1);
    if (i < 3)
      files_write (small, name, "x", 1);
  }
  g_ptr_array_add (folders, &first);
  g_ptr_array_add (folders, &second);
  g_assert_true (pmt_library_walk_most (folders, 6, count, seen) == &first);
  g_assert_cmpint (seen[0], ==, 6);
  g_assert_cmpint (seen[1], ==, 3);
  seen[0] = seen[1] = 0;
  g_assert_null (pmt_library_walk_most (folders, 9, count, seen));
  g_assert_cmpint (seen[0] + seen[1], ==, 12);
  g_assert_null (pmt_library_walk (folders, count, seen));
  files_remove (large);
  files_remove (small);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/library/limit", test_limit);
  return g_test_run ();
}
