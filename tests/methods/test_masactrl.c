/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "tests/methods/composed.h"
#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;

static PmtMethodUse
use_with (const char *id, const char *const *values)
{
  PmtMethodUse use = runs_use (id);
  GError *error = NULL;
  for (; *values; values += 2) {
    pmt_param_values_set_text (&use.values, values[0], values[1], id, &error);
    g_assert_no_error (error);
  }
  return use;
}

static PmtResult
run_with (PmtMethodUse use, const char *sampler)
{
  PmtRequest q = runs_request (&runs, model);
  q.guidance = 5;
  q.sampler = pmt_sampler_find (sampler, NULL);
  q.methods = &use;
  q.n_methods = use.method ? 1 : 0;
  PmtResult r = runs_do (&q);
  if (use.method)
    pmt_param_values_clear (&use.values);
  return r;
}

/* With the source's prompt for both, the target is the source: the plain run on the same sites, to the bit, also with noise in each step. */
static void
test_same_prompts (void)
{
  static const char *const samplers[] = { "ddim", "euler-a", "dpmpp-2m" };
  for (guint i = 0; i < G_N_ELEMENTS (samplers); i++) {
    PmtResult noop = run_with (use_with ("noop", (const char *[]) { "attention", "self", "stages", "qkv", "first-block", "2", "residual", "false", NULL }),
                               samplers[i]);
    PmtResult same = run_with (use_with ("masactrl", (const char *[]) { "source", "a red circle", "from", "0", NULL }), samplers[i]);
    runs_assert_equal (&noop, &same);
    PmtResult both = run_with (use_with ("masactrl", (const char *[]) { "source", "a red circle", "from", "0", "both", "true", NULL }), samplers[i]);
    g_assert_cmpfloat (runs_distance (both.latent, same.latent, runs_latent_size (&same)), <, 1e-4);
    pmt_result_clear (&noop);
    pmt_result_clear (&same);
    pmt_result_clear (&both);
  }
}

/* Never begun, it is the plain run; so it is where no block is far enough back. */
static void
test_never (void)
{
  PmtResult plain = run_with ((PmtMethodUse) { 0 }, "ddim");
  PmtResult late = run_with (use_with ("masactrl", (const char *[]) { "source", "a blue house", "from", "1", NULL }), "ddim");
  PmtResult deep = run_with (use_with ("masactrl", (const char *[]) { "source", "a blue house", "first-block", "4", NULL }), "ddim");
  runs_assert_equal (&plain, &late);
  runs_assert_equal (&plain, &deep);
  PmtResult shared = run_with (use_with ("masactrl", (const char *[]) { "source", "a blue house", "from", "0", NULL }), "ddim");
  PmtResult both = run_with (use_with ("masactrl", (const char *[]) { "source", "a blue house", "from", "0", "both", "true", NULL }), "ddim");
  PmtResult all[] = { plain, shared, both, late, deep };
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < i; k++)
      g_assert_cmpfloat (runs_distance (all[i].latent, all[k].latent, runs_latent_size (&plain)), >, 1e-5);
  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    pmt_result_clear (&all[i]);
}

/* A thing that is the whole picture is kept apart from nothing: as without, but for the rounding of the other way of attention. A smaller one makes
 * another picture; memory is as computed. */
static void
test_things (void)
{
  const char *const base[] = { "source", "a blue house", "from", "0.25", NULL };
  PmtResult without = run_with (use_with ("masactrl", base), "ddim");
  PmtMethodUse whole = use_with ("masactrl", base), part = use_with ("masactrl", base);
  static const char *const things[][2] = { { "source-thing", "house" }, { "thing", "circle" } };
  GError *error = NULL;
  for (int i = 0; i < 2; i++) {
    pmt_param_values_set_text (&whole.values, things[i][0], things[i][1], "test", &error);
    pmt_param_values_set_text (&part.values, things[i][0], things[i][1], "test", &error);
  }
  pmt_param_values_set_text (&whole.values, "threshold", "0", "test", &error);
  pmt_param_values_set_text (&part.values, "threshold", "0.6", "test", &error);
  g_assert_no_error (error);
  PmtRequest q = runs_request (&runs, model);
  PmtCost cost;
  q.guidance = 5;
  q.methods = &part;
  q.n_methods = 1;
  g_assert_true (pmt_run_cost (&q, &cost, &error));
  PmtResult apart = runs_do (&q), same = run_with (whole, "ddim");
  g_assert_cmpuint (apart.peak_bytes, ==, cost.activation_bytes);
  g_assert_cmpfloat (runs_distance (same.latent, without.latent, runs_latent_size (&same)), <, 1e-4);
  g_assert_cmpfloat (runs_distance (apart.latent, without.latent, runs_latent_size (&same)), >, 1e-4);
  pmt_result_clear (&apart);
  pmt_result_clear (&same);
  pmt_result_clear (&without);
  pmt_param_values_clear (&part.values);
}

static void
fill (PmtRequest *q, const Runs *r, JsonObject *c)
{
  q->image = json_object_get_boolean_member_with_default (c, "photo", FALSE) ? r->picture : NULL;
}

static void
test_reference (void)
{
  g_assert_cmpint (composed_check (&runs, "masactrl", model, fill), ==, 3);
}

static void
refused (PmtRequest q, const char *says)
{
  GError *error = NULL;
  PmtResult result;
  g_assert_false (pmt_run (&q, &result, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  if (!strstr (error->message, says))
    g_error ("'%s' does not say '%s'", error->message, says);
  g_clear_error (&error);
}

static void
test_errors (void)
{
  PmtMethodUse use = runs_use ("masactrl");
  PmtRequest q = runs_request (&runs, model);
  q.methods = &use;
  q.n_methods = 1;
  q.image = runs.picture;
  q.sampler = pmt_sampler_find ("euler", NULL);
  refused (q, "choose the sampler ddim");
  q.sampler = pmt_sampler_find ("ddim", NULL);
  q.mask = runs.mask;
  refused (q, "leave the mask out");
  q.image = q.mask = NULL;
  GError *error = NULL;
  pmt_param_values_set_text (&use.values, "thing", "circle", "test", &error);
  refused (q, "source-thing");
  pmt_param_values_set_text (&use.values, "source", "a blue house", "test", &error);
  pmt_param_values_set_text (&use.values, "source-thing", "zebra", "test", &error);
  g_assert_no_error (error);
  refused (q, "zebra");
  pmt_param_values_clear (&use.values);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/masactrl/same-prompts", test_same_prompts },
    { "/masactrl/never", test_never },
    { "/masactrl/reference", test_reference },
    { "/masactrl/things", test_things },
    { "/masactrl/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
