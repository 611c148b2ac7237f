/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stirred, reproducible, and made of nothing but the picture. */
#include <math.h>
#include <string.h>

#include "tests/preprocessors/check.h"

static void
test_stirred (void)
{
  PmtPicture image = check_picture (96, 64, 0, 0, 0);
  for (int x = 0; x < 96; x++)
    check_fill (&image, x, 0, 1, 64, (float) x / 95, 0.25f, 1 - (float) x / 95);
  PmtPicture a = check_run ("shuffle:cell=16", &image, NULL), b = check_run ("shuffle:cell=16", &image, NULL);
  PmtPicture other = check_run ("shuffle:cell=16,seed=7", &image, NULL);
  double moved = 0, least = 1, most = 0;
  for (int i = 0; i < 96 * 64; i++) {
    const float *p = a.data + i * 3;
    /* every colour lies on the line of the picture's colours */
    g_assert_cmpfloat_with_epsilon (p[0] + p[2], 1, 0.01);
    g_assert_cmpfloat_with_epsilon (p[1], 0.25, 0.01);
    moved += fabs (p[0] - image.data[i * 4]);
    least = MIN (least, p[0]);
    most = MAX (most, p[0]);
  }
  g_assert_cmpfloat (moved / (96 * 64), >, 0.1);
  g_assert_cmpfloat (least, <, 0.02);
  g_assert_cmpfloat (most, >, 0.98);
  g_assert_true (memcmp (a.data, b.data, sizeof (float) * 96 * 64 * 3) == 0);
  g_assert_true (memcmp (a.data, other.data, sizeof (float) * 96 * 64 * 3) != 0);
  pmt_picture_clear (&image);
  pmt_picture_clear (&a);
  pmt_picture_clear (&b);
  pmt_picture_clear (&other);
}

static void
test_extremes (void)
{
  check_extremes ("shuffle");
  check_extremes ("shuffle:cell=8,seed=3");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocessors/shuffle/stirred", test_stirred);
  g_test_add_func ("/preprocessors/shuffle/extremes", test_extremes);
  return g_test_run ();
}
