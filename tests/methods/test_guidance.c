/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;

/* Guidance 1 is no guidance: half the evaluations, and the negative prompt counts for nothing. */
static void
test_one (void)
{
  PmtRequest q = runs_request (&runs, model);
  PmtResult plain = runs_do (&q);
  PmtCost cost;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpint (cost.evaluations, ==, q.steps);

  q.negative = "blue house";
  PmtResult negative = runs_do (&q);
  runs_assert_equal (&plain, &negative);

  PmtMethodUse use = runs_use ("guidance"); /* named, and still nothing to do */
  q.methods = &use;
  q.n_methods = 1;
  PmtResult named = runs_do (&q);
  runs_assert_equal (&plain, &named);

  pmt_param_values_clear (&use.values);
  pmt_result_clear (&plain);
  pmt_result_clear (&negative);
  pmt_result_clear (&named);
}

/* With the same words on both sides there is nothing to be guided by, whatever the factor. */
static void
test_same_prompts (void)
{
  PmtRequest q = runs_request (&runs, model);
  PmtResult plain = runs_do (&q);
  q.negative = q.prompt;
  q.guidance = 7.5;
  PmtCost cost;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpint (cost.evaluations, ==, 2 * q.steps);
  PmtResult guided = runs_do (&q);
  runs_assert_equal (&plain, &guided);

  q.negative = NULL;
  PmtResult empty = runs_do (&q);
  q.negative = "";
  PmtResult quotes = runs_do (&q);
  runs_assert_equal (&empty, &quotes);
  runs_assert_differ (&empty, &plain);
  pmt_result_clear (&plain);
  pmt_result_clear (&guided);
  pmt_result_clear (&empty);
  pmt_result_clear (&quotes);
}

typedef struct Spread {
  double cond, result;
} Spread;

static double
deviation (PmtTensor t)
{
  const int64_t n = pmt_tensor_size (t);
  double mean = 0, sum = 0;
  for (int64_t i = 0; i < n; i++)
    mean += t.data[i] / (double) n;
  for (int64_t i = 0; i < n; i++)
    sum += (t.data[i] - mean) * (t.data[i] - mean);
  return sqrt (sum / (double) (n - 1));
}

static Spread spread;

static gboolean
look (void *user, PmtRun *run, PmtStep *step, int track, GError **error)
{
  spread.cond = deviation (pmt_rows_find (&step->rows, track, PMT_ROW_COND)->prediction);
  spread.result = deviation (run->tracks[track]->prediction);
  return TRUE;
}

/* Rescaling all the way gives the result the spread of the conditional prediction. */
static void
test_rescale (void)
{
  static const PmtMethod watch = { .id = "watch", .order = 1000, .combine = look };
  PmtMethodUse uses[2] = { runs_use ("guidance"), { .method = &watch } };
  PmtRequest q = runs_request (&runs, model);
  q.guidance = 9;
  q.methods = uses;
  q.n_methods = 2;
  PmtResult loud = runs_do (&q);
  g_assert_cmpfloat (spread.result / spread.cond, >, 1.05);
  uses[0].values.number[0] = 1.0;
  PmtResult calm = runs_do (&q);
  g_assert_cmpfloat (fabs (spread.result / spread.cond - 1), <, 1e-5);
  runs_assert_differ (&loud, &calm);
  pmt_param_values_clear (&uses[0].values);
  pmt_result_clear (&loud);
  pmt_result_clear (&calm);
}

static void
test_errors (void)
{
  GError *error = NULL;
  PmtResult result;
  PmtRequest q = runs_request (&runs, model);
  const double bad[] = { -1, NAN, INFINITY };
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    q.guidance = bad[i];
    g_assert_false (pmt_run (&q, &result, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
    g_clear_error (&error);
  }
  PmtMethodUse use = runs_use ("guidance");
  g_assert_false (pmt_param_values_set_text (&use.values, "rescale", "1.5", "method guidance", &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "from 0 to 1"));
  g_clear_error (&error);
  pmt_param_values_clear (&use.values);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/guidance/one-is-none", test_one },
    { "/guidance/same-prompts", test_same_prompts },
    { "/guidance/rescale", test_rescale },
    { "/guidance/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
