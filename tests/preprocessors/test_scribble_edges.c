/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Against the same steps with OpenCV's blur and dilation; rounding moves a rim here and there. */
#include "tests/preprocessors/check.h"

static void
test_oracle (void)
{
  check_oracle ("scribble-edges", 0, 0.03);
}

static void
test_extremes (void)
{
  check_extremes ("scribble-edges");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocessors/scribble-edges/oracle", test_oracle);
  g_test_add_func ("/preprocessors/scribble-edges/extremes", test_extremes);
  return g_test_run ();
}
