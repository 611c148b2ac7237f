/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "engine/sample/lists.h"
#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;

static double
worst_mean (const PmtResult *r)
{
  double worst = 0;
  for (int c = 0; c < 4; c++) {
    double mean = 0;
    for (int k = 0; k < 48; k++)
      mean += r->latent[c * 48 + k] / 48;
    worst = MAX (worst, fabs (mean));
  }
  return worst;
}

static void
test_amount (void)
{
  PmtRequest q = runs_request (&runs, model);
  PmtResult plain = runs_do (&q);
  PmtMethodUse use = runs_use ("example");
  q.methods = &use;
  q.n_methods = 1;
  use.values.number[0] = 0;
  PmtResult none = runs_do (&q);
  runs_assert_equal (&plain, &none);
  use.values.number[0] = 1;
  PmtResult all = runs_do (&q);
  g_assert_cmpfloat (worst_mean (&plain), >, 1e-2);
  g_assert_cmpfloat (worst_mean (&all), <, 1e-5);
  pmt_param_values_clear (&use.values);
  pmt_result_clear (&plain);
  pmt_result_clear (&none);
  pmt_result_clear (&all);
}

/* The list that programs read: what is offered, with its parameters, and nothing internal. */
static void
test_list (void)
{
  g_autoptr (JsonNode) node = pmt_methods_to_json ();
  JsonArray *array = json_node_get_array (node);
  guint offered = 0;
  for (int i = 0; pmt_methods[i]; i++) {
    GError *error = NULL;
    g_assert_true (pmt_method_find (pmt_methods[i]->id, &error) == pmt_methods[i]);
    g_assert_no_error (error);
    g_assert_nonnull (pmt_methods[i]->label);
    g_assert_true (g_str_has_suffix (pmt_methods[i]->summary, "."));
    offered += !pmt_methods[i]->internal;
  }
  g_assert_cmpuint (json_array_get_length (array), ==, offered);
  JsonObject *guidance = NULL;
  for (guint i = 0; i < offered; i++) {
    JsonObject *method = json_array_get_object_element (array, i);
    if (strcmp (json_object_get_string_member (method, "id"), "guidance") == 0)
      guidance = method;
  }
  g_assert_nonnull (guidance);
  JsonObject *rescale = json_array_get_object_element (json_object_get_array_member (guidance, "params"), 0);
  g_assert_cmpstr (json_object_get_string_member (rescale, "id"), ==, "rescale");
  g_assert_cmpstr (json_object_get_string_member (rescale, "type"), ==, "double");
  g_assert_cmpfloat (json_object_get_double_member (rescale, "max"), ==, 1);

  GError *error = NULL;
  g_assert_null (pmt_method_find ("exemple", &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "guidance"));
  g_assert_null (strstr (error->message, "noop"));
  g_clear_error (&error);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/example/amount", test_amount },
    { "/example/list", test_list },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
