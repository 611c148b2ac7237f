/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "engine/methods/refocus_loss.h"
#include "tests/methods/losses.h"

static Runs runs;
static PmtModel *model;

static PmtRequest
request (void)
{
  PmtRequest q = losses_request (&runs, model);
  q.layout = *losses_layout ();
  return q;
}

/* The loop over diffusers' UNet with torch's autograd. */
static void
test_reference (void)
{
  PmtMethodUse use = runs_use ("attention-refocusing");
  PmtResult r = losses_run (request (), &use);
  losses_compare ("refocus", &r);
  pmt_result_clear (&r);
  losses_set (&use, "scale", "20");
  losses_set (&use, "cross", "0.5");
  losses_set (&use, "self", "30");
  losses_set (&use, "enough", "1");
  losses_set (&use, "until", "1");
  r = losses_run (request (), &use);
  losses_compare ("refocus-far", &r);
  pmt_result_clear (&r);
  pmt_param_values_clear (&use.values);
}

/* Strength 0, losses that count nothing and no steps change nothing, to the bit; memory is as computed; it can be cancelled. */
static void
test_identities (void)
{
  PmtResult plain = losses_run (losses_request (&runs, model), NULL);
  for (int i = 0; i < 3; i++) {
    PmtMethodUse use = runs_use ("attention-refocusing");
    losses_set (&use, i == 0 ? "scale" : i == 1 ? "until" : "cross", "0");
    if (i == 2)
      losses_set (&use, "self", "0");
    PmtResult r = losses_run (request (), &use);
    runs_assert_equal (&r, &plain);
    pmt_result_clear (&r);
    pmt_param_values_clear (&use.values);
  }
  PmtMethodUse use = runs_use ("attention-refocusing");
  PmtRequest q = request ();
  PmtCost cost;
  GError *error = NULL;
  q.methods = &use;
  q.n_methods = 1;
  PmtResult r = runs_do (&q);
  g_assert_true (pmt_run_cost (&q, &cost, &error));
  g_assert_cmpuint (r.peak_bytes, ==, cost.activation_bytes);
  runs_assert_differ (&r, &plain);
  pmt_result_clear (&r);
  pmt_result_clear (&plain);
  pmt_param_values_clear (&use.values);
}

/* Two halves of one phrase are one thing that is everywhere, not two that keep from each other. */
static void
test_places_of_one (void)
{
  static const PmtLayoutBox halves[] = { { 0, 0, 0.5, 1, "house" }, { 0.5, 0, 1, 1, "house" } }, whole = { 0, 0, 1, 1, "house" };
  PmtMethodUse use = runs_use ("attention-refocusing");
  losses_set (&use, "enough", "1");
  losses_set (&use, "scale", "20");
  PmtRequest q = request ();
  q.layout = (PmtLayout) { .boxes = halves, .n_boxes = 2, .beta = 0.3 };
  PmtResult two = losses_run (q, &use);
  q.layout.boxes = &whole;
  q.layout.n_boxes = 1;
  PmtResult one = losses_run (q, &use), plain = losses_run (losses_request (&runs, model), NULL);
  runs_assert_equal (&two, &one);
  runs_assert_differ (&two, &plain);
  pmt_result_clear (&two);
  pmt_result_clear (&one);
  pmt_result_clear (&plain);
  pmt_param_values_clear (&use.values);
}

/* ---- the loss alone ---------------------------------------------------------------------------------------------------- */

static int one[] = { 2, 3 }, two[] = { 6 }, counted[] = { 1, 2, 3, 4, 5, 6 };
static PmtArea area[] = { { .x0 = 0, .y0 = 0.1, .x1 = 0.5, .y1 = 0.9, .columns = one, .n_columns = 2 },
                          { .x0 = 0.5, .y0 = 0.3, .x1 = 1, .y1 = 1, .columns = two, .n_columns = 1 } };
static const PmtAreas areas = { area, 2 };

static double
refocus (Maps *maps, void *user)
{
  return pmt_refocus_loss (maps->probed, maps->n, user, NULL);
}

static void
test_differences (void)
{
  Maps maps;
  maps_init (&maps, 6, 8, 10, 7);
  for (int at = 0; at < 40; at += 39) { /* in both of them other weights count */
    PmtRefocus how = { .areas = &areas, .run_height = 48, .run_width = 64, .at = at, .cross = 1, .self = 2, .columns = counted, .n_columns = 6 };
    maps_check (&maps, refocus, &how);
    how.self = 0;
    maps_check (&maps, refocus, &how);
    how = (PmtRefocus) { .areas = &areas, .run_height = 48, .run_width = 64, .at = at, .self = 1, .columns = counted, .n_columns = 6 };
    maps_check (&maps, refocus, &how);
  }
  maps_clear (&maps);
}

/* A place that is the whole picture has nothing outside: nothing leaks. */
static void
test_whole (void)
{
  static PmtArea all = { .x0 = 0, .y0 = 0, .x1 = 1, .y1 = 1, .columns = one, .n_columns = 2 };
  const PmtAreas whole = { &all, 1 };
  PmtRefocus how = { .areas = &whole, .run_height = 48, .run_width = 64, .at = 20, .self = 1, .columns = counted, .n_columns = 6 };
  Maps maps;
  maps_init (&maps, 6, 8, 10, 7);
  double weakest;
  g_assert_cmpfloat (pmt_refocus_loss (maps.probed, maps.n, &how, &weakest), ==, 0);
  g_assert_cmpfloat (weakest, >, 0);
  g_assert_cmpfloat (weakest, <=, 1);
  maps_clear (&maps);
}

static void
test_errors (void)
{
  static const PmtLayoutBox absent[] = { { 0, 0, 0.5, 1, "zebra" } };
  for (int i = 0; i < 2; i++) {
    PmtMethodUse use = runs_use ("attention-refocusing");
    PmtRequest q = losses_request (&runs, model);
    if (i)
      q.layout = (PmtLayout) { .boxes = absent, .n_boxes = 1, .beta = 0.3 };
    q.methods = &use;
    q.n_methods = 1;
    runs_refused (&q, PMT_ERROR_INPUT, i ? "zebra" : "attention-refocusing");
    pmt_param_values_clear (&use.values);
  }
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/attention-refocusing/reference", test_reference },
    { "/attention-refocusing/identities", test_identities },
    { "/attention-refocusing/places-of-one", test_places_of_one },
    { "/attention-refocusing/differences", test_differences },
    { "/attention-refocusing/whole", test_whole },
    { "/attention-refocusing/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
