/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "engine/methods/even_noise.h"
#include "engine/sample/runner.h"
#include "tests/methods/guided.h"

static Runs runs;
static PmtModel *model;

static void
fill (PmtRequest *request, PmtMethodUse *use, JsonObject *c)
{
  request->image = json_object_get_boolean_member (c, "photo") ? runs.picture : NULL;
}

/* The loop over diffusers' UNet with torch's autograd, from a seed and from a photo. */
static void
test_reference (void)
{
  g_assert_cmpint (guided_check ("pix2pix-zero", losses_request (&runs, model), fill), ==, 2);
}

static PmtMethodUse
turn (const char *from, const char *to)
{
  PmtMethodUse use = runs_use ("pix2pix-zero");
  losses_set (&use, "from", from);
  losses_set (&use, "to", to);
  return use;
}

/* Turned into itself, a thing stays: the loss is 0 and the picture that without it, to the bit. Memory is as computed; it can be cancelled. */
static void
test_identities (void)
{
  PmtMethodUse same = turn ("circle", "circle"), other = turn ("circle", "house");
  PmtRequest q = losses_request (&runs, model);
  PmtResult plain = losses_run (q, NULL), still = losses_run (q, &same);
  runs_assert_equal (&plain, &still);
  pmt_result_clear (&still);
  pmt_result_clear (&plain);
  /* Amount 0 leaves the words alone to act; more holds the layout. */
  losses_set (&other, "amount", "20");
  PmtResult held = losses_run (q, &other);
  losses_set (&other, "amount", "0");
  PmtResult loose = losses_run (q, &other);
  runs_assert_differ (&held, &loose);
  pmt_result_clear (&held);
  pmt_result_clear (&loose);

  losses_set (&other, "amount", "0.5");
  q.image = runs.picture;
  q.methods = &other;
  q.n_methods = 1;
  PmtCost cost;
  GError *error = NULL;
  PmtResult r = runs_do (&q);
  g_assert_true (pmt_run_cost (&q, &cost, &error));
  g_assert_cmpuint (r.peak_bytes, ==, cost.activation_bytes);
  pmt_result_clear (&r);
  static PmtCancel cancel;
  pmt_cancel_request (&cancel);
  q.cancel = &cancel;
  g_assert_false (pmt_run (&q, &r, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
  g_clear_error (&error);
  pmt_param_values_clear (&same.values);
  pmt_param_values_clear (&other.values);
}

/* ---- noise ------------------------------------------------------------------------------------------------------------- */

enum { H = 20, W = 26, C = 3, N = H * W * C };

/* What is told to a stage that runs without the method. */
static void
test_shown (void)
{
  static const char *const cases[][4] = {
    { "cat", "dog", "a Cat by a cathedral, cat.", "a dog by a cathedral, dog." },
    { "red (old) cat", "dog", "the red (old) cat", "the dog" },
    { "cat", "dog", "a horse", "a horse" },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    PmtMethodUse use = turn (cases[i][0], cases[i][1]);
    PmtRequest q = { .prompt = cases[i][2], .methods = &use, .n_methods = 1 };
    g_autofree char *words = pmt_request_shown (&q);
    g_assert_cmpstr (words, ==, cases[i][3]);
    pmt_param_values_clear (&use.values);
  }
}

static void
fill_noise (float *e, unsigned seed)
{
  GRand *rand = g_rand_new_with_seed (seed);
  for (int i = 0; i < N; i++) /* smooth, too wide and off the middle */
    e[i] = (float) (0.4 + g_rand_double_range (rand, -1, 1) + 1.5 * sin ((i / C) % W / 4.0)); /* of the column */
  g_rand_free (rand);
}

static double
both (const float *e, double factor, float *gradient)
{
  PmtRng rng;
  pmt_rng_seed (&rng, 3);
  return pmt_noise_likeness (&rng, e, H, W, C, factor, gradient) + pmt_noise_abnormality (e, N, factor, gradient);
}

static void
test_differences (void)
{
  static float e[N], gradient[N], scratch[N], moved[N], direction[N];
  GRand *rand = g_rand_new_with_seed (9);
  fill_noise (e, 1);
  memset (gradient, 0, sizeof gradient);
  both (e, 1, gradient);
  for (int trial = 0; trial < 4; trial++) {
    const double h = 1e-3;
    double along = 0, side[2];
    for (int i = 0; i < N; i++) {
      direction[i] = trial ? (float) g_rand_double_range (rand, -1, 1) : 20 * gradient[i];
      along += (double) direction[i] * (double) gradient[i];
    }
    for (int k = 0; k < 2; k++) {
      for (int i = 0; i < N; i++)
        moved[i] = e[i] + (float) (k ? -h : h) * direction[i];
      side[k] = both (moved, 1, scratch);
    }
    const double difference = (side[0] - side[1]) / (2 * h);
    g_test_message ("gradient %.6f, differences %.6f", along, difference);
    g_assert_cmpfloat (fabs (along - difference), <, 1e-3 * fabs (along) + 1e-4);
  }
  g_rand_free (rand);
}

/* Noise with a pattern becomes more like noise: both measures fall. */
static void
test_even (void)
{
  static float e[N], scratch[N];
  PmtEvenNoise how = { .apart = 20, .normal = 20, .rounds = 30, .rolls = 5 };
  PmtRng rng;
  double before[2], after[2];
  fill_noise (e, 2);
  pmt_rng_seed (&rng, 8);
  before[0] = pmt_noise_likeness (&rng, e, H, W, C, 1, scratch);
  before[1] = pmt_noise_abnormality (e, N, 1, scratch);
  pmt_rng_seed (&how.rng, 5);
  pmt_noise_even (&how, e, H, W, C);
  pmt_rng_seed (&rng, 8);
  after[0] = pmt_noise_likeness (&rng, e, H, W, C, 1, scratch);
  after[1] = pmt_noise_abnormality (e, N, 1, scratch);
  g_test_message ("likeness %.4f to %.4f, abnormality %.4f to %.4f", before[0], after[0], before[1], after[1]);
  g_assert_cmpfloat (after[0], <, before[0]);
  g_assert_cmpfloat (after[1], <, before[1]);
}

static void
test_errors (void)
{
  PmtMethodUse use = turn ("circle", "");
  PmtRequest q = losses_request (&runs, model);
  q.methods = &use;
  q.n_methods = 1;
  runs_refused (&q, PMT_ERROR_INPUT, "from and to");
  losses_set (&use, "to", "house");
  q.image = runs.picture;
  q.sampler = pmt_sampler_find ("euler", NULL);
  runs_refused (&q, PMT_ERROR_INPUT, "ddim");
  q.mask = runs.mask;
  runs_refused (&q, PMT_ERROR_INPUT, "mask");
  pmt_param_values_clear (&use.values);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/pix2pix-zero/reference", test_reference },
    { "/pix2pix-zero/identities", test_identities },
    { "/pix2pix-zero/differences", test_differences },
    { "/pix2pix-zero/even", test_even },
    { "/pix2pix-zero/shown", test_shown },
    { "/pix2pix-zero/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
