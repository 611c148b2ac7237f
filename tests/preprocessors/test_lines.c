/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The outlines of boxes are found, nothing is found in an even picture or where lines are short, and it is the same each time. */
#include "tests/preprocessors/check.h"

#include <string.h>

/* How many pixels of `from` lie within one pixel of a white one of `to`, of how many. */
static void
count_near (const PmtPicture *from, const PmtPicture *to, int *near, int *all)
{
  const int w = from->width, h = from->height;
  *near = *all = 0;
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++) {
      bool found = false;
      if (from->data[(y * w + x) * 3] == 0)
        continue;
      for (int j = MAX (y - 1, 0); j <= MIN (y + 1, h - 1); j++)
        for (int i = MAX (x - 1, 0); i <= MIN (x + 1, w - 1); i++)
          found = found || to->data[(j * w + i) * 3] != 0;
      *near += found;
      ++*all;
    }
}

static void
test_boxes (void)
{
  PmtPicture image = check_picture (160, 120, 0.1f, 0.1f, 0.1f), again;
  check_fill (&image, 20, 15, 90, 80, 0.8f, 0.7f, 0.2f);
  check_fill (&image, 60, 40, 80, 60, 0.2f, 0.3f, 0.9f);
  for (int y = 0; y < 100; y++) /* a slanted edge */
    check_fill (&image, 0, y, MAX (16 - y / 6, 0), 1, 0.9f, 0.9f, 0.9f);
  PmtPicture lines = check_run ("lines", &image, NULL), edges = check_run ("canny:low=50,high=150", &image, NULL);
  int near, all;
  count_near (&edges, &lines, &near, &all);
  g_assert_cmpint (all, >, 400);
  g_assert_cmpint (near * 100, >, all * 80);
  count_near (&lines, &edges, &near, &all);
  g_assert_cmpint (near * 100, >, all * 95);
  again = check_run ("lines", &image, NULL);
  g_assert_true (memcmp (lines.data, again.data, sizeof (float) * 160 * 120 * 3) == 0);
  pmt_picture_clear (&image);
  pmt_picture_clear (&lines);
  pmt_picture_clear (&edges);
  pmt_picture_clear (&again);
}

static void
test_short (void)
{
  PmtPicture image = check_picture (100, 100, 0, 0, 0);
  for (int k = 0; k < 8; k++)
    check_fill (&image, 6 + 12 * k, 40 + 7 * (k % 3), 6, 6, 1, 1, 1);
  PmtPicture out = check_run ("lines:votes=20,length=60", &image, NULL);
  for (int i = 0; i < 100 * 100 * 3; i++)
    g_assert_cmpfloat (out.data[i], ==, 0);
  pmt_picture_clear (&image);
  pmt_picture_clear (&out);
}

static void
test_extremes (void)
{
  check_extremes ("lines");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocessors/lines/boxes", test_boxes);
  g_test_add_func ("/preprocessors/lines/short", test_short);
  g_test_add_func ("/preprocessors/lines/extremes", test_extremes);
  return g_test_run ();
}
