/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "tests/methods/composed.h"
#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;
static PmtMethodUse use;
static float *clean; /* the picture's mean latents, NCHW, as a latent to start from */

static void
set (const char *id, const char *value)
{
  GError *error = NULL;
  pmt_param_values_set_text (&use.values, id, value, "method edict", &error);
  g_assert_no_error (error);
}

static PmtRequest
request (void)
{
  PmtRequest q = runs_request (&runs, model);
  q.guidance = 3;
  q.latent = clean;
  q.methods = &use;
  q.n_methods = 1;
  return q;
}

/* With the same prompts the way back ends where it began, for odd and even numbers of steps, with mixing and without. */
static void
test_round_trip (void)
{
  static const char *const mixes[] = { "0.93", "1" };
  double worst = 0;
  set ("source", "a red circle");
  set ("strength", "1");
  for (guint m = 0; m < G_N_ELEMENTS (mixes); m++)
    for (int steps = 3; steps <= 6; steps++) {
      set ("mix", mixes[m]);
      PmtRequest q = request ();
      q.steps = steps;
      PmtResult r = runs_do (&q);
      worst = MAX (worst, runs_distance (r.latent, clean, 4 * 6 * 8));
      pmt_result_clear (&r);
    }
  set ("mix", "0.93");
  g_test_message ("there and back within %.2g relative", worst);
  g_assert_cmpfloat (worst, <, 1e-5);
}

/* DDIM's own inversion comes back a hundred times less exactly. */
static void
test_against_ddim (void)
{
  const int area = runs.width * runs.height;
  g_autofree float *all = g_new (float, area);
  PmtMethodUse diffedit = runs_use ("diffedit");
  GError *error = NULL;
  for (int p = 0; p < area; p++)
    all[p] = 1;
  g_assert_true (pmt_param_values_set_text (&diffedit.values, "source", "a red circle", "x", &error));
  g_assert_true (pmt_param_values_set_text (&diffedit.values, "ratio", "1", "x", &error));
  PmtRequest q = request ();
  q.steps = 5;
  q.guidance = 1;
  PmtResult exact = runs_do (&q);
  q.methods = &diffedit;
  q.image = runs.picture; /* only for the mask's sake: the latent counts */
  q.mask = all;
  PmtResult ddim = runs_do (&q);
  const double near = runs_distance (exact.latent, clean, 4 * 6 * 8), far = runs_distance (ddim.latent, clean, 4 * 6 * 8);
  g_test_message ("EDICT %.2g, DDIM %.2g", near, far);
  g_assert_cmpfloat (far, >, 100 * near);
  pmt_param_values_clear (&diffedit.values);
  pmt_result_clear (&exact);
  pmt_result_clear (&ddim);
}

/* Another prompt changes it; two evaluations a step each way, each with guidance. */
static void
test_edit (void)
{
  PmtRequest q = request ();
  PmtCost cost;
  set ("source", "a blue house");
  set ("strength", "0.75");
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpint (cost.evaluations, ==, 3 * 2 * 2 * 2);
  PmtResult r = runs_do (&q);
  g_assert_cmpint (r.steps_done, ==, 3);
  g_assert_cmpfloat (runs_distance (r.latent, clean, 4 * 6 * 8), >, 1e-2);
  q.rows_per_call = 1;
  PmtResult singly = runs_do (&q);
  runs_assert_equal (&r, &singly);
  pmt_result_clear (&r);
  pmt_result_clear (&singly);
}

static void
fill (PmtRequest *q, const Runs *r, JsonObject *c)
{
  q->image = r->picture;
}

static void
test_reference (void)
{
  g_assert_cmpint (composed_check (&runs, "edict", model, fill), ==, 2);
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
  PmtRequest q = request ();
  q.latent = NULL;
  refused (q, "The method edict changes a picture and there is none");
  q = request ();
  q.sampler = pmt_sampler_find ("euler", NULL);
  refused (q, "choose the sampler ddim");
  q = request ();
  q.image = runs.picture;
  q.mask = runs.mask;
  refused (q, "leave the mask out");
  q = request ();
  set ("strength", "0.1");
  refused (q, "leaves none of 4 steps");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  runs_open (&runs);
  model = runs_model ("tiny");
  clean = runs_tensor (&runs, "invert.clean", 4 * 6 * 8);
  use = runs_use ("edict");
  g_test_add_func ("/edict/round-trip", test_round_trip);
  g_test_add_func ("/edict/against-ddim", test_against_ddim);
  g_test_add_func ("/edict/edit", test_edit);
  g_test_add_func ("/edict/reference", test_reference);
  g_test_add_func ("/edict/errors", test_errors);
  int status = g_test_run ();
  pmt_param_values_clear (&use.values);
  g_free (clean);
  pmt_model_unref (model);
  runs_close (&runs);
  return status;
}
