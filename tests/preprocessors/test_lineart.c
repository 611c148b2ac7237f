/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Against the same formula over OpenCV's blur. */
#include "tests/preprocessors/check.h"

static void
test_oracle (void)
{
  check_oracle ("lineart", 1, 0.001);
}

static void
test_extremes (void)
{
  check_extremes ("lineart");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocessors/lineart/oracle", test_oracle);
  g_test_add_func ("/preprocessors/lineart/extremes", test_extremes);
  return g_test_run ();
}
