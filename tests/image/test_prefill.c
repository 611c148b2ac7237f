/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Membranes against a direct solution of their equations, and what prefills, the gradient seam and the match of colours promise. */
#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/image/colour_lab.h"
#include "engine/image/membrane.h"
#include "engine/image/prefill.h"

static float *
random_values (GRand *rand, size_t n)
{
  float *values = g_new (float, n);

  for (size_t i = 0; i < n; i++)
    values[i] = (float) g_rand_double (rand);
  return values;
}

/* The equations of all open cells by elimination with pivots. */
static void
solve_directly (const float *values, int width, int height, const uint8_t *open, double *out)
{
  const int n = width * height;
  g_autofree double *a = g_new0 (double, (gsize) n * (gsize) (n + 1));
  const int across[] = { -1, 1, 0, 0 }, down[] = { 0, 0, -1, 1 };

  for (int i = 0; i < n; i++) {
    double *row = a + (gsize) i * (gsize) (n + 1);
    if (!open[i]) {
      row[i] = 1;
      row[n] = (double) values[i];
      continue;
    }
    for (int k = 0; k < 4; k++) {
      const int x = i % width + across[k], y = i / width + down[k];
      if (x < 0 || y < 0 || x >= width || y >= height)
        continue;
      row[i] += 1;
      row[y * width + x] -= 1;
    }
  }
  for (int k = 0; k < n; k++) {
    int best = k;
    for (int i = k + 1; i < n; i++)
      if (fabs (a[(gsize) i * (gsize) (n + 1) + (gsize) k]) > fabs (a[(gsize) best * (gsize) (n + 1) + (gsize) k]))
        best = i;
    for (int j = 0; j <= n; j++) {
      double t = a[(gsize) k * (gsize) (n + 1) + (gsize) j];
      a[(gsize) k * (gsize) (n + 1) + (gsize) j] = a[(gsize) best * (gsize) (n + 1) + (gsize) j];
      a[(gsize) best * (gsize) (n + 1) + (gsize) j] = t;
    }
    for (int i = 0; i < n; i++) {
      double *row = a + (gsize) i * (gsize) (n + 1), *pivot = a + (gsize) k * (gsize) (n + 1);
      const double f = i == k || row[k] == 0 ? 0 : row[k] / pivot[k];
      for (int j = k; f != 0 && j <= n; j++)
        row[j] -= f * pivot[j];
    }
  }
  for (int i = 0; i < n; i++)
    out[i] = a[(gsize) i * (gsize) (n + 1) + (gsize) n] / a[(gsize) i * (gsize) (n + 1) + (gsize) i];
}

static void
test_membrane_is_the_solution (void)
{
  GRand *rand = g_rand_new_with_seed (5);

  for (int round = 0; round < 60; round++) {
    const int width = g_rand_int_range (rand, 1, 23), height = g_rand_int_range (rand, round < 10 ? 1 : 9, 15), n = width * height;
    const double share = round % 3 == 0 ? 0.5 : round % 3 == 1 ? 0.95 : 0.99;
    g_autofree float *values = random_values (rand, (size_t) n), *given = g_memdup2 (values, (gsize) n * sizeof (float));
    g_autofree uint8_t *open = g_new0 (uint8_t, n);
    g_autofree double *wanted = g_new0 (double, n);
    GError *error = NULL;
    for (int i = 0; i < n; i++)
      open[i] = g_rand_double (rand) < share;
    open[g_rand_int_range (rand, 0, n)] = 0; /* else there is no border */
    solve_directly (given, width, height, open, wanted);
    pmt_membrane (values, width, height, 1, open, &error);
    g_assert_no_error (error);
    for (int i = 0; i < n; i++) {
      if (!open[i])
        g_assert_true (values[i] == given[i]);
      else
        g_assert_cmpfloat_with_epsilon ((double) values[i], wanted[i], 1e-4);
    }
  }
  g_rand_free (rand);
}

/* A plane is its own membrane, whatever the hole's shape and size: an exact answer at sizes that no direct solution reaches. */
static void
test_membrane_of_a_plane (void)
{
  const int width = 301, height = 226;
  const size_t n = (size_t) width * (size_t) height;
  g_autofree float *values = g_new (float, n * 3);
  g_autofree uint8_t *open = g_new0 (uint8_t, n);
  GError *error = NULL;

  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) {
      const size_t i = (size_t) (y * width + x);
      open[i] = hypot (x - 140, y - 110) < 100 && hypot (x - 90, y - 120) > 20 && x % 37 != 5;
      for (int c = 0; c < 3; c++)
        values[i * 3 + (size_t) c] = open[i] ? 7 : (float) (0.001 * x * (c + 1) - 0.002 * y + 0.5);
    }
  pmt_membrane (values, width, height, 3, open, &error);
  g_assert_no_error (error);
  for (size_t i = 0; i < n; i++)
    for (int c = 0; c < 3; c++)
      g_assert_cmpfloat_with_epsilon ((double) values[i * 3 + (size_t) c], 0.001 * (double) (i % 301) * (c + 1) - 0.002 * (double) (i / 301) + 0.5,
                                      2e-4);
}

/* One large hole that reaches the picture's border, known along one side only: constant across. */
static void
test_membrane_has_free_borders (void)
{
  const int width = 400, height = 150;
  g_autofree float *values = g_new0 (float, 400 * 150);
  g_autofree uint8_t *open = g_malloc (400 * 150);
  GError *error = NULL;

  memset (open, 1, 400 * 150);
  for (int y = 0; y < height; y++) {
    open[y * width] = 0;
    values[y * width] = 0.75f;
  }
  pmt_membrane (values, width, height, 1, open, &error);
  g_assert_no_error (error);
  for (int i = 0; i < width * height; i++)
    g_assert_cmpfloat_with_epsilon ((double) values[i], 0.75, 1e-3);
  for (int i = 0; i < width * height; i++) {
    values[i] = (float) i;
    open[i] = 1;
  }
  pmt_membrane (values, width, height, 1, open, &error);
  g_assert_no_error (error);
  for (int i = 0; i < width * height; i++)
    g_assert_true (values[i] == (float) i); /* nothing is known, nothing changes */
}

enum { W = 60, H = 44, N = W * H };

/* 0, a ramp, 1, a soft part of 0.4, over the middle. */
static void
make_mask (float *mask)
{
  for (int y = 0; y < H; y++)
    for (int x = 0; x < W; x++) {
      const double d = hypot (x - 30, y - 20);
      mask[y * W + x] = (float) (d < 9 ? 1 : d > 15 ? 0 : (15 - d) / 6);
      if (x > 50 && y > 30)
        mask[y * W + x] = 0.4f;
    }
}

static void
test_prefills_stay_inside (void)
{
  GRand *rand = g_rand_new_with_seed (6);
  g_autofree float *mask = g_new (float, N), *rgb = random_values (rand, N * 3);

  make_mask (mask);
  for (gsize k = 0; pmt_prefills[k]; k++) {
    g_autofree float *filled = g_memdup2 (rgb, N * 3 * sizeof (float));
    GError *error = NULL;
    int changed = 0;
    pmt_prefill_apply (pmt_prefills[k], filled, mask, W, H, 512, &error);
    g_assert_no_error (error);
    for (int i = 0; i < N; i++) {
      const gboolean same = memcmp (filled + i * 3, rgb + i * 3, 3 * sizeof (float)) == 0;
      if (mask[i] <= 0.5f)
        g_assert_true (same);
      changed += !same;
    }
    g_assert_cmpint (changed, >, 150);
    g_assert_true (pmt_prefill_find (pmt_prefills[k]->id) == pmt_prefills[k]);
  }
  g_assert_null (pmt_prefill_find ("none"));
  g_rand_free (rand);
}

static void
test_gray_is_gray (void)
{
  GRand *rand = g_rand_new_with_seed (7);
  g_autofree float *mask = g_new (float, N), *rgb = random_values (rand, N * 3), *filled = g_memdup2 (rgb, N * 3 * sizeof (float));
  GError *error = NULL;

  make_mask (mask);
  pmt_prefill_apply (pmt_prefill_find ("gray"), filled, mask, W, H, 512, &error);
  g_assert_no_error (error);
  for (int i = 0; i < N * 3; i++) {
    const double part = CLAMP (2 * (double) mask[i / 3] - 1, 0, 1);
    g_assert_cmpfloat_with_epsilon ((double) filled[i], (double) rgb[i] + part * (0.5 - (double) rgb[i]), 1e-6);
  }
  g_rand_free (rand);
}

/* What stood in the hole leaves no trace: two pictures that differ there alone become the same one. Blur keeps the hole's colours. */
static void
test_surroundings_forget_and_blur_remembers (void)
{
  g_autofree float *mask = g_new (float, N), *dark = g_new (float, N * 3), *light = g_new (float, N * 3);
  g_autofree float *blurred = NULL;
  GError *error = NULL;

  make_mask (mask);
  for (int i = 0; i < N * 3; i++) {
    dark[i] = light[i] = 0.3f + 0.4f * (float) (i / 3 % W) / W;
    if (mask[i / 3] > 0.5f) {
      dark[i] = 0.1f;
      light[i] = 0.9f;
    }
  }
  blurred = g_memdup2 (light, N * 3 * sizeof (float));
  pmt_prefill_apply (pmt_prefill_find ("surroundings"), dark, mask, W, H, 512, &error);
  pmt_prefill_apply (pmt_prefill_find ("surroundings"), light, mask, W, H, 512, &error);
  pmt_prefill_apply (pmt_prefill_find ("blur"), blurred, mask, W, H, 128, &error);
  g_assert_no_error (error);
  for (int i = 0; i < N; i++)
    if (mask[i] == 1) {
      const int x = i % W;
      g_assert_cmpfloat_with_epsilon ((double) dark[i * 3], (double) light[i * 3], 1e-3);
      g_assert_cmpfloat_with_epsilon ((double) dark[i * 3], 0.3 + 0.4 * x / W, 0.02);
      g_assert_cmpfloat ((double) blurred[i * 3], >, 0.7);
    }
}

/* The gradients inside are the patch's, the border is the picture's: a patch that is the picture under another light comes out as the
 * picture. */
static void
test_gradient_seam (void)
{
  GRand *rand = g_rand_new_with_seed (8);
  g_autofree float *blend = g_new (float, N), *picture = random_values (rand, N * 3), *patch = g_new (float, N * 3);
  GError *error = NULL;

  make_mask (blend);
  for (int i = 0; i < N; i++)
    if (i % W > 50)
      blend[i] = 0; /* at the picture's border the difference would have to be level */
  for (int i = 0; i < N * 3; i++) {
    picture[i] = 0.2f + 0.5f * picture[i];
    patch[i] = picture[i] + 0.1f + 0.002f * (float) (i / 3 % W);
  }
  pmt_membrane_blend (patch, picture, blend, W, H, &error);
  g_assert_no_error (error);
  for (int i = 0; i < N * 3; i++) {
    if (blend[i / 3] == 0)
      g_assert_true (patch[i] == picture[i]);
    else
      g_assert_cmpfloat_with_epsilon ((double) patch[i], (double) picture[i], 1e-3);
  }
  g_rand_free (rand);
}

/* All open: there is no border to meet. */
static void
test_gradient_seam_without_a_border (void)
{
  GRand *rand = g_rand_new_with_seed (9);
  g_autofree float *blend = g_new (float, N), *picture = random_values (rand, N * 3), *patch = random_values (rand, N * 3);
  g_autofree float *before = g_memdup2 (patch, N * 3 * sizeof (float));
  GError *error = NULL;

  for (int i = 0; i < N; i++)
    blend[i] = 1;
  pmt_membrane_blend (patch, picture, blend, W, H, &error);
  g_assert_no_error (error);
  g_assert_true (memcmp (patch, before, N * 3 * sizeof (float)) == 0);
  g_rand_free (rand);
}

/* Values of sRGB's primaries and greys as colour tables give them. */
static void
test_lab_values (void)
{
  static const struct {
    float rgb[3];
    double lab[3];
  } known[] = {
    { { 1, 0, 0 }, { 53.24, 80.09, 67.20 } }, { { 0, 1, 0 }, { 87.73, -86.18, 83.18 } }, { { 0, 0, 1 }, { 32.30, 79.19, -107.86 } },
    { { 1, 1, 1 }, { 100, 0, 0 } },           { { 0, 0, 0 }, { 0, 0, 0 } },             { { 0.5f, 0.5f, 0.5f }, { 53.39, 0, 0 } },
    { { 0.02f, 0.02f, 0.02f }, { 1.398, 0, 0 } },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (known); i++) {
    float lab[3], rgb[3];
    pmt_lab_from_rgb (known[i].rgb, lab);
    pmt_lab_to_rgb (lab, rgb);
    for (int c = 0; c < 3; c++) {
      g_assert_cmpfloat_with_epsilon ((double) lab[c], known[i].lab[c], 0.02);
      g_assert_cmpfloat_with_epsilon ((double) rgb[c], (double) known[i].rgb[c], 1e-5);
    }
  }
}

/* `from` with other light: L stretched by `gain` and moved, a and b moved. */
static void
relight (const float *from, float *to, double gain, double move)
{
  for (int i = 0; i < N; i++) {
    float lab[3];
    pmt_lab_from_rgb (from + i * 3, lab);
    lab[0] = (float) (gain * (double) lab[0] + move);
    lab[1] += (float) (move / 2);
    lab[2] -= (float) (move / 2);
    pmt_lab_to_rgb (lab, to + i * 3);
  }
}

static void
test_lab_match (void)
{
  GRand *rand = g_rand_new_with_seed (10);
  g_autofree float *mask = g_new (float, N), *original = random_values (rand, N * 3), *result = g_new (float, N * 3);
  g_autofree float *before = NULL, *kept = NULL;
  PmtLabMatch match;
  GError *error = NULL;

  make_mask (mask);
  for (int i = 0; i < N * 3; i++)
    original[i] = 0.3f + 0.4f * original[i];
  relight (original, result, 0.9, 3);
  /* what is in the mask says nothing */
  for (int i = 0; i < N; i++)
    if (mask[i] > 0)
      memcpy (result + i * 3, (float[]) { 0.6f, 0.5f, 0.4f }, 3 * sizeof (float));
  kept = g_memdup2 (result, N * 3 * sizeof (float));
  pmt_colour_match_lab (result, original, mask, W, H, 1, 30, &match, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat_with_epsilon (match.gain[0], 1 / 0.9, 0.002);
  g_assert_cmpfloat_with_epsilon (match.shift[0], -3 / 0.9, 0.1);
  g_assert_cmpfloat_with_epsilon (match.shift[1], -1.5, 0.02);
  g_assert_cmpfloat_with_epsilon (match.shift[2], 1.5, 0.02);
  for (int i = 0; i < N * 3; i++)
    if (mask[i / 3] == 0)
      g_assert_cmpfloat_with_epsilon ((double) result[i], (double) original[i], 0.003);

  /* nothing to correct, nothing corrected; and the limits */
  before = g_memdup2 (original, N * 3 * sizeof (float));
  pmt_colour_match_lab (before, original, mask, W, H, 1, 30, &match, &error);
  for (int i = 0; i < N * 3; i++)
    g_assert_cmpfloat_with_epsilon ((double) before[i], (double) original[i], 1e-5);
  relight (original, result, 0.5, 20);
  pmt_colour_match_lab (result, original, mask, W, H, 1, 30, &match, &error);
  g_assert_cmpfloat_with_epsilon (match.gain[0], 1.25, 1e-9);

  /* no ring: all is painted */
  for (int i = 0; i < N; i++)
    mask[i] = 1;
  memcpy (result, kept, N * 3 * sizeof (float));
  pmt_colour_match_lab (result, original, mask, W, H, 1, 30, &match, &error);
  g_assert_no_error (error);
  g_assert_true (match.weight == 0 && memcmp (result, kept, N * 3 * sizeof (float)) == 0);
  g_rand_free (rand);
}

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

/* The process may have that many bytes of addresses more. */
static void
allow (size_t more)
{
  g_autofree char *pages = NULL;
  g_assert_true (g_file_get_contents ("/proc/self/statm", &pages, NULL, NULL));
  const rlim_t limit = (rlim_t) (g_ascii_strtoull (pages, NULL, 10) * (guint64) sysconf (_SC_PAGESIZE) + more);
  g_assert_cmpint (setrlimit (RLIMIT_AS, &(struct rlimit) { limit, limit }), ==, 0);
}

/* Where a picture's memory is not there, that is said; the pixels are not looked at before. */
static void
test_no_memory (void)
{
  enum { SIDE = 8192 };
  const size_t n = (size_t) SIDE * SIDE;
  g_autoptr (GError) error = NULL;
  float dot[3] = { 0, 0, 0 };
#ifdef __SANITIZE_ADDRESS__
  g_test_skip ("the sanitizer needs addresses without end");
  return;
#endif
  if (!g_test_subprocess ()) {
    g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed ();
    return;
  }
  allow (n * 3 * sizeof (float) + n / 2);
  g_assert_false (pmt_membrane_blend (dot, dot, dot, SIDE, SIDE, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_MEMORY);
  g_clear_error (&error);
  allow (n / 2);
  g_assert_false (pmt_prefill_find ("surroundings")->make (dot, dot, SIDE, SIDE, 1, dot, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_MEMORY);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/membrane/is-the-solution", test_membrane_is_the_solution);
  g_test_add_func ("/image/membrane/of-a-plane", test_membrane_of_a_plane);
  g_test_add_func ("/image/membrane/has-free-borders", test_membrane_has_free_borders);
  g_test_add_func ("/image/prefill/stays-inside", test_prefills_stay_inside);
  g_test_add_func ("/image/prefill/gray-is-gray", test_gray_is_gray);
  g_test_add_func ("/image/prefill/surroundings-forget-and-blur-remembers", test_surroundings_forget_and_blur_remembers);
  g_test_add_func ("/image/gradient-seam/meets-the-picture", test_gradient_seam);
  g_test_add_func ("/image/gradient-seam/without-a-border", test_gradient_seam_without_a_border);
  g_test_add_func ("/image/no-memory", test_no_memory);
  g_test_add_func ("/image/lab/values", test_lab_values);
  g_test_add_func ("/image/lab/match", test_lab_match);
  return g_test_run ();
}
