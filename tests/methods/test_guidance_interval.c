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

/* In all steps it is the plain run, in none the run without guidance, to the bit. */
static void
test_ends (void)
{
  PmtMethodUse use = runs_use ("guidance-interval");
  PmtRequest q = guided (), bare = guided ();
  bare.guidance = 1;
  attention_set (&use, "end", "1");
  PmtResult all = attention_do (q, &use, 1), plain = attention_do (q, NULL, 0);
  runs_assert_equal (&all, &plain);
  g_assert_cmpint (runs_cost (q, &use).evaluations, ==, 10);
  attention_set (&use, "end", "0");
  PmtResult none = attention_do (q, &use, 1), unguided = attention_do (bare, NULL, 0);
  runs_assert_equal (&none, &unguided);
  g_assert_cmpint (runs_cost (q, &use).evaluations, ==, 5);
  attention_set (&use, "end", "0.6");
  PmtResult part = attention_do (q, &use, 1);
  runs_assert_differ (&part, &plain);
  runs_assert_differ (&part, &unguided);
  g_assert_cmpint (runs_cost (q, &use).evaluations, ==, 8);
  pmt_result_clear (&all);
  pmt_result_clear (&plain);
  pmt_result_clear (&none);
  pmt_result_clear (&unguided);
  pmt_result_clear (&part);
  pmt_param_values_clear (&use.values);
}

static void
test_errors (void)
{
  PmtMethodUse uses[2] = { runs_use ("guidance-interval"), runs_use ("composable") };
  attention_set (&uses[0], "start", "0.5");
  attention_set (&uses[0], "end", "0.4");
  attention_refused (guided (), uses, 1, "ends at 0.4, before it starts at 0.5");
  attention_set (&uses[0], "end", "0.6");
  attention_refused (guided (), uses, 2, "guidance-interval and composable cannot be used together");
  pmt_param_values_clear (&uses[0].values);
  pmt_param_values_clear (&uses[1].values);
}

static void
test_parity (void)
{
  g_assert_cmpint (composed_check (&runs, "guidance-interval", model, NULL), ==, 1);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/guidance-interval/ends", test_ends },
    { "/guidance-interval/errors", test_errors },
    { "/guidance-interval/parity", test_parity },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
