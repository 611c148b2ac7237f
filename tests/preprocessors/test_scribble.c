/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Against numpy. */
#include "tests/preprocessors/check.h"

static void
test_oracle (void)
{
  check_oracle ("scribble", 0, 0);
}

static void
test_extremes (void)
{
  check_extremes ("scribble");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocessors/scribble/oracle", test_oracle);
  g_test_add_func ("/preprocessors/scribble/extremes", test_extremes);
  return g_test_run ();
}
