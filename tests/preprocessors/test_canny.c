/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Equal to OpenCV on all pictures, pixel for pixel. */
#include "tests/preprocessors/check.h"

static void
test_oracle (void)
{
  check_oracle ("canny", 0, 0);
}

/* The thresholds may come in either order, and lower ones never find less. */
static void
test_thresholds (void)
{
  PmtPicture image = check_picture (40, 30, 0.2f, 0.2f, 0.2f);
  check_fill (&image, 8, 6, 20, 15, 0.5f, 0.3f, 0.2f);
  check_fill (&image, 14, 10, 6, 6, 0.55f, 0.35f, 0.2f);
  PmtPicture few = check_run ("canny:low=200,high=400", &image, NULL), swapped = check_run ("canny:low=400,high=200", &image, NULL);
  PmtPicture many = check_run ("canny:low=5,high=10", &image, NULL);
  int more = 0;
  for (int i = 0; i < 40 * 30 * 3; i++) {
    g_assert_true (few.data[i] == swapped.data[i]);
    more += (many.data[i] == 1) - (few.data[i] == 1);
  }
  g_assert_cmpint (more, >, 30);
  pmt_picture_clear (&image);
  pmt_picture_clear (&few);
  pmt_picture_clear (&swapped);
  pmt_picture_clear (&many);
}

static void
test_extremes (void)
{
  check_extremes ("canny");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocessors/canny/oracle", test_oracle);
  g_test_add_func ("/preprocessors/canny/thresholds", test_thresholds);
  g_test_add_func ("/preprocessors/canny/extremes", test_extremes);
  return g_test_run ();
}
