/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sample/runs.h"

#include <math.h>
#include <string.h>

char *
runs_path (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), folder, name, NULL);
  return g_canonicalize_filename (path, NULL);
}

float *
runs_tensor (const Runs *runs, const char *name, size_t n)
{
  GError *error = NULL;
  const PmtSafetensor *t = pmt_safetensors_lookup (runs->tensors, name);
  if (!t)
    g_error ("runs.safetensors has no %s", name);
  g_assert_cmpuint (t->count, ==, n);
  float *values = g_new (float, n);
  pmt_safetensors_read_f32 (runs->tensors, t, 0, n, values, &error);
  g_assert_no_error (error);
  return values;
}

void
runs_open (Runs *runs)
{
  g_autofree char *path = runs_path ("runs", "runs.safetensors");
  GError *error = NULL;
  *runs = (Runs) { .width = 64, .height = 48 };
  runs->tensors = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
  const size_t area = (size_t) runs->width * (size_t) runs->height;
  runs->picture = runs_tensor (runs, "picture", area * 3);
  runs->mask = runs_tensor (runs, "mask", area);
}

void
runs_close (Runs *runs)
{
  pmt_safetensors_free (runs->tensors);
  g_free (runs->picture);
  g_free (runs->mask);
}

PmtModel *
runs_open_model (const char *path)
{
  GError *error = NULL;
  PmtModel *model = pmt_model_open (path, &error);
  g_assert_no_error (error);
  return model;
}

PmtModel *
runs_model (const char *name)
{
  g_autofree char *path = runs_path ("runs", name);
  return runs_open_model (path);
}

PmtRequest
runs_request (const Runs *runs, PmtModel *model)
{
  return (PmtRequest) { .model = model, .prompt = "a red circle", .width = runs->width, .height = runs->height, .steps = 4,
                        .guidance = 1, .strength = 1, .seed = 5, .sampler = pmt_sampler_find ("ddim", NULL) };
}

PmtRequest
runs_guided (const Runs *runs, PmtModel *model, int steps)
{
  PmtRequest q = runs_request (runs, model);
  q.negative = "blurry";
  q.guidance = 4;
  q.steps = steps;
  return q;
}

PmtCost
runs_cost (PmtRequest request, PmtMethodUse *use)
{
  PmtCost cost;
  GError *error = NULL;
  request.methods = use;
  request.n_methods = use ? 1 : 0;
  g_assert_true (pmt_run_cost (&request, &cost, &error));
  g_assert_no_error (error);
  return cost;
}

PmtResult
runs_do (const PmtRequest *request)
{
  GError *error = NULL;
  PmtResult result;
  pmt_run (request, &result, &error);
  g_assert_no_error (error);
  return result;
}

PmtMethodUse
runs_use (const char *id)
{
  GError *error = NULL;
  PmtMethodUse use = { .method = pmt_method_find (id, &error) };
  g_assert_no_error (error);
  pmt_param_values_init (&use.values, use.method->params);
  return use;
}

void
runs_refused (const PmtRequest *request, PmtError code, const char *part)
{
  GError *error = NULL;
  PmtResult result;
  g_assert_false (pmt_run (request, &result, &error));
  g_assert_error (error, PMT_ERROR, (int) code);
  g_test_message ("%s", error->message);
  if (!strstr (error->message, part))
    g_error ("'%s' does not say '%s'", error->message, part);
  g_assert_null (strchr (error->message, '\n'));
  g_assert_true (g_str_has_suffix (error->message, "."));
  g_clear_error (&error);
}

double
runs_distance (const float *a, const float *b, size_t n)
{
  double top = 0, off = 0;
  for (size_t i = 0; i < n; i++) {
    g_assert_true (isfinite (a[i]));
    top = MAX (top, fabs ((double) b[i]));
    off = MAX (off, fabs ((double) a[i] - b[i]));
  }
  return top > 0 ? off / top : off;
}

size_t
runs_latent_size (const PmtResult *result)
{
  return (size_t) result->latent_channels * (size_t) result->latent_width * (size_t) result->latent_height;
}

static bool
equal (const PmtResult *a, const PmtResult *b)
{
  g_assert_cmpint (a->width, ==, b->width);
  g_assert_cmpint (a->height, ==, b->height);
  const size_t n = (size_t) a->width * (size_t) a->height * 3;
  return memcmp (a->image, b->image, n * sizeof (float)) == 0 &&
         memcmp (a->latent, b->latent, runs_latent_size (a) * sizeof (float)) == 0;
}

void
runs_assert_equal (const PmtResult *a, const PmtResult *b)
{
  if (!equal (a, b))
    g_error ("The runs differ: latents by %g relative.", runs_distance (a->latent, b->latent, runs_latent_size (a)));
}

void
runs_assert_differ (const PmtResult *a, const PmtResult *b)
{
  g_assert_cmpfloat (runs_distance (a->latent, b->latent, runs_latent_size (a)), >, 1e-3);
}

int
runs_main (int argc, char **argv, Runs *runs, PmtModel **model, const RunsTest *tests)
{
  PmtCpuLevel level;
  GError *error = NULL;
  pmt_cpu_select (&level, &error); /* first: with PENTIMENTO_CPU set it begins the program anew */
  g_assert_no_error (error);
  g_test_init (&argc, &argv, NULL);
  runs_open (runs);
  *model = runs_model ("tiny");
  for (const RunsTest *test = tests; test->path; test++)
    g_test_add_func (test->path, test->run);
  const int status = g_test_run ();
  pmt_model_unref (*model);
  runs_close (runs);
  return status;
}
