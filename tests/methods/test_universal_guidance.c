/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "engine/methods/picture_loss.h"
#include "tests/methods/guided.h"

static Runs runs;
static PmtModel *model;

static PmtRequest
request (void)
{
  return losses_request (&runs, model);
}

static void
use_clip (PmtMethodUse *use)
{
  g_autofree char *folder = runs_path ("ranking", "clip");
  losses_set (use, "loss", "clip");
  losses_set (use, "encoder", folder);
}

static void
fill (PmtRequest *q, PmtMethodUse *use, JsonObject *c)
{
  if (strcmp (json_object_get_string_member (c, "loss"), "clip") == 0)
    use_clip (use);
}

/* The loop over diffusers' networks with torch's autograd. */
static void
test_reference (void)
{
  g_assert_cmpint (guided_check ("universal-guidance", request (), fill), ==, 5);
}

/* A text as a CLIP reads the picture: identities and memory as for the others; "" is the prompt; the autoencoder alone leads, too. */
static void
test_clip (void)
{
  PmtMethodUse use = runs_use ("universal-guidance");
  use_clip (&use);
  losses_check_identities (request (), &use, "scale");
  losses_set (&use, "scale", "100");
  PmtResult empty = losses_run (request (), &use);
  losses_set (&use, "text", request ().prompt);
  PmtResult prompt = losses_run (request (), &use);
  runs_assert_equal (&empty, &prompt);
  losses_set (&use, "text", "a house");
  PmtResult other = losses_run (request (), &use);
  runs_assert_differ (&other, &prompt);
  losses_set (&use, "quick", "true");
  PmtResult quick = losses_run (request (), &use);
  runs_assert_differ (&quick, &other);
  pmt_result_clear (&empty);
  pmt_result_clear (&prompt);
  pmt_result_clear (&other);
  pmt_result_clear (&quick);
  pmt_param_values_clear (&use.values);
}

/* Without its files, or with those of something else, one sentence. */
static void
test_clip_errors (void)
{
  g_autofree char *other = runs_path ("runs", "tiny");
  const struct {
    const char *encoder, *part;
    PmtError code;
  } wrong[] = { { "", "whole CLIP", PMT_ERROR_INPUT }, { "/nowhere", "/nowhere", PMT_ERROR_NOT_FOUND }, { other, "", PMT_ERROR_NOT_FOUND } };
  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
    PmtMethodUse use = runs_use ("universal-guidance");
    PmtRequest q = request ();
    use_clip (&use);
    losses_set (&use, "encoder", wrong[i].encoder);
    q.methods = &use;
    q.n_methods = 1;
    runs_refused (&q, wrong[i].code, wrong[i].part);
    pmt_param_values_clear (&use.values);
  }
}

/* Strength 0 without direct steps is the plain run to the bit; so is one that acts in no step; memory is as computed; it can be
 * cancelled. */
static void
test_identities (void)
{
  PmtMethodUse use = runs_use ("universal-guidance");
  losses_set (&use, "end", "0.01");
  PmtResult none = losses_run (request (), &use), plain = losses_run (request (), NULL);
  runs_assert_equal (&none, &plain);
  pmt_result_clear (&none);
  pmt_result_clear (&plain);
  losses_set (&use, "end", "1");
  losses_check_identities (request (), &use, "scale");
  pmt_param_values_clear (&use.values);
}

static double
loss_of (const PmtPictureTask *task, const float *image)
{
  const size_t n = (size_t) task->height * (size_t) task->width * 3;
  g_autofree float *picture = g_new (float, n), *gradient = g_new0 (float, n);
  for (size_t i = 0; i < n; i++)
    picture[i] = 2 * image[i] - 1;
  return pmt_picture_loss (task, picture, gradient);
}

static float *
whole_place (const PmtRequest *q)
{
  float *place = g_new (float, (size_t) q->width * (size_t) q->height);
  for (int i = 0; i < q->width * q->height; i++)
    place[i] = 1;
  return place;
}

/* In the end the picture is nearer to what was asked, by each way, with other samplers too, and with edges and an outside of a photo. */
static void
test_nearer (void)
{
  static const struct {
    const char *sampler, *set[3][2];
  } cases[] = { { "ddim", { { "scale", "40" } } }, { "ddim", { { "scale", "40" }, { "quick", "true" } } }, { "euler", { { "scale", "40" } } },
                { "ddim", { { "scale", "0" }, { "backward", "5" }, { "rate", "40" } } }, { "ddim", { { "scale", "40" }, { "repeats", "3" } } } };
  PmtRequest q = request ();
  g_autofree float *place = whole_place (&q);
  const PmtPictureTask task = { .loss = PMT_PICTURE_MEAN_COLOUR, .height = q.height, .width = q.width, .place = place, .colours = { { 1, 0.5f, 0 } },
                                .n_colours = 1 };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    PmtMethodUse use = runs_use ("universal-guidance");
    q.sampler = pmt_sampler_find (cases[i].sampler, NULL);
    losses_set (&use, "colours", "ff8000");
    for (int k = 0; k < 3 && cases[i].set[k][0]; k++)
      losses_set (&use, cases[i].set[k][0], cases[i].set[k][1]);
    PmtResult led = losses_run (q, &use);
    losses_set (&use, "scale", "1e-9"); /* the same noise is drawn */
    losses_set (&use, "rate", "0");
    PmtResult plain = losses_run (q, &use);
    const double near = loss_of (&task, led.image), far = loss_of (&task, plain.image);
    g_test_message ("%zu: %.4f, without %.4f", i, near, far);
    g_assert_cmpfloat (near, <, far);
    pmt_result_clear (&led);
    pmt_result_clear (&plain);
    pmt_param_values_clear (&use.values);
  }
}

static void
test_photo (void)
{
  PmtRequest q = request ();
  q.image = runs.picture;
  q.strength = 0.9;
  for (int i = 0; i < 2; i++) {
    PmtMethodUse use = runs_use ("universal-guidance");
    g_autofree float *place = whole_place (&q);
    losses_set (&use, "loss", i ? "keep-outside" : "edges");
    losses_set (&use, "scale", "30");
    q.mask = i ? runs.mask : NULL;
    const PmtPictureTask task = { .loss = i ? PMT_PICTURE_KEEP_OUTSIDE : PMT_PICTURE_EDGES, .height = q.height, .width = q.width,
                                  .place = i ? runs.mask : place, .other = runs.picture };
    PmtResult led = losses_run (q, &use), plain = losses_run (q, NULL);
    const double near = loss_of (&task, led.image), far = loss_of (&task, plain.image);
    g_test_message ("%d: %.5f, without %.5f", i, near, far);
    g_assert_cmpfloat (near, <, far);
    pmt_result_clear (&led);
    pmt_result_clear (&plain);
    pmt_param_values_clear (&use.values);
  }
}

/* Each loss against central differences along random directions and along its gradient. */
static void
test_differences (void)
{
  enum { H = 7, W = 9, N = H * W * 3 };
  float picture[N], other[N], place[H * W], direction[N];
  GRand *rand = g_rand_new_with_seed (4);
  for (int i = 0; i < N; i++) {
    picture[i] = (float) g_rand_double_range (rand, -1, 1);
    other[i] = (float) g_rand_double (rand);
  }
  for (int i = 0; i < H * W; i++)
    place[i] = i % W > 2 ? (float) (i % 3) / 2 : 0;
  for (int loss = 0; loss <= PMT_PICTURE_KEEP_OUTSIDE; loss++) {
    const PmtPictureTask task = { .loss = (PmtPictureLoss) loss, .height = H, .width = W, .place = place, .other = other,
                                  .colours = { { 0.9f, 0.2f, 0.3f }, { 0.1f, 0.5f, 0.6f } }, .n_colours = 2 };
    float gradient[N] = { 0 }, moved[N], scratch[N];
    g_assert_cmpfloat (pmt_picture_loss (&task, picture, gradient), >, 0);
    for (int trial = 0; trial < 4; trial++) {
      const double h = 1e-3;
      double along = 0, side[2];
      for (int i = 0; i < N; i++) {
        direction[i] = trial ? (float) g_rand_double_range (rand, -1, 1) : gradient[i] * 30;
        along += (double) direction[i] * (double) gradient[i];
      }
      for (int k = 0; k < 2; k++) {
        for (int i = 0; i < N; i++)
          moved[i] = picture[i] + (float) (k ? -h : h) * direction[i];
        side[k] = pmt_picture_loss (&task, moved, scratch);
      }
      const double difference = (side[0] - side[1]) / (2 * h);
      g_test_message ("loss %d: gradient %.6f, differences %.6f", loss, along, difference);
      g_assert_cmpfloat (fabs (along - difference), <, 1e-2 * fabs (along) + 2e-4);
    }
  }
  g_rand_free (rand);
}

static void
test_errors (void)
{
  static const struct {
    const char *id, *value, *part;
  } cases[] = { { "colours", "red", "\"red\" is no list" }, { "colours", "", "is no list" }, { "loss", "edges", "picture" }, { "loss", "keep-outside", "mask" },
                { "right", "0", "empty" }, { "end", "0", "start" } };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    PmtMethodUse use = runs_use ("universal-guidance");
    losses_set (&use, cases[i].id, cases[i].value);
    PmtRequest q = request ();
    q.methods = &use;
    q.n_methods = 1;
    runs_refused (&q, PMT_ERROR_INPUT, cases[i].part);
    pmt_param_values_clear (&use.values);
  }
  PmtMethodUse use = runs_use ("universal-guidance");
  PmtRequest q = request ();
  losses_set (&use, "repeats", "2");
  q.methods = &use;
  q.n_methods = 1;
  q.sampler = pmt_sampler_find ("euler", NULL);
  runs_refused (&q, PMT_ERROR_INPUT, "ddim");

  /* what goes by another picture has none in a step that is repeated */
  static const char *const ids[] = { "prompt-to-prompt", "masactrl" };
  for (size_t i = 0; i < G_N_ELEMENTS (ids); i++) {
    PmtMethodUse uses[2] = { use, runs_use (ids[i]) };
    losses_set (&uses[1], "source", "a red circle");
    losses_set (&uses[0], "scale", "0");
    losses_set (&uses[0], "backward", "1");
    q = request ();
    q.methods = uses;
    q.n_methods = 2;
    runs_refused (&q, PMT_ERROR_INPUT, "repeats=1");
    losses_set (&uses[0], "repeats", "1");
    PmtResult r = runs_do (&q);
    pmt_result_clear (&r);
    losses_set (&uses[0], "repeats", "2");
    use = uses[0];
    pmt_param_values_clear (&uses[1].values);
  }
  pmt_param_values_clear (&use.values);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/universal-guidance/reference", test_reference },
    { "/universal-guidance/clip", test_clip },
    { "/universal-guidance/clip-errors", test_clip_errors },
    { "/universal-guidance/identities", test_identities },
    { "/universal-guidance/nearer", test_nearer },
    { "/universal-guidance/photo", test_photo },
    { "/universal-guidance/differences", test_differences },
    { "/universal-guidance/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
