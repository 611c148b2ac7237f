/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/methods/guided.h"

#include <string.h>

static char *
data_path (const char *name)
{
  return g_build_filename (g_getenv ("PMT_TEST_DATA"), "guided", name, NULL);
}

void
guided_set (PmtMethodUse *use, JsonObject *c)
{
  for (const PmtParam *p = use->method->params; p && p->id; p++) {
    GError *error = NULL;
    JsonNode *node = json_object_get_member (c, p->id);
    if (node)
      pmt_param_values_set_json (&use->values, p->id, node, use->method->id, &error);
    g_assert_no_error (error);
  }
}

static void
compare (PmtSafetensors *file, const char *name, const PmtResult *result)
{
  GError *error = NULL;
  const PmtSafetensor *t = pmt_safetensors_lookup (file, name);
  const size_t n = runs_latent_size (result);
  g_autofree float *want = g_new (float, n);
  g_assert_nonnull (t);
  g_assert_cmpuint (t->count, ==, n);
  pmt_safetensors_read_f32 (file, t, 0, n, want, &error);
  g_assert_no_error (error);
  const double off = runs_distance (result->latent, want, n);
  g_test_message ("%s: latent %.2g relative", name, off);
  g_assert_cmpfloat (off, <, 1e-3);
}

int
guided_check (const char *method, PmtRequest request, void (*fill) (PmtRequest *request, PmtMethodUse *use, JsonObject *c))
{
  g_autofree char *numbers = data_path ("guided.json"), *latents = data_path ("guided.safetensors");
  g_autoptr (JsonParser) parser = json_parser_new ();
  GError *error = NULL;
  json_parser_load_from_file (parser, numbers, &error);
  g_assert_no_error (error);
  PmtSafetensors *file = pmt_safetensors_open (latents, &error);
  g_assert_no_error (error);
  JsonArray *cases = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), method);
  const int n = (int) json_array_get_length (cases);
  for (int i = 0; i < n; i++) {
    JsonObject *c = json_array_get_object_element (cases, (guint) i);
    PmtMethodUse use = runs_use (method);
    PmtRequest q = request;
    guided_set (&use, c);
    if (fill)
      fill (&q, &use, c);
    PmtResult r = losses_run (q, &use);
    compare (file, json_object_get_string_member (c, "name"), &r);
    pmt_result_clear (&r);
    pmt_param_values_clear (&use.values);
  }
  pmt_safetensors_free (file);
  return n;
}
