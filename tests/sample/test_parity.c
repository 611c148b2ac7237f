/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whole runs against diffusers' pipelines (tests/reference/make_runs.py): latents and pictures from the same seeds. */
#include <json-glib/json-glib.h>
#include <string.h>

#include "tests/sample/runs.h"

enum { LATENT = 4 * 8 * 6 };

static Runs runs;
static PmtModel *tiny, *tiny_v;

static double
check (JsonObject *c)
{
  const char *name = json_object_get_string_member (c, "name"), *task = json_object_get_string_member (c, "task");
  const bool v = strcmp (json_object_get_string_member (c, "model"), "tiny-v") == 0;
  GError *error = NULL;
  PmtRequest q = runs_request (&runs, v ? tiny_v : tiny);
  q.prompt = json_object_get_string_member (c, "prompt");
  q.negative = json_object_get_string_member (c, "negative");
  q.steps = (int) json_object_get_int_member (c, "steps");
  q.guidance = json_object_get_double_member (c, "guidance");
  q.strength = json_object_get_double_member (c, "strength");
  q.eta = json_object_get_double_member (c, "eta");
  q.seed = (uint64_t) json_object_get_int_member (c, "seed");
  q.sampler = pmt_sampler_find (json_object_get_string_member (c, "sampler"), &error);
  g_assert_no_error (error);
  if (strcmp (task, "text") != 0)
    q.image = runs.picture;
  if (g_str_has_prefix (task, "fill"))
    q.mask = runs.mask;
  q.fill = strcmp (task, "fill9") == 0;
  q.long_prompts = PMT_LONG_TRUNCATE; /* as diffusers does */

  g_autofree float *noise = NULL;
  if (json_object_get_boolean_member (c, "noise")) {
    g_autofree char *key = g_strconcat (name, ".noise", NULL);
    q.noise = noise = runs_tensor (&runs, key, LATENT);
  }
  PmtMethodUse guidance = runs_use ("guidance");
  guidance.values.number[0] = json_object_get_double_member (c, "rescale");
  if (guidance.values.number[0] > 0) {
    q.methods = &guidance;
    q.n_methods = 1;
  }

  PmtResult result = runs_do (&q);
  const bool is_long = strcmp (name, "text-long") == 0;
  g_assert_cmpint (result.prompt_tokens_cut > 0, ==, is_long);
  g_assert_cmpint (result.negative_tokens_cut > 0, ==, is_long);

  g_autofree char *latent_key = g_strconcat (name, ".latent", NULL), *image_key = g_strconcat (name, ".image", NULL);
  const size_t pixels = (size_t) (runs.width * runs.height * 3);
  g_autofree float *latent = runs_tensor (&runs, latent_key, LATENT), *image = NULL;
  const double off = runs_distance (result.latent, latent, LATENT);
  double worst = 0;
  if (json_object_get_boolean_member (c, "picture"))
    image = runs_tensor (&runs, image_key, pixels);
  for (size_t i = 0; i < pixels && image; i++)
    worst = MAX (worst, ABS ((double) result.image[i] - image[i]));
  g_test_message ("%s: latent %.2g relative, picture %.2g", name, off, worst);
  if (off > 3e-4 || worst > 3e-4)
    g_error ("%s: latent off by %g relative, picture by %g", name, off, worst);
  pmt_result_clear (&result);
  pmt_param_values_clear (&guidance.values);
  return off;
}

static void
test_case (gconstpointer user)
{
  check ((JsonObject *) user);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  runs_open (&runs);
  tiny = runs_model ("tiny");
  tiny_v = runs_model ("tiny-v");
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), "runs", "runs.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  GError *error = NULL;
  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  JsonArray *cases = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), "cases");
  g_assert_cmpuint (json_array_get_length (cases), >=, 20);
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    JsonObject *c = json_array_get_object_element (cases, i);
    g_autofree char *test = g_strconcat ("/runs/", json_object_get_string_member (c, "name"), NULL);
    g_test_add_data_func (test, c, test_case);
  }
  int status = g_test_run ();
  pmt_model_unref (tiny);
  pmt_model_unref (tiny_v);
  runs_close (&runs);
  return status;
}
