/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs with T2I-Adapters against diffusers' pipelines; what strength 0 and ranges leave alone; what is refused. */
#include <string.h>

#include "tests/sample/control_runs.h"

static PmtModel *sd, *xl;

static PmtRequest
request (PmtModel *model, PmtControl *control)
{
  PmtRequest q = control_runs_request (model);
  q.controls = control;
  q.n_controls = 1;
  return q;
}

/* Strength 0 and an empty range are the run whose residual stream is left alone, to the bit. */
static void
test_nothing (void)
{
  GError *error = NULL;
  g_autofree char *path = control_runs_net ("t2i-xl");
  g_autofree float *picture = control_runs_picture ("colours", 64, 48);
  PmtControl control = { .model = path, .image = picture, .strength = 1, .end = 1 };
  PmtRequest q = request (xl, &control), quiet = q;
  PmtMethodUse use = runs_use ("noop");
  pmt_param_values_set_text (&use.values, "attention", "none", "test", &error);
  g_assert_no_error (error);
  quiet.n_controls = 0;
  quiet.methods = &use;
  quiet.n_methods = 1;
  PmtResult plain = runs_do (&quiet), full = runs_do (&q);
  runs_assert_differ (&full, &plain);
  control.strength = 0;
  PmtResult none = runs_do (&q);
  runs_assert_equal (&none, &plain);
  control = (PmtControl) { .model = path, .image = picture, .strength = 1, .start = 0.5, .end = 0.5 };
  PmtResult never = runs_do (&q);
  runs_assert_equal (&never, &plain);
  control.start = 0.25; /* of four evaluations the second alone */
  PmtResult once = runs_do (&q);
  runs_assert_differ (&once, &plain);
  pmt_param_values_clear (&use.values);
  pmt_result_clear (&plain);
  pmt_result_clear (&full);
  pmt_result_clear (&none);
  pmt_result_clear (&never);
  pmt_result_clear (&once);
}

static void
refuse (PmtRequest q, PmtError code, const char *const *parts)
{
  GError *error = NULL;
  PmtResult result;
  g_assert_false (pmt_run (&q, &result, &error));
  g_assert_error (error, PMT_ERROR, (int) code);
  for (int i = 0; parts[i]; i++)
    if (!strstr (error->message, parts[i]))
      g_error ("'%s' does not tell '%s'", error->message, parts[i]);
  g_assert_null (strchr (error->message, '\n'));
  g_test_message ("%s", error->message);
  g_error_free (error);
}

#define REFUSE(q, code, ...) refuse (q, code, (const char *const[]) { __VA_ARGS__, NULL })

static void
test_refusals (void)
{
  g_autofree char *full = control_runs_net ("t2i"), *wide = control_runs_net ("t2i-xl");
  g_autofree float *picture = g_new0 (float, 72 * 72 * 3);
  PmtControl control = { .model = full, .image = picture, .strength = 1, .end = 1 };
  REFUSE (request (xl, &control), PMT_ERROR_UNSUPPORTED, full, "T2I-Adapter for Stable Diffusion 1.x", "controls/xl");
  control.model = wide;
  REFUSE (request (sd, &control), PMT_ERROR_UNSUPPORTED, wide, "T2I-Adapter for SDXL", "controls/sd");
  PmtRequest odd = request (xl, &control);
  odd.width = 72;
  REFUSE (odd, PMT_ERROR_INPUT, wide, "multiples of 16", "72 x 48");
  control.model = full;
  control.guess = true;
  REFUSE (request (sd, &control), PMT_ERROR_INPUT, full, "Guess mode");
  control.guess = false;
  control.strength = 10.5;
  REFUSE (request (sd, &control), PMT_ERROR_INPUT, full, "10.5", "0 to 10");
  control.strength = 1;
  control.start = -0.1;
  REFUSE (request (sd, &control), PMT_ERROR_INPUT, full, "-0.1", "0 to 1");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  sd = control_runs_model ("sd");
  xl = control_runs_model ("xl");
  control_runs_add_cases (true);
  g_test_add_func ("/t2i-adapter/nothing", test_nothing);
  g_test_add_func ("/t2i-adapter/refusals", test_refusals);
  int status = g_test_run ();
  pmt_model_unref (sd);
  pmt_model_unref (xl);
  control_runs_close ();
  return status;
}
