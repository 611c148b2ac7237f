/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;

/* Less strength, fewer steps and a result nearer to what the autoencoder makes of the picture. */
static void
test_strength (void)
{
  PmtRequest q = runs_request (&runs, model);
  q.steps = 10;
  q.image = runs.picture;
  q.mask = g_new0 (float, runs.width * runs.height); /* nothing to paint: the picture's own latents */
  PmtResult own = runs_do (&q);
  g_free ((float *) q.mask);
  q.mask = NULL;
  double before = 0;
  for (int s = 1; s <= 4; s++) {
    q.strength = 0.25 * s;
    PmtResult r = runs_do (&q);
    const double away = runs_distance (r.latent, own.latent, runs_latent_size (&r));
    g_assert_cmpint (r.steps_done, ==, (int) (10 * q.strength));
    g_assert_cmpfloat (away, >, before);
    before = away;
    pmt_result_clear (&r);
  }
  pmt_result_clear (&own);
}

/* At strength 1 the picture still shows in the start, as in the reference: not a picture from text. */
static void
test_full (void)
{
  PmtRequest q = runs_request (&runs, model);
  PmtResult text = runs_do (&q);
  q.image = runs.picture;
  PmtResult image = runs_do (&q);
  runs_assert_differ (&text, &image);
  q.seed++;
  PmtResult other = runs_do (&q);
  runs_assert_differ (&other, &image);
  pmt_result_clear (&text);
  pmt_result_clear (&image);
  pmt_result_clear (&other);
}

static void
test_errors (void)
{
  GError *error = NULL;
  PmtResult result;
  PmtRequest q = runs_request (&runs, model);
  q.image = runs.picture;
  q.strength = 0.2; /* of 4 steps: none */
  g_assert_false (pmt_run (&q, &result, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "strength of 0.2"));
  g_clear_error (&error);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/img2img/strength", test_strength },
    { "/img2img/full-strength", test_full },
    { "/img2img/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
