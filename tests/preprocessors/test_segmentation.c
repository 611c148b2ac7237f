/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Colours of classes stay, colours near them move to them. */
#include "tests/preprocessors/check.h"

#include <string.h>

#include "engine/image/ade20k.h"

/* Some of the published table's rows. */
static void
test_table (void)
{
  static const struct {
    int index;
    const char *name;
    guint8 rgb[3];
  } known[] = { { 0, "wall", { 120, 120, 120 } }, { 2, "sky", { 6, 230, 230 } },   { 4, "tree", { 4, 200, 3 } },
                { 12, "person", { 150, 5, 61 } }, { 20, "car", { 0, 102, 200 } }, { 149, "flag", { 92, 0, 255 } } };
  for (gsize k = 0; k < G_N_ELEMENTS (known); k++) {
    g_assert_cmpstr (pmt_ade_classes[known[k].index].name, ==, known[k].name);
    g_assert_cmpmem (pmt_ade_classes[known[k].index].rgb, 3, known[k].rgb, 3);
  }
}

static void
test_nearest (void)
{
  PmtPicture image = check_picture (PMT_ADE_CLASSES, 3, 0, 0, 0);
  for (int k = 0; k < PMT_ADE_CLASSES; k++) {
    const guint8 *rgb = pmt_ade_classes[k].rgb;
    check_fill (&image, k, 0, 1, 3, (float) rgb[0] / 255, (float) rgb[1] / 255, (float) rgb[2] / 255);
    check_fill (&image, k, 1, 1, 1, (float) MIN (rgb[0] + 1, 255) / 255, (float) rgb[1] / 255, (float) MAX (rgb[2] - 1, 0) / 255);
  }
  PmtPicture out = check_run ("segmentation", &image, NULL);
  int moved_elsewhere = 0;
  for (int k = 0; k < PMT_ADE_CLASSES; k++)
    for (int row = 0; row < 3; row++) {
      const float *got = out.data + (row * PMT_ADE_CLASSES + k) * 3;
      bool same = true;
      for (int c = 0; c < 3; c++)
        same = same && (int) (got[c] * 255 + 0.5f) == pmt_ade_classes[k].rgb[c];
      if (row == 1)
        moved_elsewhere += !same;
      else
        g_assert_true (same);
    }
  /* the table has pairs of colours that differ by less than that */
  g_assert_cmpint (moved_elsewhere, <, 8);
  pmt_picture_clear (&image);
  pmt_picture_clear (&out);
}

static void
test_extremes (void)
{
  check_extremes ("segmentation");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocessors/segmentation/table", test_table);
  g_test_add_func ("/preprocessors/segmentation/nearest", test_nearest);
  g_test_add_func ("/preprocessors/segmentation/extremes", test_extremes);
  return g_test_run ();
}
