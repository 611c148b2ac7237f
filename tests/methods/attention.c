/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/methods/attention.h"

#include <json-glib/json-glib.h>
#include <string.h>

static char *
data_path (const char *name)
{
  return g_build_filename (g_getenv ("PMT_TEST_DATA"), "attention", name, NULL);
}

void
attention_set (PmtMethodUse *use, const char *id, const char *text)
{
  GError *error = NULL;
  pmt_param_values_set_text (&use->values, id, text, "the test", &error);
  g_assert_no_error (error);
}

PmtResult
attention_do (PmtRequest request, const PmtMethodUse *uses, int n)
{
  request.methods = uses;
  request.n_methods = n;
  return runs_do (&request);
}

void
attention_refused (PmtRequest request, const PmtMethodUse *uses, int n, const char *part)
{
  GError *error = NULL;
  PmtResult result;
  request.methods = uses;
  request.n_methods = n;
  g_assert_false (pmt_run (&request, &result, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  if (!strstr (error->message, part))
    g_error ("\"%s\" does not say \"%s\".", error->message, part);
  g_error_free (error);
}

static void
check_case (JsonObject *about, JsonObject *c, const PmtSafetensors *tensors, PmtModel *model,
            void (*look) (const char *name, const PmtSafetensors *tensors, const PmtResult *result))
{
  GError *error = NULL;
  const char *name = json_object_get_string_member (c, "name");
  PmtMethodUse use = runs_use (json_object_get_string_member (c, "method"));
  JsonObject *values = json_object_get_object_member (c, "values");
  GList *ids = json_object_get_members (values);
  for (GList *id = ids; id; id = id->next) {
    pmt_param_values_set_json (&use.values, id->data, json_object_get_member (values, id->data), name, &error);
    g_assert_no_error (error);
  }
  g_list_free (ids);
  PmtLayoutBox boxes[8];
  PmtRequest q = {
    .model = model,
    .prompt = json_object_get_string_member (c, "prompt"),
    .negative = json_object_get_string_member (about, "negative"),
    .width = (int) json_object_get_int_member (about, "width"),
    .height = (int) json_object_get_int_member (about, "height"),
    .seed = (uint64_t) json_object_get_int_member (about, "seed"),
    .steps = (int) json_object_get_int_member (c, "steps"),
    .guidance = json_object_get_double_member (c, "guidance"),
    .strength = 1,
    .sampler = pmt_sampler_find ("ddim", NULL),
    .long_prompts = PMT_LONG_TRUNCATE,
  };
  JsonArray *list = json_object_has_member (c, "boxes") ? json_object_get_array_member (c, "boxes") : NULL;
  q.layout = (PmtLayout) { .boxes = boxes, .beta = 1 };
  for (guint i = 0; list && i < json_array_get_length (list); i++) {
    JsonObject *entry = json_array_get_object_element (list, i);
    JsonArray *box = json_object_get_array_member (entry, "box");
    boxes[q.layout.n_boxes++] = (PmtLayoutBox) { json_array_get_double_element (box, 0), json_array_get_double_element (box, 1),
                                                 json_array_get_double_element (box, 2), json_array_get_double_element (box, 3),
                                                 json_object_get_string_member (entry, "phrase") };
  }
  PmtResult made = attention_do (q, &use, 1);
  g_autofree char *key = g_strconcat (name, ".latent", NULL);
  const PmtSafetensor *t = pmt_safetensors_lookup (tensors, key);
  if (t) {
    const size_t n = runs_latent_size (&made);
    g_assert_cmpuint (t->count, ==, n);
    g_autofree float *expected = g_new (float, n);
    pmt_safetensors_read_f32 (tensors, t, 0, n, expected, &error);
    g_assert_no_error (error);
    const double off = runs_distance (made.latent, expected, n);
    g_test_message ("%s: %.2g", name, off);
    if (!(off < 1e-3))
      g_error ("%s is off by %g.", name, off);
  }
  g_assert_true (t || look);
  if (look)
    look (name, tensors, &made);
  pmt_result_clear (&made);
  pmt_param_values_clear (&use.values);
}

int
attention_check (const char *method, PmtModel *model,
                 void (*look) (const char *name, const PmtSafetensors *tensors, const PmtResult *result))
{
  g_autofree char *json = data_path ("attention.json"), *path = data_path ("attention.safetensors");
  g_autoptr (JsonParser) parser = json_parser_new ();
  GError *error = NULL;
  int n = 0;
  json_parser_load_from_file (parser, json, &error);
  g_assert_no_error (error);
  PmtSafetensors *tensors = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
  JsonObject *about = json_node_get_object (json_parser_get_root (parser));
  JsonArray *cases = json_object_get_array_member (about, "cases");
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    JsonObject *c = json_array_get_object_element (cases, i);
    if (strcmp (json_object_get_string_member (c, "method"), method) != 0)
      continue;
    check_case (about, c, tensors, model, look);
    n++;
  }
  pmt_safetensors_free (tensors);
  return n;
}
