/* SPDX-License-Identifier: GPL-3.0-or-later */
/* -1 under the mask, the picture elsewhere; without a mask it is refused. */
#include "tests/preprocessors/check.h"

static void
test_mask (void)
{
  PmtPicture image = check_picture (6, 5, 0.2f, 0.4f, 0.6f), mask, none;
  GError *error = NULL;
  pmt_picture_init (&mask, 6, 5, 1, NULL);
  for (int i = 0; i < 30; i++)
    mask.data[i] = (float) i / 29;
  PmtPicture out = check_run ("inpaint", &image, &mask);
  for (int i = 0; i < 30; i++)
    for (int c = 0; c < 3; c++)
      g_assert_cmpfloat_with_epsilon (out.data[i * 3 + c], mask.data[i] >= 0.5f ? -1 : image.data[i * 4 + c], 1e-6);
  g_assert_false (pmt_preprocess (pmt_preprocessor_find ("inpaint", NULL), &image, NULL, NULL, &none, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_cmpstr (error->message, ==, "The preprocessor \"inpaint\" needs a mask beside the picture; give one.");
  g_clear_error (&error);
  mask.width = 5;
  mask.height = 6;
  g_assert_false (pmt_preprocess (pmt_preprocessor_find ("inpaint", NULL), &image, &mask, NULL, &none, &error));
  g_assert_cmpstr (error->message, ==, "The mask is 5×6 pixels and the picture is 6×5; make them the same size.");
  g_clear_error (&error);
  g_assert_null (pmt_preprocessor_find ("hed", &error));
  g_assert_true (g_str_has_prefix (error->message, "There is no preprocessor \"hed\"; there are canny, "));
  g_clear_error (&error);
  pmt_picture_clear (&image);
  pmt_picture_clear (&mask);
  pmt_picture_clear (&out);
}

static void
test_extremes (void)
{
  check_extremes ("inpaint");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocessors/inpaint/mask", test_mask);
  g_test_add_func ("/preprocessors/inpaint/extremes", test_extremes);
  return g_test_run ();
}
