/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Against OpenCV's blur and Sobel, to one level of rounding. */
#include "tests/preprocessors/check.h"

static void
test_oracle (void)
{
  check_oracle ("softedge", 1, 0.001);
}

static void
test_extremes (void)
{
  check_extremes ("softedge");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocessors/softedge/oracle", test_oracle);
  g_test_add_func ("/preprocessors/softedge/extremes", test_extremes);
  return g_test_run ();
}
