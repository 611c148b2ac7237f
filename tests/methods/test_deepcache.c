/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/methods/attention.h"
#include "tests/methods/composed.h"

static Runs runs;
static PmtModel *model;

static PmtRequest
guided (void)
{
  return runs_guided (&runs, model, 5);
}

/* With every step whole it is the plain run, to the bit; rows one by one are rows together; fewer whole steps cost less. */
static void
test_identities (void)
{
  PmtMethodUse use = runs_use ("deepcache");
  PmtRequest q = guided ();
  attention_set (&use, "interval", "1");
  PmtResult whole = attention_do (q, &use, 1), plain = attention_do (q, NULL, 0);
  runs_assert_equal (&whole, &plain);
  g_assert_cmpfloat (runs_cost (q, &use).flops, ==, runs_cost (q, NULL).flops);
  attention_set (&use, "interval", "3");
  PmtResult short_ones = attention_do (q, &use, 1);
  runs_assert_differ (&short_ones, &plain);
  g_assert_cmpint (runs_cost (q, &use).evaluations, ==, 10);
  g_assert_cmpfloat (runs_cost (q, &use).flops, <, 0.9 * runs_cost (q, NULL).flops);
  q.rows_per_call = 1;
  PmtResult singly = attention_do (q, &use, 1);
  runs_assert_equal (&short_ones, &singly);
  pmt_result_clear (&whole);
  pmt_result_clear (&plain);
  pmt_result_clear (&short_ones);
  pmt_result_clear (&singly);
  pmt_param_values_clear (&use.values);
}

/* Rows that change make a step whole: guidance that ends after the first of five steps leaves one row, which no earlier step kept. */
static void
test_rows_change (void)
{
  PmtMethodUse uses[2] = { runs_use ("deepcache"), runs_use ("guidance-interval") };
  PmtRequest q = guided ();
  attention_set (&uses[0], "interval", "5");
  attention_set (&uses[1], "end", "0.2");
  PmtResult both = attention_do (q, uses, 2), interval = attention_do (q, uses + 1, 1);
  q.steps = 2;
  attention_set (&uses[1], "end", "0.5");
  PmtResult two = attention_do (q, uses, 2), two_plain = attention_do (q, uses + 1, 1);
  runs_assert_equal (&two, &two_plain); /* both of them whole */
  runs_assert_differ (&both, &interval);
  pmt_result_clear (&both);
  pmt_result_clear (&interval);
  pmt_result_clear (&two);
  pmt_result_clear (&two_plain);
  pmt_param_values_clear (&uses[0].values);
  pmt_param_values_clear (&uses[1].values);
}

/* A method that evaluates within steps sees the whole network: with every step whole nothing changes. */
static void
test_nested (void)
{
  PmtMethodUse uses[2] = { runs_use ("deepcache"), runs_use ("attend-and-excite") };
  PmtRequest q = guided ();
  q.steps = 2;
  attention_set (&uses[0], "interval", "1");
  attention_set (&uses[1], "words", "circle");
  PmtResult both = attention_do (q, uses, 2), alone = attention_do (q, uses + 1, 1);
  runs_assert_equal (&both, &alone);
  pmt_result_clear (&both);
  pmt_result_clear (&alone);
  pmt_param_values_clear (&uses[0].values);
  pmt_param_values_clear (&uses[1].values);
}

static void
test_errors (void)
{
  PmtMethodUse use = runs_use ("deepcache");
  attention_set (&use, "skips", "4");
  attention_refused (guided (), &use, 1, "a depth of 4 and this model allows 1 to 3");
  pmt_param_values_clear (&use.values);
}

static void
test_parity (void)
{
  g_assert_cmpint (composed_check (&runs, "deepcache", model, NULL), ==, 3);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/deepcache/identities", test_identities },
    { "/deepcache/rows-change", test_rows_change },
    { "/deepcache/nested", test_nested },
    { "/deepcache/errors", test_errors },
    { "/deepcache/parity", test_parity },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
