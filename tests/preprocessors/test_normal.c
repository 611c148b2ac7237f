/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Against OpenCV's Sobel; and a slope faces where the convention says. */
#include "tests/preprocessors/check.h"

static void
test_oracle (void)
{
  check_oracle ("normal", 1, 0.001);
}

/* Near is white: a picture that gets lighter to the right shows a surface that faces left, which is red in the newer convention. */
static void
test_direction (void)
{
  PmtPicture image = check_picture (32, 32, 0, 0, 0);
  for (int x = 0; x < 32; x++)
    check_fill (&image, x, 0, 1, 32, (float) x / 32, (float) x / 32, (float) x / 32);
  PmtPicture out = check_run ("normal:relief=0.1", &image, NULL), old = check_run ("normal:style=midas,background=0", &image, NULL);
  const float *centre = out.data + (16 * 32 + 16) * 3, *reversed = old.data + (16 * 32 + 16) * 3;
  g_assert_cmpfloat (centre[0], >, 0.7);
  g_assert_cmpfloat_with_epsilon (centre[1], 0.5, 0.01);
  g_assert_cmpfloat (centre[2], >, 0.6);
  g_assert_cmpfloat (reversed[2], >, 0.9);
  pmt_picture_clear (&image);
  pmt_picture_clear (&out);
  pmt_picture_clear (&old);
}

static void
test_extremes (void)
{
  check_extremes ("normal");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocessors/normal/oracle", test_oracle);
  g_test_add_func ("/preprocessors/normal/direction", test_direction);
  g_test_add_func ("/preprocessors/normal/extremes", test_extremes);
  return g_test_run ();
}
