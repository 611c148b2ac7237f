/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parameter tables: defaults, checks, and both ways of JSON. */
#include <stdbool.h>
#include <string.h>

#include "engine/base/param.h"

static const PmtParamChoice sizes[] = { { "small", "Small" }, { "large", "Large" }, { 0 } };
static const PmtParam table[] = {
  { .id = "on", .label = "_On", .help = "A switch", .type = PMT_PARAM_BOOL, .min = 0, .max = 1, .fallback = 1 },
  { .id = "count", .label = "_Count", .help = "A number", .type = PMT_PARAM_INT, .min = -2, .max = 9, .fallback = 3 },
  { .id = "share", .label = "_Share", .help = "A part", .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0.25 },
  { .id = "words", .label = "_Words", .help = "A text", .type = PMT_PARAM_STRING, .text = "none" },
  { .id = "size", .label = "S_ize", .help = "A size", .type = PMT_PARAM_CHOICE, .text = "large", .choices = sizes },
  { 0 }
};

static void
test_defaults (void)
{
  PmtParamValues v;
  pmt_param_values_init (&v, table);
  g_assert_cmpint (v.n, ==, 5);
  g_assert_cmpfloat (pmt_param_number (&v, "on"), ==, 1);
  g_assert_cmpfloat (pmt_param_number (&v, "count"), ==, 3);
  g_assert_cmpfloat (pmt_param_number (&v, "share"), ==, 0.25);
  g_assert_cmpstr (pmt_param_text (&v, "words"), ==, "none");
  g_assert_cmpstr (pmt_param_text (&v, "size"), ==, "large");
  g_assert_cmpfloat (pmt_param_number (&v, "size"), ==, 1);
  pmt_param_values_clear (&v);
  pmt_param_values_init (&v, NULL);
  g_assert_cmpint (v.n, ==, 0);
  pmt_param_values_clear (&v);
}

static void
test_text (void)
{
  static const struct {
    const char *id, *text, *part; /* part of the sentence; NULL = accepted */
    double number;
  } cases[] = {
    { "on", "no", NULL, 0 },           { "on", "true", NULL, 1 },        { "on", "perhaps", "true or false", 0 },
    { "count", "-2", NULL, -2 },       { "count", "9", NULL, 9 },        { "count", "10", "from -2 to 9", 0 },
    { "count", "2.5", "whole", 0 },    { "count", "two", "a number", 0 }, { "count", "", "a number", 0 },
    { "share", "0.5", NULL, 0.5 },     { "share", "1e-3", NULL, 1e-3 },  { "share", "nan", "from 0 to 1", 0 },
    { "share", "0,5", "a number", 0 }, { "size", "small", NULL, 0 },     { "size", "huge", "small, large", 0 },
    { "sise", "small", "on, count, share, words, size", 0 },
  };
  PmtParamValues v;
  pmt_param_values_init (&v, table);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GError *error = NULL;
    gboolean ok = pmt_param_values_set_text (&v, cases[i].id, cases[i].text, "method test", &error);
    g_assert_cmpint (ok, ==, cases[i].part == NULL);
    if (ok) {
      g_assert_no_error (error);
      g_assert_cmpfloat (pmt_param_number (&v, cases[i].id), ==, cases[i].number);
    } else {
      g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
      g_assert_nonnull (strstr (error->message, "method test"));
      g_assert_nonnull (strstr (error->message, cases[i].part));
      g_clear_error (&error);
    }
  }
  pmt_param_values_clear (&v);
}

static void
test_json (void)
{
  static const struct {
    const char *id, *json;
    bool ok;
  } cases[] = {
    { "on", "false", true },    { "on", "0", false },         { "count", "5", true },      { "count", "5.0", true },
    { "count", "5.5", false },  { "count", "\"5\"", false },  { "share", "1", true },      { "share", "1.01", false },
    { "share", "null", false }, { "words", "\"a b\"", true }, { "words", "[\"a\"]", false }, { "size", "\"small\"", true },
    { "size", "\"\"", false },  { "size", "1", false },       { "none", "1", false },
  };
  PmtParamValues v;
  pmt_param_values_init (&v, table);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GError *error = NULL;
    g_autoptr (JsonNode) node = json_from_string (cases[i].json, NULL);
    g_assert_cmpint (pmt_param_values_set_json (&v, cases[i].id, node, "the job", &error), ==, cases[i].ok);
    g_assert_cmpint (error == NULL, ==, cases[i].ok);
    g_clear_error (&error);
  }
  g_autoptr (JsonNode) out = pmt_param_values_to_json (&v);
  g_autofree char *text = json_to_string (out, FALSE);
  g_assert_cmpstr (text, ==, "{\"on\":false,\"count\":5,\"share\":1.0,\"words\":\"a b\",\"size\":\"small\"}");
  pmt_param_values_clear (&v);
}

static void
test_table (void)
{
  g_autoptr (JsonNode) node = pmt_param_table_to_json (table);
  JsonArray *array = json_node_get_array (node);
  g_assert_cmpuint (json_array_get_length (array), ==, 5);
  JsonObject *count = json_array_get_object_element (array, 1), *size = json_array_get_object_element (array, 4);
  g_assert_cmpstr (json_object_get_string_member (count, "type"), ==, "int");
  g_assert_cmpint (json_object_get_int_member (count, "min"), ==, -2);
  g_assert_cmpint (json_object_get_int_member (count, "default"), ==, 3);
  g_assert_cmpstr (json_object_get_string_member (size, "default"), ==, "large");
  JsonArray *choices = json_object_get_array_member (size, "choices");
  g_assert_cmpstr (json_object_get_string_member (json_array_get_object_element (choices, 0), "id"), ==, "small");
  g_autoptr (JsonNode) empty = pmt_param_table_to_json (NULL);
  g_assert_cmpuint (json_array_get_length (json_node_get_array (empty)), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/params/defaults", test_defaults);
  g_test_add_func ("/params/text", test_text);
  g_test_add_func ("/params/json", test_json);
  g_test_add_func ("/params/table", test_table);
  return g_test_run ();
}
