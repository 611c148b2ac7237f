/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Networks at rest: text encoders go after the prompts, and where memory is short the UNet before the picture is decoded. Nothing of it shows
 * in the picture, the memory told in advance counts it, and the next run has all of them again. */
#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;

static PmtModel *
restless (void)
{
  PmtModel *fresh = runs_model ("tiny");
  pmt_model_set_small (fresh, 0);
  return fresh;
}

static PmtRequest
request_of (PmtModel *with)
{
  PmtRequest q = runs_request (&runs, with);
  q.guidance = 6;
  return q;
}

static void
rest_of (PmtModel *fresh, size_t *texts, size_t *unet)
{
  GError *error = NULL;
  pmt_model_rest_bytes (fresh, PMT_UNET_MAIN, texts, unet, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (*texts, >, 0);
  g_assert_cmpuint (*unet, >, 0);
}

static void
test_texts (void)
{
  PmtModel *fresh = restless ();
  PmtRequest usual = request_of (model), q = request_of (fresh);
  PmtResult wanted = runs_do (&usual);
  PmtCost kept, cost;
  size_t texts, unet;
  rest_of (fresh, &texts, &unet);
  g_assert_true (pmt_run_cost (&usual, &kept, NULL) && pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpuint (kept.memory_bytes, ==, kept.weight_bytes + kept.activation_bytes);
  g_assert_cmpuint (cost.memory_bytes, <, kept.memory_bytes);
  g_assert_cmpuint (cost.memory_bytes, >=, kept.memory_bytes - texts);
  for (int i = 0; i < 2; i++) {
    PmtResult r = runs_do (&q);
    runs_assert_equal (&r, &wanted);
    g_assert_cmpuint (r.memory_bytes, ==, cost.memory_bytes);
    g_assert_cmpuint (pmt_model_resident_bytes (fresh), ==, cost.weight_bytes - texts);
    pmt_result_clear (&r);
  }
  /* those below the mark stay */
  g_assert_cmpuint (pmt_model_resident_bytes (model), ==, kept.weight_bytes);
  pmt_result_clear (&wanted);
  pmt_model_unref (fresh);
}

/* A picture so large that decoding it takes most, in less memory than the usual way wants. */
static void
test_frugal (void)
{
  PmtModel *fresh = restless ();
  PmtRequest usual = request_of (model), q = request_of (fresh);
  usual.width = usual.height = q.width = q.height = 192;
  usual.rows_per_call = q.rows_per_call = 1;
  usual.vae_tiling = q.vae_tiling = PMT_VAE_TILING_OFF;
  PmtResult wanted = runs_do (&usual), r;
  PmtCost cost, less;
  GError *error = NULL;
  size_t texts, unet;
  rest_of (fresh, &texts, &unet);
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  q.memory_limit = cost.memory_bytes - 1;
  g_assert_true (pmt_run_cost (&q, &less, NULL));
  g_assert_true (less.fits && !less.vae_tiled);
  g_assert_cmpuint (less.memory_bytes, <, cost.memory_bytes);
  g_assert_cmpuint (less.memory_bytes, >=, cost.memory_bytes - unet);
  q.memory_limit = less.memory_bytes;
  for (int i = 0; i < 2; i++) {
    r = runs_do (&q);
    runs_assert_equal (&r, &wanted);
    g_assert_cmpuint (r.memory_bytes, ==, less.memory_bytes);
    g_assert_cmpuint (pmt_model_resident_bytes (fresh), ==, cost.weight_bytes - texts - unet);
    pmt_result_clear (&r);
    q.memory_limit -= pmt_model_resident_bytes (fresh); /* a limit is for what is not there yet */
  }
  q.memory_limit = 0;
  q.once = true; /* the same where nothing comes after */
  r = runs_do (&q);
  runs_assert_equal (&r, &wanted);
  g_assert_cmpuint (r.memory_bytes, ==, less.memory_bytes);
  g_assert_cmpuint (pmt_model_resident_bytes (fresh), ==, cost.weight_bytes - texts - unet);
  pmt_result_clear (&r);
  q.once = false;
  q.memory_limit = less.memory_bytes - pmt_model_resident_bytes (fresh) - 1;
  g_assert_false (pmt_run (&q, &r, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_MEMORY);
  g_clear_error (&error);
  pmt_result_clear (&wanted);
  pmt_model_unref (fresh);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = { { "/rest/texts", test_texts }, { "/rest/frugal", test_frugal }, { 0 } };
  return runs_main (argc, argv, &runs, &model, tests);
}
