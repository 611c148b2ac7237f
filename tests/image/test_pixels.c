/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mask operations against looking at every pixel, resampling against PIL (tests/reference/make_image.py), colour match, transparency. */
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "engine/base/threads.h"
#include "engine/image/colour.h"
#include "engine/image/mask.h"
#include "engine/image/picture.h"
#include "engine/image/resize.h"

static float *
random_mask (GRand *rand, int n, double filled)
{
  float *mask = g_new0 (float, n);

  for (int i = 0; i < n; i++)
    if (g_rand_double (rand) < filled)
      mask[i] = g_rand_boolean (rand) ? 1 : (float) g_rand_double (rand);
  return mask;
}

static void
test_dilate_and_erode (void)
{
  GRand *rand = g_rand_new_with_seed (3);

  for (int number = 0; number < 120; number++) {
    int w = g_rand_int_range (rand, 1, 40), h = g_rand_int_range (rand, 1, 40);
    double r = g_rand_boolean (rand) ? g_rand_int_range (rand, 0, 12) : g_rand_double_range (rand, 0, 60);
    g_autofree float *mask = random_mask (rand, w * h, 0.05), *grown = g_new0 (float, w * h), *eaten = g_new0 (float, w * h);
    GError *error = NULL;

    pmt_mask_dilate (mask, w, h, r, grown, &error);
    g_assert_no_error (error);
    pmt_mask_erode (mask, w, h, r, eaten, &error);
    g_assert_no_error (error);
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++) {
        float most = 0, least = 1;
        for (int j = 0; j < h; j++)
          for (int i = 0; i < w; i++)
            if ((double) (i - x) * (i - x) + (double) (j - y) * (j - y) <= r * r) {
              most = MAX (most, mask[j * w + i]);
              least = MIN (least, mask[j * w + i]);
            }
        g_assert_true (grown[y * w + x] == most);
        g_assert_cmpfloat (fabsf (eaten[y * w + x] - least), <, 1e-6f);
      }
  }
  g_rand_free (rand);
}

static void
test_distance (void)
{
  GRand *rand = g_rand_new_with_seed (4);

  for (int number = 0; number < 120; number++) {
    int w = g_rand_int_range (rand, 1, 50), h = g_rand_int_range (rand, 1, 50);
    g_autofree float *mask = random_mask (rand, w * h, number % 3 ? 0.02 : 0.3);
    g_autofree gint32 *squared = g_new0 (gint32, w * h);
    float threshold = number % 2 ? 0 : 0.5f;
    GError *error = NULL;

    pmt_mask_distance (mask, w, h, threshold, squared, &error);
    g_assert_no_error (error);
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++) {
        gint32 best = G_MAXINT32;
        for (int j = 0; j < h; j++)
          for (int i = 0; i < w; i++)
            if (mask[j * w + i] > threshold)
              best = MIN (best, (i - x) * (i - x) + (j - y) * (j - y));
        g_assert_cmpint (squared[y * w + x], ==, best);
      }
  }
  g_rand_free (rand);
}

/* Against the two-dimensional triangle kernel summed in double precision. */
static void
test_blur (void)
{
  GRand *rand = g_rand_new_with_seed (5);

  for (int number = 0; number < 40; number++) {
    int w = g_rand_int_range (rand, 1, 40), h = g_rand_int_range (rand, 1, 40), half = g_rand_int_range (rand, 1, 6);
    int reach = 2 * half;
    double whole = pow (2 * half + 1, 4);
    g_autofree float *mask = random_mask (rand, w * h, 0.4), *blurred = g_memdup2 (mask, (gsize) (w * h) * sizeof (float));
    GError *error = NULL;

    pmt_mask_blur (blurred, w, h, half, &error);
    g_assert_no_error (error);
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++) {
        double sum = 0;
        float most = 0, least = 1;
        for (int j = -reach; j <= reach; j++)
          for (int i = -reach; i <= reach; i++) {
            float value = mask[CLAMP (y + j, 0, h - 1) * w + CLAMP (x + i, 0, w - 1)];
            sum += (reach + 1 - ABS (i)) * (double) (reach + 1 - ABS (j)) * value;
            most = MAX (most, value);
            least = MIN (least, value);
          }
        g_assert_cmpfloat (fabs (blurred[y * w + x] - sum / whole), <, 1e-6);
        if (most == 0)
          g_assert_true (blurred[y * w + x] == 0);
        if (least == 1)
          g_assert_true (blurred[y * w + x] == 1);
      }
  }
  g_rand_free (rand);
}

static PmtFilter
filter_of (const char *name)
{
  const char *const names[] = { "box", "linear", "cubic", "lanczos", NULL };

  for (int i = 0; names[i]; i++)
    if (strcmp (names[i], name) == 0)
      return (PmtFilter) i;
  g_assert_not_reached ();
}

static float *
read_values (JsonObject *object, const char *name, guint *n)
{
  JsonArray *array = json_object_get_array_member (object, name);
  float *values;

  *n = json_array_get_length (array);
  values = g_new0 (float, *n);
  for (guint i = 0; i < *n; i++)
    values[i] = (float) json_array_get_double_element (array, i);
  return values;
}

static void
test_resize_as_pil (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), "image_resize.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  GError *error = NULL;
  JsonArray *cases;

  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  cases = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), "cases");
  g_assert_cmpuint (json_array_get_length (cases), >=, 20);
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    JsonObject *object = json_array_get_object_element (cases, i);
    int sw = (int) json_object_get_int_member (object, "width"), sh = (int) json_object_get_int_member (object, "height");
    int dw = (int) json_object_get_int_member (object, "to_width"), dh = (int) json_object_get_int_member (object, "to_height");
    PmtFilter filter = filter_of (json_object_get_string_member (object, "filter"));
    guint n_in, n_out;
    g_autofree float *in = read_values (object, "input", &n_in), *out = read_values (object, "output", &n_out);
    g_autofree float *got = g_new0 (float, dw * dh), *three = g_new0 (float, 3 * n_in), *thrice = g_new0 (float, 3 * dw * dh);

    g_assert_true (n_in == (guint) (sw * sh) && n_out == (guint) (dw * dh));
    pmt_resize (filter, in, sw, sh, 1, got, dw, dh, &error);
    g_assert_no_error (error);
    for (guint k = 0; k < 3 * n_in; k++)
      three[k] = in[k / 3] * (float) (k % 3 + 1);
    pmt_resize (filter, three, sw, sh, 3, thrice, dw, dh, &error);
    g_assert_no_error (error);
    for (int k = 0; k < dw * dh; k++) {
      if (fabsf (got[k] - out[k]) >= 2e-5f)
        g_error ("case %u (%s %dx%d to %dx%d) at %d: %g, PIL %g", i, json_object_get_string_member (object, "filter"), sw, sh, dw,
                 dh, k, got[k], out[k]);
      g_assert_cmpfloat (fabsf (thrice[3 * k + 2] - 3 * out[k]), <, 6e-5f);
    }
  }
}

static void
test_resize_keeps (void)
{
  GRand *rand = g_rand_new_with_seed (6);

  for (int number = 0; number < 200; number++) {
    int sw = g_rand_int_range (rand, 1, 60), sh = g_rand_int_range (rand, 1, 60);
    int dw = number % 4 ? g_rand_int_range (rand, 1, 60) : sw, dh = number % 4 ? g_rand_int_range (rand, 1, 60) : sh;
    g_autofree float *src = random_mask (rand, sw * sh, 0.7), *dst = g_new0 (float, dw * dh), *flat = g_new0 (float, sw * sh);
    GError *error = NULL;

    pmt_resize (PMT_FILTER_AUTO, src, sw, sh, 1, dst, dw, dh, &error);
    g_assert_no_error (error);
    for (int i = 0; i < dw * dh; i++)
      g_assert_true (dst[i] >= 0 && dst[i] <= 1);
    if (dw == sw && dh == sh)
      g_assert_cmpmem (src, sizeof (float) * (gsize) (sw * sh), dst, sizeof (float) * (gsize) (dw * dh));
    for (int i = 0; i < sw * sh; i++)
      flat[i] = 0.3f;
    pmt_resize (PMT_FILTER_AUTO, flat, sw, sh, 1, dst, dw, dh, &error);
    for (int i = 0; i < dw * dh; i++)
      g_assert_cmpfloat (fabsf (dst[i] - 0.3f), <, 1e-6f);
  }
  g_rand_free (rand);
}

static void
test_colour_match (void)
{
  enum { W = 60, H = 50, N = W * H };
  const float shift[3] = { 0.05f, -0.03f, 0.3f };
  g_autofree float *original = g_new0 (float, 3 * N), *result = g_new0 (float, 3 * N), *denoise = g_new0 (float, N);
  g_autofree float *before = NULL;
  GRand *rand = g_rand_new_with_seed (7);
  PmtColourMatch match;
  GError *error = NULL;

  for (int i = 0; i < N; i++) {
    gboolean hole = i % W > 20 && i % W < 40 && i / W > 15 && i / W < 35;
    denoise[i] = hole ? 1 : 0;
    gboolean beside = i % W > 18 && i % W < 42 && i / W > 13 && i / W < 37;
    for (int c = 0; c < 3; c++) {
      original[3 * i + c] = 0.35f + 0.2f * (float) g_rand_double (rand);
      /* new content in the hole and in the gap beside it must not be measured; outside, the autoencoder's even shift */
      result[3 * i + c] = beside ? 0.9f : original[3 * i + c] - shift[c];
    }
  }
  before = g_memdup2 (result, 3 * N * sizeof (float));
  pmt_colour_match (result, original, denoise, W, H, 3, 8, &match, &error); /* 3: the corner of the two-pixel frame is sqrt 8 away */
  g_assert_no_error (error);
  g_assert_cmpfloat (match.weight, >, 100);
  g_assert_cmpfloat (fabsf (match.shift[0] - shift[0]), <, 1e-5f);
  g_assert_cmpfloat (fabsf (match.shift[1] - shift[1]), <, 1e-5f);
  g_assert_cmpfloat (fabsf (match.shift[2] - 0.1f), <, 1e-6f); /* held */
  for (int i = 0; i < 3 * N; i++)
    g_assert_cmpfloat (fabsf (result[i] - CLAMP (before[i] + match.shift[i % 3], 0, 1)), <, 1e-6f);

  /* no ring, no change */
  for (int i = 0; i < N; i++)
    denoise[i] = 1;
  memcpy (before, result, 3 * N * sizeof (float));
  pmt_colour_match (result, original, denoise, W, H, 3, 8, &match, &error); /* 3: the corner of the two-pixel frame is sqrt 8 away */
  g_assert_no_error (error);
  g_assert_true (match.weight == 0 && match.shift[0] == 0);
  g_assert_cmpmem (before, 3 * N * sizeof (float), result, 3 * N * sizeof (float));
  g_rand_free (rand);
}

static void
test_flatten (void)
{
  enum { W = 37, H = 23 };
  PmtPicture picture;
  g_autofree float *rgb = g_new0 (float, 3 * W * H);
  GError *error = NULL;

  pmt_picture_init (&picture, W, H, 4, &error);
  g_assert_no_error (error);
  pmt_picture_flatten (&picture, rgb, &error);
  g_assert_no_error (error);
  for (int i = 0; i < 3 * W * H; i++)
    g_assert_cmpfloat (rgb[i], ==, 0.5f);

  /* left third red, right third blue, nothing between; what erased pixels hold is not to be seen */
  for (int i = 0; i < W * H; i++) {
    float *p = picture.data + 4 * i;
    p[0] = i % W < 12;
    p[1] = i % W >= 12 && i % W < 25;
    p[2] = i % W >= 25;
    p[3] = p[1] == 0;
  }
  g_assert_false (pmt_picture_opaque (&picture));
  pmt_picture_flatten (&picture, rgb, &error);
  g_assert_no_error (error);
  for (int i = 0; i < W * H; i++) {
    const float *p = rgb + 3 * i;
    g_assert_cmpfloat (p[1], ==, 0);
    g_assert_cmpfloat (fabsf (p[0] + p[2] - 1), <, 1e-5f);
    if (picture.data[4 * i + 3] == 1)
      g_assert_true (p[0] == picture.data[4 * i] && p[2] == picture.data[4 * i + 2]);
  }
  g_assert_cmpfloat (rgb[3 * (10 * W + 13)], >, rgb[3 * (10 * W + 23)]);
  pmt_picture_clear (&picture);

  g_assert_false (pmt_picture_init (&picture, 0, 5, 4, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_clear_error (&error);
}

/* The thread count must not show. */
static void
test_same_with_other_threads (void)
{
  enum { W = 211, H = 157 };
  GRand *rand = g_rand_new_with_seed (8);
  g_autofree float *mask = random_mask (rand, W * H, 0.01);
  float *grown[2] = { g_new0 (float, W * H), g_new0 (float, W * H) };
  float *small[2] = { g_new0 (float, 90 * 80), g_new0 (float, 90 * 80) };
  GError *error = NULL;

  for (int t = 0; t < 2; t++) {
    pmt_threads_set (t ? 4 : 1);
    pmt_mask_dilate (mask, W, H, 9.3, grown[t], &error);
    g_assert_no_error (error);
    pmt_mask_blur (grown[t], W, H, 4, &error);
    g_assert_no_error (error);
    pmt_resize (PMT_FILTER_LANCZOS, grown[t], W, H, 1, small[t], 90, 80, &error);
    g_assert_no_error (error);
  }
  g_assert_cmpmem (grown[0], W * H * sizeof (float), grown[1], W * H * sizeof (float));
  g_assert_cmpmem (small[0], 90 * 80 * sizeof (float), small[1], 90 * 80 * sizeof (float));
  g_free (small[0]);
  g_free (small[1]);
  g_free (grown[0]);
  g_free (grown[1]);
  g_rand_free (rand);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/mask/dilate-and-erode", test_dilate_and_erode);
  g_test_add_func ("/image/mask/distance", test_distance);
  g_test_add_func ("/image/mask/blur", test_blur);
  g_test_add_func ("/image/resize/as-pil", test_resize_as_pil);
  g_test_add_func ("/image/resize/keeps", test_resize_keeps);
  g_test_add_func ("/image/colour-match", test_colour_match);
  g_test_add_func ("/image/picture/flatten", test_flatten);
  g_test_add_func ("/image/same-with-other-threads", test_same_with_other_threads);
  return g_test_run ();
}
