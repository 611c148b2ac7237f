/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Against PIL; a factor of 1 changes nothing. */
#include "tests/preprocessors/check.h"

static void
test_oracle (void)
{
  check_oracle ("tile", 0.6, 0);
}

static void
test_same (void)
{
  PmtPicture image = check_picture (20, 10, 0.2f, 0.4f, 0.6f);
  check_fill (&image, 3, 3, 5, 5, 1, 0, 0.8f);
  PmtPicture out = check_run ("tile", &image, NULL);
  for (int i = 0; i < 200; i++)
    for (int c = 0; c < 3; c++)
      g_assert_cmpfloat_with_epsilon (out.data[i * 3 + c], image.data[i * 4 + c], 1e-6);
  pmt_picture_clear (&image);
  pmt_picture_clear (&out);
}

static void
test_extremes (void)
{
  check_extremes ("tile");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocessors/tile/oracle", test_oracle);
  g_test_add_func ("/preprocessors/tile/same", test_same);
  g_test_add_func ("/preprocessors/tile/extremes", test_extremes);
  return g_test_run ();
}
