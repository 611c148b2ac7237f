/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "engine/sample/invert.h"
#include "tests/methods/composed.h"
#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;
static PmtMethodUse use;

static void
set (const char *id, const char *value)
{
  GError *error = NULL;
  pmt_param_values_set_text (&use.values, id, value, "method diffedit", &error);
  g_assert_no_error (error);
}

static PmtRequest
request (void)
{
  PmtRequest q = runs_request (&runs, model);
  q.steps = 6;
  q.guidance = 5;
  q.image = runs.picture;
  q.methods = &use;
  q.n_methods = 1;
  return q;
}

/* The picture's mean latents, NCHW. */
static float *
mean_latents (void)
{
  return runs_tensor (&runs, "invert.clean", 4 * 6 * 8);
}

/* The same prompts differ nowhere, so nothing changes; nor under an empty mask, whatever the prompts. */
static void
test_nothing (void)
{
  g_autofree float *want = mean_latents (), *none = g_new0 (float, runs.width * runs.height);
  set ("source", "a red circle");
  PmtRequest q = request ();
  PmtResult same = runs_do (&q);
  g_assert_cmpfloat (runs_distance (same.latent, want, 4 * 6 * 8), <, 1e-4); /* torch's encoder against ours */
  g_assert_cmpint (same.n_maps, ==, 2);
  for (int p = 0; p < 6 * 8; p++)
    g_assert_cmpfloat (same.maps[1].values[p], ==, 0);
  q.mask = none;
  q.prompt = "a blue house";
  PmtResult masked = runs_do (&q);
  g_assert_cmpint (masked.n_maps, ==, 0);
  runs_assert_equal (&same, &masked);
  pmt_result_clear (&same);
  pmt_result_clear (&masked);
}

/* All to change: nothing is put back, so it is the plain way down from where inversion ends. */
static void
test_all (void)
{
  const int area = runs.width * runs.height;
  g_autofree float *all = g_new (float, area);
  for (int p = 0; p < area; p++)
    all[p] = 1;
  set ("source", "a blue house");
  set ("threshold", "0");
  PmtRequest q = request ();
  PmtResult found = runs_do (&q); /* every place differs by something */
  q.mask = all;
  PmtResult masked = runs_do (&q);
  runs_assert_equal (&found, &masked);
  set ("threshold", "1"); /* nothing is above the clamp */
  q.mask = NULL;
  PmtResult nowhere = runs_do (&q);
  runs_assert_differ (&nowhere, &masked);
  g_autofree float *want = mean_latents ();
  g_assert_cmpfloat (runs_distance (nowhere.latent, want, 4 * 6 * 8), <, 1e-4);
  set ("threshold", "0.5");
  pmt_result_clear (&found);
  pmt_result_clear (&masked);
  pmt_result_clear (&nowhere);
}

/* Inside the mask that it tells of there is change, outside the latents are the picture's to the bit; a mask by hand that is the found one
 * gives the same. */
static void
test_found_mask (void)
{
  g_autofree float *by_hand = g_new (float, runs.width * runs.height), *none = g_new0 (float, runs.width * runs.height);
  set ("source", "a blue house");
  set ("clamp", "2");
  PmtRequest q = request ();
  PmtResult r = runs_do (&q);
  q.mask = none;
  PmtResult kept = runs_do (&q);
  int inside = 0, changed = 0;
  for (int p = 0; p < 6 * 8; p++)
    for (int c = 0; c < 4; c++) {
      const bool same = r.latent[c * 48 + p] == kept.latent[c * 48 + p];
      inside += r.maps[1].values[p] == 1;
      changed += !same;
      g_assert_true (same || r.maps[1].values[p] == 1);
    }
  g_assert_cmpint (inside, >, 8);
  g_assert_cmpint (inside, <, 4 * 48 - 8);
  g_assert_cmpint (changed, >, inside / 2);
  for (int y = 0; y < runs.height; y++)
    for (int x = 0; x < runs.width; x++)
      by_hand[y * runs.width + x] = r.maps[1].values[y / 8 * 8 + x / 8];
  q.mask = by_hand;
  PmtResult again = runs_do (&q);
  runs_assert_equal (&r, &again);
  set ("clamp", "3");
  pmt_result_clear (&r);
  pmt_result_clear (&kept);
  pmt_result_clear (&again);
}

static void
fill (PmtRequest *q, const Runs *r, JsonObject *c)
{
  q->image = r->picture;
  q->mask = json_object_get_boolean_member_with_default (c, "masked", FALSE) ? r->mask : NULL;
}

static void
test_reference (void)
{
  g_assert_cmpint (composed_check (&runs, "diffedit", model, fill), ==, 3);
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
  q.image = NULL;
  refused (q, "changes a picture and there is none");
  q = request ();
  q.sampler = pmt_sampler_find ("euler", NULL);
  refused (q, "choose the sampler ddim");
  q = request ();
  q.eta = 0.5;
  refused (q, "set eta to 0");
  q = request ();
  q.fill = true;
  q.mask = runs.mask;
  refused (q, "without further channels");
  q = request ();
  set ("ratio", "0.1");
  refused (q, "leaves none of 6 steps");
  set ("ratio", "0.8");
  set ("noise-strength", "0.1");
  refused (q, "less than one of 6 steps");
  set ("noise-strength", "0.5");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  runs_open (&runs);
  model = runs_model ("tiny");
  use = runs_use ("diffedit");
  g_test_add_func ("/diffedit/nothing", test_nothing);
  g_test_add_func ("/diffedit/all", test_all);
  g_test_add_func ("/diffedit/found-mask", test_found_mask);
  g_test_add_func ("/diffedit/reference", test_reference);
  g_test_add_func ("/diffedit/errors", test_errors);
  int status = g_test_run ();
  pmt_param_values_clear (&use.values);
  pmt_model_unref (model);
  runs_close (&runs);
  return status;
}
