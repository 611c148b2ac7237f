/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model; /* has a UNet of each kind */

static float *
painted (float inside, float outside)
{
  float *mask = g_new (float, runs.width * runs.height);
  for (int i = 0; i < runs.width * runs.height; i++)
    mask[i] = runs.mask[i] > 0.5f ? inside : outside;
  return mask;
}

static PmtRequest
request (void)
{
  PmtRequest q = runs_request (&runs, model);
  q.fill = true;
  q.image = runs.picture;
  q.mask = runs.mask;
  return q;
}

/* The mask is a decision per pixel at one half. */
static void
test_threshold (void)
{
  g_autofree float *soft = painted (0.5f, 0.49f);
  PmtRequest q = request ();
  PmtResult sharp = runs_do (&q);
  q.mask = soft;
  PmtResult same = runs_do (&q);
  runs_assert_equal (&sharp, &same);
  q.fill = false; /* the other network, by blending */
  q.mask = runs.mask;
  PmtResult other = runs_do (&q);
  runs_assert_differ (&sharp, &other);
  pmt_result_clear (&sharp);
  pmt_result_clear (&same);
  pmt_result_clear (&other);
}

/* What lies under the mask is not seen; what lies around it is. */
static void
test_hidden (void)
{
  g_autofree float *picture = g_memdup2 (runs.picture, sizeof (float) * (size_t) (runs.width * runs.height * 3));
  PmtRequest q = request ();
  PmtResult before = runs_do (&q);
  q.image = picture;
  for (int i = 0; i < runs.width * runs.height; i++)
    if (runs.mask[i] > 0.5f)
      picture[3 * i] = 1 - picture[3 * i];
  PmtResult under = runs_do (&q);
  runs_assert_equal (&before, &under);
  for (int i = 0; i < runs.width * runs.height; i++)
    picture[3 * i] = 1 - picture[3 * i];
  PmtResult around = runs_do (&q);
  runs_assert_differ (&before, &around);
  pmt_result_clear (&before);
  pmt_result_clear (&under);
  pmt_result_clear (&around);
}

/* A model whose only UNet is one for inpainting. */
static char *
make_fill_only (void)
{
  GError *error = NULL;
  char *folder = g_dir_make_tmp ("pentimento-test-XXXXXX", &error);
  g_assert_no_error (error);
  static const char *const parts[][2] = {
    { "unet_fill", "unet" }, { "vae", "vae" }, { "text_encoder", "text_encoder" }, { "tokenizer", "tokenizer" }, { "scheduler", "scheduler" }
  };
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    g_autofree char *relative = g_build_filename (g_getenv ("PMT_TEST_DATA"), "runs", "tiny", parts[i][0], NULL);
    g_autofree char *from = g_canonicalize_filename (relative, NULL);
    g_autofree char *to = g_build_filename (folder, parts[i][1], NULL);
    g_assert_cmpint (symlink (from, to), ==, 0);
  }
  return folder;
}

static void
remove_folder (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while ((name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (folder, name, NULL);
    g_unlink (path);
  }
  g_rmdir (folder);
}

/* Text to image with such a network is filling a picture that is masked all over. */
static void
test_text_only (void)
{
  GError *error = NULL;
  g_autofree char *folder = make_fill_only ();
  PmtModel *only = pmt_model_open (folder, &error);
  g_assert_no_error (error);
  PmtRequest q = runs_request (&runs, only);
  PmtResult text = runs_do (&q);
  g_autofree float *all = painted (1, 1);
  q.image = runs.picture;
  q.mask = all;
  PmtResult fill = runs_do (&q);
  runs_assert_equal (&text, &fill);
  q.mask = NULL; /* a picture alone: its own start, all of it to be painted */
  PmtResult image = runs_do (&q);
  runs_assert_differ (&text, &image);
  pmt_result_clear (&text);
  pmt_result_clear (&fill);
  pmt_result_clear (&image);
  pmt_model_unref (only);
  remove_folder (folder);
}

/* What leads the latent by gradients, in passes of its own, gives the network all its channels. */
static void
test_led (void)
{
  static const char *const ids[][3] = { { "attend-and-excite", "words", "house" }, { "universal-guidance", "loss", "mean-colour" } };
  PmtRequest q = request ();
  q.prompt = "a circle left of a blue house";
  PmtResult plain = runs_do (&q);
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
    GError *error = NULL;
    PmtMethodUse use = runs_use (ids[i][0]);
    pmt_param_values_set_text (&use.values, ids[i][1], ids[i][2], "test", &error);
    g_assert_no_error (error);
    q.methods = &use;
    q.n_methods = 1;
    PmtResult led = runs_do (&q);
    runs_assert_differ (&plain, &led);
    pmt_result_clear (&led);
    pmt_param_values_clear (&use.values);
  }
  pmt_result_clear (&plain);
}

static void
test_errors (void)
{
  GError *error = NULL;
  PmtResult result;
  PmtMethodUse use = runs_use ("inpaint-channels");
  PmtRequest q = runs_request (&runs, model);
  q.methods = &use;
  q.n_methods = 1;
  g_assert_false (pmt_run (&q, &result, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "9 input channels"));
  g_clear_error (&error);
  q = request ();
  q.image = NULL;
  g_assert_false (pmt_run (&q, &result, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_clear_error (&error);
  pmt_param_values_clear (&use.values);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/inpaint-channels/threshold", test_threshold },
    { "/inpaint-channels/hidden", test_hidden },
    { "/inpaint-channels/text-only", test_text_only },
    { "/inpaint-channels/led", test_led },
    { "/inpaint-channels/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
