/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "tests/methods/attention.h"
#include "tests/methods/composed.h"

static Runs runs;
static PmtModel *model;

static PmtRequest
guided (void)
{
  return runs_guided (&runs, model, 3);
}

/* A share of 0 goes the whole way of merging and changes no byte; rows one by one are rows together; a seed says it all. */
static void
test_identities (void)
{
  PmtMethodUse use = runs_use ("token-merging");
  PmtRequest q = guided ();
  attention_set (&use, "ratio", "0");
  PmtResult none = attention_do (q, &use, 1), plain = attention_do (q, NULL, 0);
  runs_assert_equal (&none, &plain);
  attention_set (&use, "ratio", "0.5");
  PmtResult merged = attention_do (q, &use, 1), again = attention_do (q, &use, 1);
  runs_assert_differ (&merged, &plain);
  runs_assert_equal (&merged, &again);
  q.rows_per_call = 1;
  PmtResult singly = attention_do (q, &use, 1);
  runs_assert_equal (&merged, &singly);
  pmt_result_clear (&none);
  pmt_result_clear (&plain);
  pmt_result_clear (&merged);
  pmt_result_clear (&again);
  pmt_result_clear (&singly);
  pmt_param_values_clear (&use.values);
}

/* Work falls where maps are large: attention's part grows with the square of their tokens. What is said in advance is what is used. */
static void
test_cost (void)
{
  PmtMethodUse use = runs_use ("token-merging");
  PmtRequest q = guided ();
  attention_set (&use, "ratio", "0.5");
  q.width = q.height = 512;
  const double large = runs_cost (q, &use).flops / runs_cost (q, NULL).flops;
  q.width = q.height = 128;
  const double small = runs_cost (q, &use).flops / runs_cost (q, NULL).flops;
  g_test_message ("work of plain: %.3f at 512, %.3f at 128", large, small);
  g_assert_cmpfloat (large, <, 0.75);
  g_assert_cmpfloat (large, <, small);
  attention_set (&use, "ratio", "0.75");
  q.width = q.height = 512;
  g_assert_cmpfloat (runs_cost (q, &use).flops / runs_cost (q, NULL).flops, <, large);
  q = guided ();
  const PmtCost told = runs_cost (q, &use);
  PmtResult done = attention_do (q, &use, 1);
  g_assert_cmpuint (done.peak_bytes, ==, told.activation_bytes);
  pmt_result_clear (&done);
  pmt_param_values_clear (&use.values);
}

/* A method that evaluates within steps sees the network whole, with its gradient; the run's own evaluations are merged. */
static void
test_nested (void)
{
  PmtMethodUse uses[2] = { runs_use ("token-merging"), runs_use ("attend-and-excite") };
  PmtRequest q = guided ();
  q.steps = 2;
  attention_set (&uses[0], "ratio", "0");
  attention_set (&uses[1], "words", "circle");
  PmtResult both = attention_do (q, uses, 2), alone = attention_do (q, uses + 1, 1);
  runs_assert_equal (&both, &alone);
  attention_set (&uses[0], "ratio", "0.5");
  PmtResult merged = attention_do (q, uses, 2);
  runs_assert_differ (&merged, &alone);
  pmt_result_clear (&both);
  pmt_result_clear (&alone);
  pmt_result_clear (&merged);
  pmt_param_values_clear (&uses[0].values);
  pmt_param_values_clear (&uses[1].values);
}

/* Beside other ways of saving. */
static void
test_together (void)
{
  PmtMethodUse uses[2] = { runs_use ("token-merging"), runs_use ("deepcache") };
  PmtRequest q = guided ();
  PmtResult both = attention_do (q, uses, 2), one = attention_do (q, uses + 1, 1);
  runs_assert_differ (&both, &one);
  attention_set (&uses[0], "ratio", "0");
  PmtResult none = attention_do (q, uses, 2);
  runs_assert_equal (&none, &one);
  pmt_result_clear (&both);
  pmt_result_clear (&one);
  pmt_result_clear (&none);
  pmt_param_values_clear (&uses[0].values);
  pmt_param_values_clear (&uses[1].values);
}

static void
test_errors (void)
{
  PmtMethodUse uses[2] = { runs_use ("token-merging"), runs_use ("masactrl") };
  attention_set (&uses[1], "source", "a blue house");
  attention_refused (guided (), uses, 2, "masactrl");
  pmt_param_values_clear (&uses[0].values);
  pmt_param_values_clear (&uses[1].values);
}

static void
test_parity (void)
{
  g_assert_cmpint (composed_check (&runs, "token-merging", model, NULL), ==, 3);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/token-merging/identities", test_identities },
    { "/token-merging/cost", test_cost },
    { "/token-merging/nested", test_nested },
    { "/token-merging/together", test_together },
    { "/token-merging/errors", test_errors },
    { "/token-merging/parity", test_parity },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
