/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/param-options.h"

#include <string.h>

#include "engine/cli/cli.h"

char *
pmt_cli_param_help (const PmtParam *p)
{
  g_autofree char *help = g_strdup (p->help);

  if (g_str_has_suffix (help, "."))
    help[strlen (help) - 1] = '\0';
  switch (p->type) {
  case PMT_PARAM_INT:
  case PMT_PARAM_DOUBLE:
    return g_strdup_printf ("%s (%.10g to %.10g, default %.10g)", help, p->min, p->max, p->fallback);
  case PMT_PARAM_BOOL:
    return g_strdup_printf ("%s (true or false, default %s)", help, p->fallback != 0 ? "true" : "false");
  case PMT_PARAM_STRING:
  case PMT_PARAM_CHOICE:
    break;
  }
  return g_strdup_printf ("%s%s%s%s", help, p->text && p->text[0] ? " (default " : "", p->text ? p->text : "",
                          p->text && p->text[0] ? ")" : "");
}

const char *
pmt_cli_param_placeholder (const PmtParam *p)
{
  return p->type == PMT_PARAM_INT ? "N" : p->type == PMT_PARAM_DOUBLE ? "X" : p->type == PMT_PARAM_BOOL ? "BOOL" : "TEXT";
}

void
pmt_cli_add_entry (GArray *entries, const char *name, GOptionArg arg, gpointer data, const char *help, const char *what)
{
  GOptionEntry entry = { name, 0, 0, arg, data, help, what };

  g_array_append_val (entries, entry);
}

gboolean
pmt_cli_set_values (JsonObject *to, const PmtParam *params, const char *const *names, char *const *texts, GError **error)
{
  PmtParamValues values;
  gboolean good = TRUE;

  pmt_param_values_init (&values, params);
  for (int i = 0; good && params[i].id; i++) {
    g_autofree char *option = g_strdup_printf ("--%s", names ? names[i] : params[i].id);
    if (texts[i])
      good = pmt_cli_check_utf8 (option, texts[i], error) &&
             pmt_param_values_set_text (&values, params[i].id, texts[i], "the command line", error);
  }
  if (good) {
    g_autoptr (JsonNode) node = pmt_param_values_to_json (&values);
    JsonObjectIter iter;
    const char *name;
    JsonNode *value;

    json_object_iter_init_ordered (&iter, json_node_get_object (node));
    while (json_object_iter_next_ordered (&iter, &name, &value))
      json_object_set_member (to, name, json_node_copy (value));
  }
  pmt_param_values_clear (&values);
  return good;
}

gboolean
pmt_cli_set_size (const char *text, JsonObject *recipe, GError **error)
{
  int width, height;
  JsonArray *size;

  if (!pmt_cli_read_size (text, &width, &height, error))
    return FALSE;
  size = json_array_new ();
  json_array_add_int_element (size, width);
  json_array_add_int_element (size, height);
  json_object_set_array_member (recipe, "size", size);
  return TRUE;
}

gboolean
pmt_cli_set_number (const char *option, const char *text, double most, JsonObject *object, const char *name, gboolean whole, GError **error)
{
  char *end;
  double value = g_ascii_strtod (text, &end);

  if (end == text || *end != '\0' || !(value >= (whole ? 0 : -1) && value <= most) || (whole && value != (int) value)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "%s takes a %s from %d to %g, not '%s'.", option, whole ? "whole number" : "number",
                 whole ? 0 : -1, most, text);
    return FALSE;
  }
  if (whole)
    json_object_set_int_member (object, name, (gint64) value);
  else
    json_object_set_double_member (object, name, value);
  return TRUE;
}

void
pmt_cli_set_model (JsonObject *recipe, const char *name, const char *text)
{
  gboolean is_path = !g_str_has_prefix (text, "random:") && (strchr (text, '/') || g_file_test (text, G_FILE_TEST_EXISTS));
  g_autofree char *path = is_path ? g_canonicalize_filename (text, NULL) : g_strdup (text);

  json_object_set_string_member (recipe, name, path);
}
