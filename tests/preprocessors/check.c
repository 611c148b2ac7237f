/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/preprocessors/check.h"

#include <json-glib/json-glib.h>
#include <math.h>

#include "engine/image/file.h"

PmtPicture
check_run (const char *text, const PmtPicture *image, const PmtPicture *mask)
{
  PmtParamValues values;
  GError *error = NULL;
  const PmtPreprocessor *found = pmt_preprocessor_parse (text, &values, &error);
  PmtPicture out;

  g_assert_no_error (error);
  g_assert_true (pmt_preprocess (found, image, mask, &values, &out, &error));
  g_assert_no_error (error);
  g_assert_cmpint (out.width, ==, image->width);
  g_assert_cmpint (out.height, ==, image->height);
  g_assert_cmpint (out.channels, ==, 3);
  pmt_param_values_clear (&values);
  return out;
}

void
check_fill (PmtPicture *picture, int x, int y, int width, int height, float red, float green, float blue)
{
  const float colour[3] = { red, green, blue };

  for (int j = y; j < y + height; j++)
    for (int i = x; i < x + width; i++)
      for (int c = 0; c < 3; c++)
        picture->data[(j * picture->width + i) * 4 + c] = colour[c];
}

PmtPicture
check_picture (int width, int height, float red, float green, float blue)
{
  PmtPicture picture;
  GError *error = NULL;

  pmt_picture_init (&picture, width, height, 4, &error);
  g_assert_no_error (error);
  check_fill (&picture, 0, 0, width, height, red, green, blue);
  for (int i = 0; i < width * height; i++)
    picture.data[i * 4 + 3] = 1;
  return picture;
}

static PmtPicture
load (const char *file)
{
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), "preprocess", file, NULL);
  PmtPicture picture;
  GError *error = NULL;

  pmt_picture_load (path, &picture, NULL, &error);
  g_assert_no_error (error);
  return picture;
}

static void
check_case (JsonObject *one, double levels, double fraction)
{
  const char *text = json_object_get_string_member (one, "preprocess");
  PmtPicture image = load (json_object_get_string_member (one, "image"));
  PmtPicture wanted = load (json_object_get_string_member (one, "result")), got = check_run (text, &image, NULL);
  const int n = image.width * image.height;
  double worst = 0;
  int off = 0;

  g_assert_cmpint (wanted.width, ==, image.width);
  g_assert_cmpint (wanted.height, ==, image.height);
  for (int i = 0; i < n; i++)
    for (int c = 0; c < 3; c++) {
      const double difference = 255 * fabs (got.data[i * 3 + c] - wanted.data[i * 4 + c]);
      worst = MAX (worst, difference);
      off += difference > levels + 1e-3;
    }
  if (off > fraction * n * 3)
    g_error ("%s on %s: %d of %d values are off by more than %g levels, the worst by %g", text,
             json_object_get_string_member (one, "image"), off, n * 3, levels, worst);
  pmt_picture_clear (&image);
  pmt_picture_clear (&wanted);
  pmt_picture_clear (&got);
}

void
check_oracle (const char *name, double levels, double fraction)
{
  g_autofree char *file = g_strconcat (name, ".json", NULL);
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), "preprocess", file, NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  GError *error = NULL;

  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  JsonArray *cases = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), "cases");
  g_assert_cmpint (json_array_get_length (cases), >, 3);
  for (guint i = 0; i < json_array_get_length (cases); i++)
    check_case (json_array_get_object_element (cases, i), levels, fraction);
}

void
check_extremes (const char *text)
{
  static const int sizes[][2] = { { 1, 1 }, { 1, 9 }, { 9, 1 }, { 2, 2 }, { 3, 2 }, { 33, 17 } };
  const float shades[] = { 0, 1, 0.5f };

  for (gsize s = 0; s < G_N_ELEMENTS (sizes); s++)
    for (gsize k = 0; k < G_N_ELEMENTS (shades); k++) {
      PmtPicture image = check_picture (sizes[s][0], sizes[s][1], shades[k], shades[k], shades[k]);
      PmtPicture mask;
      const int n = image.width * image.height;

      pmt_picture_init (&mask, image.width, image.height, 1, NULL);
      for (int i = 0; i < n; i++) {
        mask.data[i] = (float) (i % 2);
        if (k == 2)
          image.data[i * 4 + 3] = (float) (i % 3) / 2;
      }
      PmtPicture out = check_run (text, &image, &mask);
      for (int i = 0; i < n * 3; i++)
        g_assert_true ((out.data[i] >= 0 && out.data[i] <= 1) || out.data[i] == -1);
      pmt_picture_clear (&out);
      pmt_picture_clear (&mask);
      pmt_picture_clear (&image);
    }
}
