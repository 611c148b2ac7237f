/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Previews: what is drawn, what tells the map, how near they come to the picture, what they cost. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "engine/sample/preview.h"
#include "tests/sample/runs.h"

static char *
bundled_path (void)
{
  return g_build_filename (g_getenv ("PMT_SOURCE_ROOT"), "data", "models", "sketch", NULL);
}

static void
test_draw (void)
{
  const PmtPreviewMap map = { 2, { { 0.5f, 0, -1 }, { 0, 0.25f, 0 } }, { 0, 0.1f, 0 } };
  const float latent[] = { 0, 0, 1, 2, -4, 0, NAN, 0 };
  const uint8_t want[] = { 128, 140, 128, 191, 204, 0, 0, 140, 255, 0, 0, 0 };
  uint8_t rgb[12];
  int w, h;
  pmt_preview_size (2, 2, &w, &h);
  g_assert_cmpint (w * 10 + h, ==, 22);
  pmt_preview_draw (&map, latent, 2, 2, rgb);
  g_assert_cmpmem (rgb, sizeof rgb, want, sizeof want);

  /* sides over the limit are thinned out */
  pmt_preview_size (600, 100, &w, &h);
  g_assert_cmpint (w, ==, 200);
  g_assert_cmpint (h, ==, 34);
  g_autofree float *big = g_new0 (float, 600 * 100 * 2);
  big[2 * (3 * 600 + 3)] = 1.0f; /* pixel 3, 3 becomes 1, 1 */
  g_autofree uint8_t *thin = g_malloc (3 * 200 * 34);
  pmt_preview_draw (&map, big, 600, 100, thin);
  g_assert_cmpint (thin[3 * (200 + 1)], ==, 191);
  g_assert_cmpint (thin[3 * (200 + 2)], ==, 128);
}

static void
test_map (void)
{
  g_autofree char *path = bundled_path ();
  GError *error = NULL;
  PmtPreviewMap map;
  PmtModel *model = pmt_model_open (path, &error);
  g_assert_no_error (error);
  g_assert_true (pmt_preview_map (model, &map, &error));
  g_assert_cmpint (map.channels, ==, 4);
  g_assert_cmpfloat (map.factor[0][0], >, 0.1f);
  pmt_model_unref (model);

  model = runs_model ("tiny"); /* of no known family, and says nothing */
  g_assert_true (pmt_preview_map (model, &map, &error));
  g_assert_cmpint (map.channels, ==, 0);
  pmt_model_unref (model);
}

/* A model whose file says nonsense: one sentence with the file's name. */
static void
test_refusals (void)
{
  static const char *const bad[] = { "{\"preview\": 3}", "{\"preview\": {\"factors\": [[1, 2, 3]], \"bias\": [0, 0, 0]}}",
                                     "{\"preview\": {\"factors\": [[1,2,3],[1,2,3],[1,2,3],[1,2,\"3\"]], \"bias\": [0, 0, 0]}}",
                                     "{\"preview\": {\"factors\": [[1,2,3],[1,2,3],[1,2,3],[1,2,3]]}}" };
  g_autofree char *source = g_build_filename (g_getenv ("PMT_TEST_DATA"), "runs", "tiny", NULL);
  g_autofree char *folder = g_dir_make_tmp ("preview-XXXXXX", NULL), *file = g_build_filename (folder, "pentimento.json", NULL);
  GDir *dir = g_dir_open (source, 0, NULL);
  GPtrArray *links = g_ptr_array_new_with_free_func (g_free);
  for (const char *name; (name = g_dir_read_name (dir));) {
    g_autofree char *from = g_build_filename (source, name, NULL);
    char *to = g_build_filename (folder, name, NULL);
    g_assert_cmpint (symlink (from, to), ==, 0);
    g_ptr_array_add (links, to);
  }
  g_dir_close (dir);
  GError *error = NULL;
  PmtModel *model = pmt_model_open (folder, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    PmtPreviewMap map;
    g_assert_true (g_file_set_contents (file, bad[i], -1, NULL));
    g_assert_false (pmt_preview_map (model, &map, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_FORMAT);
    g_assert_nonnull (strstr (error->message, "pentimento.json"));
    g_assert_nonnull (strstr (error->message, "4 lists of three numbers"));
    g_clear_error (&error);
  }
  pmt_model_unref (model);
  g_unlink (file);
  for (guint i = 0; i < links->len; i++)
    g_unlink (links->pdata[i]);
  g_ptr_array_unref (links);
  g_rmdir (folder);
}

typedef struct Seen {
  int previews, width, height;
  uint8_t last[3 * 64 * 64];
  float latent[16 * 16 * 4];
  gint64 first_us, last_us;
} Seen;

static void
on_progress (void *user, const PmtProgress *p)
{
  Seen *seen = user;
  if (!p->preview)
    return;
  g_assert_cmpint (p->stage, ==, PMT_STAGE_SAMPLE);
  seen->previews++;
  seen->width = p->preview_width;
  seen->height = p->preview_height;
  seen->last_us = g_get_monotonic_time ();
  if (seen->previews == 1)
    seen->first_us = seen->last_us;
  memcpy (seen->last, p->preview, 3 * (size_t) (p->preview_width * p->preview_height));
  memcpy (seen->latent, p->latent.data, sizeof seen->latent);
}

/* Correlation of a preview with the picture's means over its pixels. */
static double
correlation (const Seen *seen, const PmtResult *r)
{
  const int n = seen->width * seen->height, f = r->width / seen->width;
  double a = 0, b = 0, aa = 0, bb = 0, ab = 0;
  for (int p = 0; p < n; p++)
    for (int c = 0; c < 3; c++) {
      double mean = 0;
      for (int y = 0; y < f; y++)
        for (int x = 0; x < f; x++)
          mean += r->image[((p / seen->width * f + y) * r->width + p % seen->width * f + x) * 3 + c] / (f * f);
      const double v = seen->last[3 * p + c] / 255.0;
      a += v, b += mean, aa += v * v, bb += mean * mean, ab += v * mean;
    }
  const double m = 3.0 * n;
  return (ab - a * b / m) / sqrt ((aa - a * a / m) * (bb - b * b / m));
}

/* The last preview looks like the picture, there is one for each step, and drawing takes less than a hundredth of a step. */
static void
test_run (void)
{
  g_autofree char *path = bundled_path ();
  GError *error = NULL;
  PmtModel *model = pmt_model_open (path, &error);
  g_assert_no_error (error);
  g_autofree Seen *seen = g_new0 (Seen, 1);
  PmtRequest q = { .model = model, .prompt = "a red mushroom on a meadow", .width = 128, .height = 128, .steps = 2, .guidance = 4,
                   .strength = 1, .seed = 3, .sampler = pmt_sampler_find ("ddim", NULL), .progress = on_progress, .progress_user = seen };
  PmtResult r = runs_do (&q);
  g_assert_cmpint (seen->previews, ==, 2);
  g_assert_cmpint (seen->width, ==, 16);
  g_assert_cmpint (seen->height, ==, 16);
  const double like = correlation (seen, &r);
  PmtPreviewMap map;
  g_assert_true (pmt_preview_map (model, &map, NULL));
  const gint64 before = g_get_monotonic_time ();
  for (int k = 0; k < 100; k++)
    pmt_preview_draw (&map, seen->latent, 16, 16, seen->last);
  const double draw = (double) (g_get_monotonic_time () - before) / 100, step = (double) (seen->last_us - seen->first_us);
  g_test_message ("preview and picture correlate by %.3f; drawing takes %.4f %% of a step", like, 100 * draw / step);
  g_assert_cmpfloat (like, >, 0.8);
  g_assert_cmpfloat (draw, <, 0.01 * step);
  pmt_result_clear (&r);
  pmt_model_unref (model);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preview/draw", test_draw);
  g_test_add_func ("/preview/map", test_map);
  g_test_add_func ("/preview/refusals", test_refusals);
  g_test_add_func ("/preview/run", test_run);
  return g_test_run ();
}
