/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Against PIL. */
#include "tests/preprocessors/check.h"

static void
test_oracle (void)
{
  check_oracle ("colour-grid", 0.6, 0);
}

static void
test_extremes (void)
{
  check_extremes ("colour-grid");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocessors/colour-grid/oracle", test_oracle);
  g_test_add_func ("/preprocessors/colour-grid/extremes", test_extremes);
  return g_test_run ();
}
