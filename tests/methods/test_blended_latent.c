/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "tests/methods/composed.h"
#include "tests/sample/runs.h"

enum { AREA = 6 * 8 };

static Runs runs;
static PmtModel *model;
static PmtMethodUse use;
static float *clean; /* the picture's mean latents, NCHW */

static void
set (const char *id, const char *value)
{
  GError *error = NULL;
  pmt_param_values_set_text (&use.values, id, value, "method blended-latent", &error);
  g_assert_no_error (error);
}

static PmtRequest
request (const float *mask)
{
  PmtRequest q = runs_request (&runs, model);
  q.guidance = 5;
  q.latent = clean;
  q.image = runs.picture;
  q.mask = mask;
  q.methods = &use;
  q.n_methods = 1;
  return q;
}

static float *
uniform (float value)
{
  float *mask = g_new (float, runs.width * runs.height);
  for (int i = 0; i < runs.width * runs.height; i++)
    mask[i] = value;
  return mask;
}

/* Nothing to fill: the picture's latents to the bit, with every sampler. All to fill: image to image of strength 1 - start. */
static void
test_ends (void)
{
  static const char *const samplers[] = { "ddim", "euler", "dpmpp-2m-karras", "unipc" };
  g_autofree float *none = uniform (0), *all = uniform (1);
  for (guint i = 0; i < G_N_ELEMENTS (samplers); i++) {
    PmtRequest q = request (none);
    q.sampler = pmt_sampler_find (samplers[i], NULL);
    PmtResult kept = runs_do (&q);
    g_assert_cmpmem (kept.latent, 4 * AREA * sizeof (float), clean, 4 * AREA * sizeof (float));
    q.mask = all;
    PmtResult filled = runs_do (&q);
    g_assert_cmpint (filled.steps_done, ==, 3);
    q.mask = NULL;
    q.image = NULL;
    q.n_methods = 0;
    q.strength = 0.75;
    PmtResult image = runs_do (&q);
    runs_assert_equal (&filled, &image);
    pmt_result_clear (&kept);
    pmt_result_clear (&filled);
    pmt_result_clear (&image);
  }
}

/* Outside the mask the latents are the picture's to the bit, also when the mask began larger, which changes what is inside. */
static void
test_mask (void)
{
  PmtRequest q = request (runs.mask);
  q.steps = 6;
  PmtResult plain = runs_do (&q);
  set ("dilate", "3");
  PmtResult grown = runs_do (&q);
  set ("dilate", "0");
  int inside = 0;
  for (int p = 0; p < AREA; p++)
    for (int c = 0; c < 4; c++) {
      const int k = c * AREA + p;
      if (runs.mask[p / 8 * 8 * runs.width + p % 8 * 8] < 0.5f) {
        g_assert_true (plain.latent[k] == clean[k] && grown.latent[k] == clean[k]);
      } else {
        inside++;
        g_assert_true (plain.latent[k] != clean[k]);
      }
    }
  g_assert_cmpint (inside, >, 20);
  runs_assert_differ (&plain, &grown);
  pmt_result_clear (&plain);
  pmt_result_clear (&grown);
}

static void
fill (PmtRequest *q, const Runs *r, JsonObject *c)
{
  q->image = r->picture;
  q->mask = r->mask;
}

static void
test_reference (void)
{
  g_assert_cmpint (composed_check (&runs, "blended-latent", model, fill), ==, 2);
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
  refused (request (NULL), "needs a picture and a mask");
  PmtRequest q = request (runs.mask);
  q.fill = true;
  refused (q, "without further channels");
  set ("start", "0.9");
  refused (request (runs.mask), "leaves none of 4 steps");
  set ("start", "0.25");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  runs_open (&runs);
  model = runs_model ("tiny");
  clean = runs_tensor (&runs, "invert.clean", 4 * AREA);
  use = runs_use ("blended-latent");
  g_test_add_func ("/blended-latent/ends", test_ends);
  g_test_add_func ("/blended-latent/mask", test_mask);
  g_test_add_func ("/blended-latent/reference", test_reference);
  g_test_add_func ("/blended-latent/errors", test_errors);
  int status = g_test_run ();
  pmt_param_values_clear (&use.values);
  g_free (clean);
  pmt_model_unref (model);
  runs_close (&runs);
  return status;
}
