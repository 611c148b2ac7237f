/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "tests/methods/guided.h"
#include "tests/sample/grounding.h"

static Runs runs;
static PmtModel *model;

static PmtRequest
request (void)
{
  PmtRequest q = losses_request (&runs, model);
  q.image = runs.picture;
  return q;
}

/* The loop over diffusers' UNet with torch's autograd and Adam. */
static void
test_reference (void)
{
  g_assert_cmpint (guided_check ("null-text", request (), NULL), ==, 2);
}

static double
distance_from_photo (const PmtResult *r, const PmtResult *photo)
{
  double sum = 0;
  for (size_t i = 0; i < runs_latent_size (r); i++)
    sum += ((double) r->latent[i] - (double) photo->latent[i]) * ((double) r->latent[i] - (double) photo->latent[i]);
  return sum / (double) runs_latent_size (r);
}

/* The photo's own latents: edict at a strength that keeps everything comes back to them. */
static PmtResult
photo_latent (PmtRequest q)
{
  PmtMethodUse use = runs_use ("edict");
  losses_set (&use, "source", q.prompt);
  q.guidance = 1;
  PmtResult r = losses_run (q, &use);
  pmt_param_values_clear (&use.values);
  return r;
}

/* The photo comes back better than from the same noise with the negative prompt that was given, and the better the longer it is looked for. */
static void
test_reconstructs (void)
{
  static const char *const iterations[] = { "0", "5", "40" };
  double off[3];
  PmtResult photo = photo_latent (request ());
  for (size_t i = 0; i < G_N_ELEMENTS (iterations); i++) {
    PmtMethodUse use = runs_use ("null-text");
    losses_set (&use, "iterations", iterations[i]);
    losses_set (&use, "rate", "0.05");
    PmtResult r = losses_run (request (), &use);
    off[i] = distance_from_photo (&r, &photo);
    pmt_result_clear (&r);
    pmt_param_values_clear (&use.values);
  }
  g_test_message ("mean squared error %.4f without, %.4f with 5, %.4f with 40", off[0], off[1], off[2]);
  g_assert_cmpfloat (off[1], <, off[0]);
  g_assert_cmpfloat (off[2], <, off[1]);
  pmt_result_clear (&photo);
}

/* Without guidance nothing is looked for; with it memory is as computed, the same bytes come twice, and it can be cancelled. */
static void
test_identities (void)
{
  PmtMethodUse use = runs_use ("null-text"), none = runs_use ("null-text");
  PmtRequest q = request ();
  losses_set (&use, "iterations", "2");
  losses_set (&none, "iterations", "0");
  q.guidance = 1;
  PmtResult a = losses_run (q, &use), b = losses_run (q, &none);
  runs_assert_equal (&a, &b);
  pmt_result_clear (&a);
  pmt_result_clear (&b);
  /* Iterations 0 leaves the given negative prompt, like rate 0. */
  losses_set (&none, "iterations", "2");
  losses_set (&none, "rate", "0");
  PmtResult still = losses_run (request (), &none);
  losses_set (&none, "iterations", "0");
  PmtResult given = losses_run (request (), &none);
  runs_assert_equal (&still, &given);
  pmt_result_clear (&still);
  pmt_result_clear (&given);

  PmtCost cost;
  GError *error = NULL;
  q = request ();
  q.methods = &use;
  q.n_methods = 1;
  a = runs_do (&q);
  b = runs_do (&q);
  runs_assert_equal (&a, &b);
  g_assert_true (pmt_run_cost (&q, &cost, &error));
  g_assert_cmpuint (a.peak_bytes, ==, cost.activation_bytes);
  pmt_result_clear (&a);
  pmt_result_clear (&b);
  static PmtCancel cancel;
  pmt_cancel_request (&cancel);
  q.cancel = &cancel;
  g_assert_false (pmt_run (&q, &a, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
  g_clear_error (&error);
  pmt_param_values_clear (&use.values);
  pmt_param_values_clear (&none.values);
}

/* With prompt-to-prompt and words that stay the same, the picture is the one without it: both tracks have the found negatives. */
static void
test_with_words (void)
{
  PmtMethodUse uses[2] = { runs_use ("null-text"), runs_use ("prompt-to-prompt") };
  losses_set (&uses[0], "iterations", "2");
  losses_set (&uses[0], "source", "a red circle left of a blue house");
  losses_set (&uses[1], "source", "a red circle left of a blue house");
  PmtRequest q = request ();
  q.methods = uses;
  q.n_methods = 2;
  PmtResult same = runs_do (&q), alone = losses_run (request (), &uses[0]);
  g_assert_cmpfloat (runs_distance (same.latent, alone.latent, runs_latent_size (&same)), <, 1e-4);
  q.prompt = "a green circle left of a blue house";
  PmtResult other = runs_do (&q);
  runs_assert_differ (&other, &same);
  pmt_result_clear (&same);
  pmt_result_clear (&alone);
  pmt_result_clear (&other);
  for (int i = 0; i < 2; i++)
    pmt_param_values_clear (&uses[i].values);
}

static int with_prompt, without;

/* Which rows are shown as the prompt's and which as the negative prompt's, also before the run's first evaluation. */
static gboolean
see_roles (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  for (int i = 0; i < step->n_call_rows && !run->ctx.dry; i++) {
    const PmtRow *row = &step->rows.row[step->call_row[i]];
    const bool own = row->context.data == run->context.data;
    g_assert_cmpstr (row->role, ==, own ? PMT_ROW_COND : PMT_ROW_UNCOND);
    *(own ? &with_prompt : &without) += 1;
  }
  return TRUE;
}

/* An IP-Adapter's picture is seen by the prompt alone: what is looked for while it is hidden, as it is in the run, leads back to the photo. */
static void
test_with_reference (void)
{
  static const PmtMethod watch = { .id = "watch", .order = 1000, .call = see_roles };
  static const char *const iterations[] = { "0", "40" };
  g_autofree char *adapter = grounding_path ("ip-base.safetensors");
  PmtModel *other = grounding_model ();
  GroundingPicture shown = grounding_picture ("picture.a");
  const PmtReference reference = grounding_reference (adapter, &shown);
  PmtRequest q = { .model = other, .prompt = "a red house", .negative = "blue", .width = runs.width, .height = runs.height, .steps = 4,
                   .guidance = 5, .strength = 1, .seed = 5, .sampler = pmt_sampler_find ("ddim", NULL), .image = runs.picture };
  PmtResult photo = photo_latent (q);
  double off[2];
  q.references = &reference;
  q.n_references = 1;
  for (size_t i = 0; i < G_N_ELEMENTS (iterations); i++) {
    PmtMethodUse uses[2] = { runs_use ("null-text"), { .method = &watch } };
    losses_set (&uses[0], "iterations", iterations[i]);
    losses_set (&uses[0], "rate", "0.05");
    q.methods = uses;
    q.n_methods = 2;
    with_prompt = without = 0;
    PmtResult r = runs_do (&q);
    g_assert_cmpint (without, >=, i ? 2 * q.steps + 1 : 2 * q.steps); /* as found, in the run, and while it is bettered */
    off[i] = distance_from_photo (&r, &photo);
    pmt_result_clear (&r);
    pmt_param_values_clear (&uses[0].values);
  }
  g_test_message ("mean squared error %.4f without, %.4f with 40", off[0], off[1]);
  g_assert_cmpfloat (off[1], <, off[0]);
  pmt_result_clear (&photo);
  g_free (shown.data);
  pmt_model_unref (other);
}

static void
test_errors (void)
{
  PmtMethodUse use = runs_use ("null-text");
  PmtRequest q = losses_request (&runs, model);
  q.methods = &use;
  q.n_methods = 1;
  runs_refused (&q, PMT_ERROR_INPUT, "null-text");
  q.image = runs.picture;
  q.sampler = pmt_sampler_find ("euler", NULL);
  runs_refused (&q, PMT_ERROR_INPUT, "ddim");
  q.sampler = pmt_sampler_find ("ddim", NULL);
  q.mask = runs.mask;
  runs_refused (&q, PMT_ERROR_INPUT, "mask");
  q.mask = NULL;
  PmtMethodUse uses[2] = { use, runs_use ("guidance") };
  losses_set (&uses[1], "rescale", "0.7");
  q.methods = uses;
  q.n_methods = 2;
  runs_refused (&q, PMT_ERROR_INPUT, "rescale");
  pmt_param_values_clear (&uses[1].values);
  pmt_param_values_clear (&use.values);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/null-text/reference", test_reference },
    { "/null-text/reconstructs", test_reconstructs },
    { "/null-text/identities", test_identities },
    { "/null-text/with-words", test_with_words },
    { "/null-text/with-reference", test_with_reference },
    { "/null-text/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
