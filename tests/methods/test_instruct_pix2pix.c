/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sample/edits.h"

static Runs runs;
static PmtModel *model; /* a plain UNet and one for instructions */

static void
as_edit (PmtRequest *q, const Runs *r, JsonObject *c, const float *depth)
{
  q->edit = true;
  q->image_guidance = json_object_get_double_member (c, "image_guidance");
}

static void
test_parity (void)
{
  g_assert_cmpint (edits_check (&runs, "edit", model, as_edit), >=, 7);
}

static PmtRequest
request (void)
{
  PmtRequest q = runs_request (&runs, model);
  q.edit = true;
  q.image = runs.picture;
  q.guidance = 7.5;
  q.image_guidance = 1.5;
  q.steps = 2;
  return q;
}

/* Rows that cancel out are not computed. */
static void
test_cost (void)
{
  const struct {
    double text, image;
    int rows;
  } cases[] = { { 7.5, 1.5, 3 }, { 7.5, 1, 2 }, { 7.5, 0.5, 1 }, { 1, 1.5, 1 } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GError *error = NULL;
    PmtCost cost;
    PmtRequest q = request ();
    q.guidance = cases[i].text;
    q.image_guidance = cases[i].image;
    pmt_run_cost (&q, &cost, &error);
    g_assert_no_error (error);
    g_assert_cmpint (cost.evaluations, ==, 2 * cases[i].rows);
  }
}

/* Text, picture and the strength of either matter; the strength of a start from the picture does not: it starts from noise. */
static void
test_inputs (void)
{
  g_autofree float *picture = g_memdup2 (runs.picture, sizeof (float) * (size_t) (runs.width * runs.height * 3));
  PmtRequest q = request ();
  PmtResult first = runs_do (&q);
  for (int i = 0; i < runs.width * 3 * 8; i++)
    picture[i] = 1 - picture[i];
  for (int change = 0; change < 5; change++) {
    PmtRequest other = request ();
    switch (change) {
      case 0: other.image = picture; break;
      case 1: other.prompt = "a blue house"; break;
      case 2: other.negative = "red"; break;
      case 3: other.image_guidance = 2; break;
      default: other.strength = 0.5;
    }
    PmtResult result = runs_do (&other);
    if (change < 4)
      runs_assert_differ (&first, &result);
    else
      runs_assert_equal (&first, &result);
    pmt_result_clear (&result);
  }
  q.rows_per_call = 1;
  PmtResult singly = runs_do (&q);
  runs_assert_equal (&first, &singly);
  pmt_result_clear (&singly);
  pmt_result_clear (&first);
}

/* Methods that look into the network see the row with text and picture. */
static void
test_gradient (void)
{
  PmtMethodUse excite = runs_use ("attend-and-excite"), universal = runs_use ("universal-guidance");
  PmtRequest q = request ();
  g_assert_true (pmt_param_values_set_text (&excite.values, "words", "circle", "test", NULL));
  g_assert_true (pmt_param_values_set_text (&universal.values, "colours", "#ff0000", "test", NULL));
  PmtResult plain = runs_do (&q);
  q.methods = &excite;
  q.n_methods = 1;
  PmtResult excited = runs_do (&q);
  runs_assert_differ (&plain, &excited);
  q.image_guidance = 1; /* two rows a step */
  PmtResult two = runs_do (&q);
  runs_assert_differ (&excited, &two);
  q.methods = &universal;
  runs_refused (&q, PMT_ERROR_INPUT, "The methods instruct-pix2pix and universal-guidance cannot be used together");
  pmt_result_clear (&plain);
  pmt_result_clear (&excited);
  pmt_result_clear (&two);
  pmt_param_values_clear (&excite.values);
  pmt_param_values_clear (&universal.values);
}

static void
test_errors (void)
{
  PmtModel *plain = runs_model ("tiny"), *only = edits_model_with ("model/unet_edit");
  PmtMethodUse use = runs_use ("instruct-pix2pix"), guidance = runs_use ("guidance");
  PmtRequest q = request ();
  q.model = plain;
  runs_refused (&q, PMT_ERROR_UNSUPPORTED, "follows no instructions; choose one that was made for them, such as InstructPix2Pix, which the plug-in's Models dialog offers under Get More.");
  q = request ();
  q.image = NULL;
  runs_refused (&q, PMT_ERROR_INPUT, "There is an instruction and no picture to follow it on; give the picture.");
  q = request ();
  q.methods = &guidance;
  q.n_methods = 1;
  runs_refused (&q, PMT_ERROR_INPUT, "The methods instruct-pix2pix and guidance cannot be used together");
  q = runs_request (&runs, only);
  runs_refused (&q, PMT_ERROR_UNSUPPORTED, "changes pictures by instructions and does nothing else; give it to the task edit");
  q = runs_request (&runs, model); /* its plain UNet */
  q.methods = &use;
  q.n_methods = 1;
  runs_refused (&q, PMT_ERROR_INPUT, "follows from the task edit");
  pmt_param_values_clear (&use.values);
  pmt_param_values_clear (&guidance.values);
  pmt_model_unref (plain);
  pmt_model_unref (only);
}

/* A model whose main UNet is the one for instructions gives the same. */
static void
test_only_unet (void)
{
  PmtModel *only = edits_model_with ("model/unet_edit");
  PmtRequest q = request ();
  PmtResult first = runs_do (&q);
  q.model = only;
  PmtResult second = runs_do (&q);
  runs_assert_equal (&first, &second);
  q = runs_request (&runs, model); /* and the plain one of both does plain things */
  PmtResult text = runs_do (&q);
  pmt_result_clear (&first);
  pmt_result_clear (&second);
  pmt_result_clear (&text);
  pmt_model_unref (only);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  runs_open (&runs);
  model = edits_model ();
  g_test_add_func ("/instruct-pix2pix/parity", test_parity);
  g_test_add_func ("/instruct-pix2pix/cost", test_cost);
  g_test_add_func ("/instruct-pix2pix/inputs", test_inputs);
  g_test_add_func ("/instruct-pix2pix/only-unet", test_only_unet);
  g_test_add_func ("/instruct-pix2pix/gradient", test_gradient);
  g_test_add_func ("/instruct-pix2pix/errors", test_errors);
  int status = g_test_run ();
  pmt_model_unref (model);
  runs_close (&runs);
  return status;
}
