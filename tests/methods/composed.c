/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/methods/composed.h"

#include <string.h>

static char *
data_path (const char *name)
{
  return g_build_filename (g_getenv ("PMT_TEST_DATA"), "composed", name, NULL);
}

static void
compare (const char *name, const PmtResult *result)
{
  g_autofree char *path = data_path ("composed.safetensors");
  GError *error = NULL;
  PmtSafetensors *file = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
  const PmtSafetensor *t = pmt_safetensors_lookup (file, name);
  const size_t n = runs_latent_size (result);
  g_autofree float *want = g_new (float, n);
  g_assert_nonnull (t);
  g_assert_cmpuint (t->count, ==, n);
  pmt_safetensors_read_f32 (file, t, 0, n, want, &error);
  g_assert_no_error (error);
  pmt_safetensors_free (file);
  const double off = runs_distance (result->latent, want, n);
  g_test_message ("%s: latent %.2g relative", name, off);
  if (off > 1e-3)
    g_error ("%s: latent off by %g relative", name, off);
}

static void
set_params (PmtMethodUse *use, JsonObject *params)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;
  GError *error = NULL;
  json_object_iter_init_ordered (&iter, params);
  while (json_object_iter_next_ordered (&iter, &name, &value)) {
    pmt_param_values_set_json (&use->values, name, value, "the case", &error);
    g_assert_no_error (error);
  }
}

int
composed_check (const Runs *runs, const char *method, PmtModel *model, void (*fill) (PmtRequest *request, const Runs *runs, JsonObject *c))
{
  g_autofree char *path = data_path ("composed.json");
  g_autoptr (JsonParser) parser = json_parser_new ();
  GError *error = NULL;
  int n = 0;
  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  JsonArray *cases = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), "cases");
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    JsonObject *c = json_array_get_object_element (cases, i);
    if (strcmp (json_object_get_string_member (c, "method"), method) != 0)
      continue;
    PmtMethodUse use = runs_use (method);
    PmtRequest q = runs_request (runs, model);
    set_params (&use, json_object_get_object_member (c, "params"));
    q.methods = &use;
    q.n_methods = 1;
    q.prompt = json_object_get_string_member (c, "prompt");
    q.negative = json_object_get_string_member (c, "negative");
    q.steps = (int) json_object_get_int_member (c, "steps");
    q.guidance = json_object_get_double_member (c, "guidance");
    q.seed = (uint64_t) json_object_get_int_member (c, "seed");
    if (fill)
      fill (&q, runs, c);
    PmtResult result = runs_do (&q);
    compare (json_object_get_string_member (c, "name"), &result);
    pmt_result_clear (&result);
    pmt_param_values_clear (&use.values);
    n++;
  }
  return n;
}
