/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sample/edits.h"

static Runs runs;
static PmtModel *model; /* its UNet takes depth */
static float *depth;

static void
as_depth (PmtRequest *q, const Runs *r, JsonObject *c, const float *map)
{
  q->depth = map;
  q->strength = json_object_get_double_member (c, "strength");
}

static void
test_parity (void)
{
  g_assert_cmpint (edits_check (&runs, "depth", model, as_depth), >=, 3);
}

static PmtRequest
request (void)
{
  PmtRequest q = runs_request (&runs, model);
  q.depth = depth;
  q.steps = 2;
  return q;
}

/* Only the order of depths counts, not their unit; without a picture the run starts from noise. */
static void
test_range (void)
{
  const int n = runs.width * runs.height;
  g_autofree float *scaled = g_new (float, n), *turned = g_new (float, n), *flat = g_new (float, n);
  for (int i = 0; i < n; i++) {
    scaled[i] = depth[i] * 64; /* exact */
    turned[i] = -depth[i];
    flat[i] = 7;
  }
  PmtRequest q = request ();
  PmtResult first = runs_do (&q);
  q.depth = scaled;
  PmtResult same = runs_do (&q);
  runs_assert_equal (&first, &same);
  q.depth = turned;
  PmtResult other = runs_do (&q);
  runs_assert_differ (&first, &other);
  q.depth = flat; /* no division by the range */
  PmtResult level = runs_do (&q);
  runs_assert_differ (&first, &level);
  for (size_t i = 0; i < runs_latent_size (&level); i++)
    g_assert_true (level.latent[i] == level.latent[i]);
  pmt_result_clear (&first);
  pmt_result_clear (&same);
  pmt_result_clear (&other);
  pmt_result_clear (&level);
}

/* With a mask what is outside stays: to the bit the same whatever is painted, and not so without a mask. */
static void
test_mask (void)
{
  PmtRequest q = request ();
  q.image = runs.picture;
  q.mask = runs.mask;
  PmtResult result = runs_do (&q), whole;
  q.prompt = "something else";
  PmtResult other = runs_do (&q);
  q.mask = NULL;
  whole = runs_do (&q);
  int inside = 0, moved = 0;
  for (int k = 0; k < 4 * 6 * 8; k++) {
    const int y = k / 8 % 6, x = k % 8;
    if (runs.mask[y * 8 * runs.width + x * 8] == 0) {
      g_assert_true (result.latent[k] == other.latent[k]);
      moved += whole.latent[k] != other.latent[k];
    } else {
      inside += result.latent[k] != other.latent[k];
    }
  }
  g_assert_cmpint (inside, >, 20);
  g_assert_cmpint (moved, >, 20);
  pmt_result_clear (&result);
  pmt_result_clear (&other);
  pmt_result_clear (&whole);
}

static void
test_errors (void)
{
  PmtModel *plain = runs_model ("tiny");
  PmtMethodUse use = runs_use ("depth2img");
  PmtRequest q = request ();
  q.depth = NULL;
  runs_refused (&q, PMT_ERROR_INPUT, "draws what a depth map tells; give the map as a control of type depth that has no model of its own.");
  q = request ();
  q.model = plain;
  runs_refused (&q, PMT_ERROR_UNSUPPORTED, "takes no depth map: its unet has 4 channels; give the control of type depth a ControlNet");
  q = runs_request (&runs, plain);
  q.methods = &use;
  q.n_methods = 1;
  runs_refused (&q, PMT_ERROR_INPUT, "needs a depth map and a network with 5 input channels, and this one has 4");
  pmt_param_values_clear (&use.values);
  pmt_model_unref (plain);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  runs_open (&runs);
  model = edits_model_with ("unet_depth");
  depth = edits_depth (&runs);
  g_test_add_func ("/depth2img/parity", test_parity);
  g_test_add_func ("/depth2img/range", test_range);
  g_test_add_func ("/depth2img/mask", test_mask);
  g_test_add_func ("/depth2img/errors", test_errors);
  int status = g_test_run ();
  g_free (depth);
  pmt_model_unref (model);
  runs_close (&runs);
  return status;
}
