/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "engine/methods/excite.h"
#include "tests/methods/losses.h"

static Runs runs;
static PmtModel *model;

/* diffusers' pipeline. Its steps of a run of 6 are written as steps of 50: 4 as 33, the thresholds' 2 and 3 as 17 and 25. */
static void
test_reference (void)
{
  PmtRequest q = losses_request (&runs, model);
  PmtMethodUse use = runs_use ("attend-and-excite");
  losses_set (&use, "words", "circle house");
  losses_set (&use, "steps", "33");
  losses_set (&use, "thresholds", "0:0.05; 17:0.5; 25:0.8");
  PmtResult r = losses_run (q, &use);
  losses_compare ("excite", &r);
  pmt_result_clear (&r);
  losses_set (&use, "words", "house");
  losses_set (&use, "steps", "50");
  losses_set (&use, "scale", "60");
  losses_set (&use, "thresholds", "");
  r = losses_run (q, &use);
  losses_compare ("excite-one", &r);
  pmt_result_clear (&r);
  pmt_param_values_clear (&use.values);
}

static void
test_identities (void)
{
  PmtMethodUse use = runs_use ("attend-and-excite");
  losses_set (&use, "words", "circle; blue house");
  losses_check_identities (losses_request (&runs, model), &use, "scale");
  losses_set (&use, "scale", "20");
  losses_set (&use, "steps", "0");
  losses_set (&use, "thresholds", "");
  PmtRequest q = losses_request (&runs, model);
  PmtResult none = losses_run (q, &use), plain = losses_run (q, NULL);
  runs_assert_equal (&none, &plain);
  pmt_result_clear (&none);
  pmt_result_clear (&plain);
  pmt_param_values_clear (&use.values);
}

/* Samplers on sigmas, with guidance and without: the run goes through, and moves. */
static void
test_samplers (void)
{
  PmtMethodUse use = runs_use ("attend-and-excite");
  losses_set (&use, "words", "house");
  for (int guided = 0; guided < 2; guided++) {
    PmtRequest q = losses_request (&runs, model);
    q.sampler = pmt_sampler_find ("euler", NULL);
    q.guidance = guided ? 5 : 1;
    PmtResult r = losses_run (q, &use), plain = losses_run (q, NULL);
    runs_assert_differ (&r, &plain);
    pmt_result_clear (&r);
    pmt_result_clear (&plain);
  }
  pmt_param_values_clear (&use.values);
}

/* A sampler that evaluates a step twice goes on from where the step began: what is moved before the second evaluation would be lost, so there
 * are as many gradients as with one that evaluates it once. */
static void
test_twice (void)
{
  static const char *const ids[] = { "ddim", "heun" };
  PmtMethodUse use = runs_use ("attend-and-excite");
  losses_set (&use, "words", "house");
  losses_set (&use, "thresholds", "");
  double more[2];
  for (int i = 0; i < 2; i++) {
    PmtRequest q = losses_request (&runs, model);
    q.sampler = pmt_sampler_find (ids[i], NULL);
    more[i] = runs_cost (q, &use).flops - runs_cost (q, NULL).flops;
  }
  g_assert_cmpfloat (more[0], >, 0);
  g_assert_cmpfloat_with_epsilon (more[1] / more[0], 1, 1e-3);
  pmt_param_values_clear (&use.values);
}

/* How many gradients a run of so many steps is told to cost, in those of one that acts in a single step. */
static double
gradients (PmtMethodUse *use, int steps)
{
  PmtMethodUse single = runs_use ("attend-and-excite");
  PmtRequest q = losses_request (&runs, model);
  losses_set (&single, "words", "house");
  losses_set (&single, "steps", "1");
  losses_set (&single, "thresholds", "");
  const double one = runs_cost (q, &single).flops - runs_cost (q, NULL).flops;
  q.steps = steps;
  pmt_param_values_clear (&single.values);
  return (runs_cost (q, use).flops - runs_cost (q, NULL).flops) / one;
}

/* Steps are those of a run of fifty, of another one the same part; the estimate counts repetitions as if no threshold was reached, one evaluation
 * for each and one behind the last. */
static void
test_steps (void)
{
  static const struct {
    const char *steps, *thresholds;
    int run;
    double gradients;
  } cases[] = {
    { "25", "", 50, 25 },     { "25", "", 20, 10 },  { "25", "", 100, 50 },          { "10", "", 4, 1 },
    { "0", "10:0.5", 50, 4 }, { "0", "10:0.5", 6, 4 }, { "0", "0:0.1; 20:0.8", 6, 8 }, { "0", "0:0.1; 20:0.8", 2, 4 },
    { "25", "10:0.5", 20, 13 }, { "0", "60:0.5", 50, 0 },
  };
  PmtMethodUse use = runs_use ("attend-and-excite");
  losses_set (&use, "words", "house");
  losses_set (&use, "refinements", "3");
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    losses_set (&use, "steps", cases[i].steps);
    losses_set (&use, "thresholds", cases[i].thresholds);
    g_assert_cmpfloat_with_epsilon (gradients (&use, cases[i].run), cases[i].gradients, 1e-3);
  }
  pmt_param_values_clear (&use.values);
}

static const int columns[] = { 1, 2, 3, 4, 5, 6, 7, 8 }, tokens[] = { 3, 6 };

static double
excite (Maps *maps, void *user)
{
  return pmt_excite_loss (maps->probed, maps->n, columns, G_N_ELEMENTS (columns), tokens, G_N_ELEMENTS (tokens));
}

static void
test_differences (void)
{
  Maps maps;
  maps_init (&maps, 5, 4, 10, 7);
  maps_check (&maps, excite, NULL);
  maps_clear (&maps);
  maps_init (&maps, 1, 3, 10, 8); /* a border that reflects into itself */
  maps_check (&maps, excite, NULL);
  maps_clear (&maps);
}

/* A word that has a place to itself asks for nothing. */
static void
test_satisfied (void)
{
  Maps maps;
  maps_init (&maps, 4, 4, 10, 7);
  PmtProbed *p = &maps.probed[0];
  for (int h = 0; h < 2; h++)
    for (int t = 0; t < 16; t++)
      for (int k = 0; k < 10; k++)
        p->value.data[(h * 16 + t) * 10 + k] = k == (t < 8 ? 3 : 6) ? 0.9f : 0.1f / 9;
  g_assert_cmpfloat (excite (&maps, NULL), <, 1e-12);
  maps_clear (&maps);
}

static void
test_errors (void)
{
  static const struct {
    const char *id, *value, *says;
  } wrong[] = {
    { "words", "", "no words are given" },
    { "words", "zebra", "zebra" },
    { "thresholds", "soon:0.5", "soon" },
    { "thresholds", "3", "3" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    GError *error = NULL;
    PmtResult result;
    PmtMethodUse use = runs_use ("attend-and-excite");
    losses_set (&use, "words", "house");
    losses_set (&use, wrong[i].id, wrong[i].value);
    PmtRequest q = losses_request (&runs, model);
    q.methods = &use;
    q.n_methods = 1;
    g_assert_false (pmt_run (&q, &result, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
    g_assert_nonnull (strstr (error->message, wrong[i].says));
    g_assert_nonnull (strstr (error->message, "attend-and-excite"));
    g_clear_error (&error);
    pmt_param_values_clear (&use.values);
  }
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/attend-and-excite/reference", test_reference },
    { "/attend-and-excite/identities", test_identities },
    { "/attend-and-excite/samplers", test_samplers },
    { "/attend-and-excite/twice", test_twice },
    { "/attend-and-excite/steps", test_steps },
    { "/attend-and-excite/differences", test_differences },
    { "/attend-and-excite/satisfied", test_satisfied },
    { "/attend-and-excite/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
