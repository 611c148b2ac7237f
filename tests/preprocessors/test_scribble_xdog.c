/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Against the formula over OpenCV's blur. */
#include "tests/preprocessors/check.h"

static void
test_oracle (void)
{
  check_oracle ("scribble-xdog", 0, 0.001);
}

static void
test_extremes (void)
{
  check_extremes ("scribble-xdog");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocessors/scribble-xdog/oracle", test_oracle);
  g_test_add_func ("/preprocessors/scribble-xdog/extremes", test_extremes);
  return g_test_run ();
}
