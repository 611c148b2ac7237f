/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "tests/methods/composed.h"
#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;

static PmtRequest
request (const char *prompt)
{
  PmtRequest q = runs_request (&runs, model);
  q.prompt = prompt;
  q.negative = "blurry";
  q.guidance = 5;
  return q;
}

static PmtResult
run (const char *prompt)
{
  PmtRequest q = request (prompt);
  return runs_do (&q);
}

static void
assert_near (const PmtResult *a, const PmtResult *b, double tolerance)
{
  g_assert_cmpfloat (runs_distance (a->latent, b->latent, runs_latent_size (a)), <, tolerance);
}

/* One prompt is plain guidance, to the bit, whether the method is asked for or not; so is one beside others of weight 0. */
static void
test_alone (void)
{
  static const char *const same[] = { "a red circle :1", "a red circle AND a house :0", "a red circle:1.0 AND NOT blue:0 AND left :-0" };
  PmtResult plain = run ("a red circle");
  PmtMethodUse use = runs_use ("composable");
  PmtRequest q = request ("a red circle");
  q.methods = &use;
  q.n_methods = 1;
  PmtResult named = runs_do (&q);
  runs_assert_equal (&plain, &named);
  for (guint i = 0; i < G_N_ELEMENTS (same); i++) {
    PmtResult r = run (same[i]);
    if (i == 0) /* ":1" alone is no syntax of joined prompts: there is no AND */
      runs_assert_differ (&plain, &r);
    else
      assert_near (&plain, &r, 1e-5);
    pmt_result_clear (&r);
  }
  pmt_param_values_clear (&use.values);
  pmt_result_clear (&plain);
  pmt_result_clear (&named);
}

/* K times the same with weights that sum to 1 is the prompt once; order does not matter; weights do, and signs. */
static void
test_sums (void)
{
  PmtResult plain = run ("a red circle"), thirds = run ("a red circle :0.25 AND a red circle:.25 AND  a red circle : 0.5");
  assert_near (&plain, &thirds, 1e-4);
  PmtResult two = run ("a red circle AND a blue house :0.7"), turned = run ("a blue house :0.7 AND a red circle");
  assert_near (&two, &turned, 1e-4);
  PmtResult away = run ("a red circle AND NOT a blue house :0.7"), minus = run ("a red circle AND a blue house :-0.7");
  runs_assert_equal (&away, &minus);
  PmtResult back = run ("a red circle AND NOT a blue house :-0.7");
  runs_assert_equal (&back, &two);
  runs_assert_differ (&two, &plain);
  runs_assert_differ (&two, &away);
  PmtResult all[] = { plain, thirds, two, turned, away, minus, back };
  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    pmt_result_clear (&all[i]);
}

/* The parameter's prompts are the prompt's own behind AND, and there they are also where the prompt is plain text. */
static void
test_parameter (void)
{
  PmtMethodUse use = runs_use ("composable");
  GError *error = NULL;
  PmtRequest q = request ("a red circle");
  g_assert_true (pmt_param_values_set_text (&use.values, "terms", "a blue house :0.7 AND NOT left", "method composable", &error));
  q.methods = &use;
  q.n_methods = 1;
  PmtResult given = runs_do (&q), written = run ("a red circle AND a blue house :0.7 AND NOT left");
  runs_assert_equal (&given, &written);
  q.prompt_syntax = PMT_SYNTAX_PLAIN;
  PmtResult plain = runs_do (&q);
  runs_assert_equal (&given, &plain);

  /* without syntax AND is a word like others */
  q = request ("a red circle AND a blue house");
  q.prompt_syntax = PMT_SYNTAX_PLAIN;
  PmtCost cost;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpint (cost.evaluations, ==, 2 * q.steps);
  q.prompt_syntax = PMT_SYNTAX_A1111;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpint (cost.evaluations, ==, 3 * q.steps);
  q.prompt = "a red hAND AND_ bANDage";
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpint (cost.evaluations, ==, 2 * q.steps);
  pmt_param_values_clear (&use.values);
  pmt_result_clear (&given);
  pmt_result_clear (&written);
  pmt_result_clear (&plain);
}

/* A tag is no part of any prompt, wherever it stands: in front of NOT and behind a weight it hides neither. */
static void
test_tags (void)
{
  static const char *const same[] = { "a red circle AND NOT a blue house :0.7 <lora:x:1>", "a red circle AND <lora:x:1> NOT a blue house :0.7",
                                      "a red circle <hypernet:salt AND pepper:0.5> AND NOT a blue house :0.7<lora:x><lyco:y:1:2>" };
  PmtResult plain = run ("a red circle AND NOT a blue house :0.7");
  for (guint i = 0; i < G_N_ELEMENTS (same); i++) {
    PmtResult r = run (same[i]);
    runs_assert_equal (&plain, &r);
    pmt_result_clear (&r);
  }
  PmtMethodUse use = runs_use ("composable");
  GError *error = NULL;
  PmtRequest q = request ("a red circle<lora:x:1>");
  g_assert_true (pmt_param_values_set_text (&use.values, "terms", "NOT a blue house :0.7 <lora:x:1>", "method composable", &error));
  q.methods = &use;
  q.n_methods = 1;
  PmtResult further = runs_do (&q);
  runs_assert_equal (&plain, &further);
  pmt_result_clear (&further);
  pmt_result_clear (&plain);
  pmt_param_values_clear (&use.values);
}

/* At guidance 1 weights still count, and long terms make all contexts long. */
static void
test_without_guidance (void)
{
  PmtRequest q = request ("a red circle AND NOT a blue house");
  q.guidance = 1;
  PmtCost cost;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpint (cost.evaluations, ==, 3 * q.steps);
  PmtResult joined = runs_do (&q);
  q.prompt = "a red circle";
  PmtResult plain = runs_do (&q);
  runs_assert_differ (&joined, &plain);

  q.prompt = "a red circle AND red circle and blue house and red house and blue circle and red circle left of a house and a house";
  PmtResult longer = runs_do (&q);
  q.rows_per_call = 1;
  PmtResult singly = runs_do (&q);
  runs_assert_equal (&longer, &singly);
  pmt_result_clear (&joined);
  pmt_result_clear (&plain);
  pmt_result_clear (&longer);
  pmt_result_clear (&singly);
}

static void
test_reference (void)
{
  g_assert_cmpint (composed_check (&runs, "composable", model, NULL), ==, 3);
}

static void
test_errors (void)
{
  static const struct {
    const char *prompt, *says;
  } bad[] = {
    { "a AND b :1000", "has to be from -100 to 100" },
    { "a AND b :1000 <lora:x:1>", "has to be from -100 to 100" },
    { "a AND b <lora:x:much>", "cannot be read" },
    { "a AND a AND a AND a AND a AND a AND a AND a AND a AND a AND a AND a AND a AND a AND a AND a AND a", "more than 16 prompts" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    GError *error = NULL;
    PmtResult result;
    PmtRequest q = request (bad[i].prompt);
    g_assert_false (pmt_run (&q, &result, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
    g_assert_nonnull (strstr (error->message, bad[i].says));
    g_clear_error (&error);
  }
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/composable/alone", test_alone },
    { "/composable/sums", test_sums },
    { "/composable/parameter", test_parameter },
    { "/composable/tags", test_tags },
    { "/composable/without-guidance", test_without_guidance },
    { "/composable/reference", test_reference },
    { "/composable/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
