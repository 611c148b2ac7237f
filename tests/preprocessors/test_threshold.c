/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Above is white, below or equal black; inverting swaps them. */
#include "tests/preprocessors/check.h"

static void
test_levels (void)
{
  PmtPicture image = check_picture (4, 1, 0, 0, 0);
  const int greys[4] = { 99, 100, 101, 255 };
  for (int i = 0; i < 4; i++)
    check_fill (&image, i, 0, 1, 1, (float) greys[i] / 255, (float) greys[i] / 255, (float) greys[i] / 255);
  PmtPicture out = check_run ("threshold:threshold=100", &image, NULL), swapped = check_run ("threshold:threshold=100,invert=true", &image, NULL);
  for (int i = 0; i < 4; i++)
    for (int c = 0; c < 3; c++) {
      g_assert_cmpfloat (out.data[i * 3 + c], ==, greys[i] > 100 ? 1 : 0);
      g_assert_cmpfloat (out.data[i * 3 + c] + swapped.data[i * 3 + c], ==, 1);
    }
  pmt_picture_clear (&image);
  pmt_picture_clear (&out);
  pmt_picture_clear (&swapped);
}

static void
test_extremes (void)
{
  check_extremes ("threshold");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocessors/threshold/levels", test_levels);
  g_test_add_func ("/preprocessors/threshold/extremes", test_extremes);
  return g_test_run ();
}
