/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/config.h"

#include <string.h>

/* A key that no configuration has: theirs are identifiers. */
#define PATH_KEY "\001path"

static JsonObject *
take_object (JsonNode *root, const char *path)
{
  JsonObject *object = json_object_ref (json_node_get_object (root));
  json_object_set_string_member (object, PATH_KEY, path);
  return object;
}

JsonObject *
pmt_config_load (const char *path, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) local = NULL;
  g_autofree char *text = NULL;
  gsize length;

  if (g_file_test (path, G_FILE_TEST_EXISTS) && !g_file_test (path, G_FILE_TEST_IS_REGULAR)) { /* a pipe would keep us waiting */
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("'%s' is not a regular file; get a fresh copy of it."), path);
    return NULL;
  }
  if (!g_file_get_contents (path, &text, &length, &local)) {
    g_autofree char *name = g_path_get_basename (path), *folder = g_path_get_dirname (path);
    if (g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
      g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, _("The file '%s' is missing in folder '%s'; download it too."), name, folder);
    else
      g_set_error (error, PMT_ERROR, PMT_ERROR_IO, _("The file '%s' cannot be read; check its permissions."), path);
    return NULL;
  }
  if (!json_parser_load_from_data (parser, text, (gssize) length, &local)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("The file '%s' is not valid JSON (line %u); get a fresh copy of it."), path,
                 json_parser_get_current_line (parser));
    return NULL;
  }
  JsonNode *root = json_parser_get_root (parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT (root)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("The file '%s' does not hold a JSON object; get a fresh copy of it."), path);
    return NULL;
  }
  return take_object (root, path);
}

JsonObject *
pmt_config_from_text (const char *text, const char *label)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  gboolean ok = json_parser_load_from_data (parser, text, -1, NULL);
  g_assert (ok); /* our own tables */
  return take_object (json_parser_get_root (parser), label);
}

const char *
pmt_config_path (JsonObject *config)
{
  return json_object_get_string_member_with_default (config, PATH_KEY, "the configuration");
}

static gboolean
wrong_type (JsonObject *config, const char *key, const char *wanted, GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("The key '%s' of '%s' is not %s; get a fresh copy of the file."), key,
               pmt_config_path (config), wanted);
  return FALSE;
}

static JsonNode *
member (JsonObject *config, const char *key)
{
  JsonNode *node = json_object_get_member (config, key);
  return node && !JSON_NODE_HOLDS_NULL (node) ? node : NULL;
}

gboolean
pmt_config_has (JsonObject *config, const char *key)
{
  return member (config, key) != NULL;
}

static gboolean
node_int (JsonNode *node, int *value)
{
  GType type = JSON_NODE_HOLDS_VALUE (node) ? json_node_get_value_type (node) : G_TYPE_INVALID;
  double number;

  if (type == G_TYPE_INT64)
    number = (double) json_node_get_int (node);
  else if (type == G_TYPE_DOUBLE)
    number = json_node_get_double (node);
  else
    return FALSE;
  if (!(number >= G_MININT && number <= G_MAXINT) || number != (double) (int) number)
    return FALSE;
  *value = (int) number;
  return TRUE;
}

gboolean
pmt_config_int (JsonObject *config, const char *key, int fallback, int *value, GError **error)
{
  JsonNode *node = member (config, key);
  if (!node) {
    *value = fallback;
    return TRUE;
  }
  return node_int (node, value) || wrong_type (config, key, "a whole number", error);
}

gboolean
pmt_config_double (JsonObject *config, const char *key, double fallback, double *value, GError **error)
{
  JsonNode *node = member (config, key);
  GType type = node && JSON_NODE_HOLDS_VALUE (node) ? json_node_get_value_type (node) : G_TYPE_INVALID;

  if (!node)
    *value = fallback;
  else if (type == G_TYPE_INT64 || type == G_TYPE_DOUBLE)
    *value = json_node_get_double (node);
  else
    return wrong_type (config, key, "a number", error);
  return TRUE;
}

gboolean
pmt_config_bool (JsonObject *config, const char *key, gboolean fallback, gboolean *value, GError **error)
{
  JsonNode *node = member (config, key);

  if (!node)
    *value = fallback;
  else if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_BOOLEAN)
    *value = json_node_get_boolean (node);
  else
    return wrong_type (config, key, "true or false", error);
  return TRUE;
}

gboolean
pmt_config_string (JsonObject *config, const char *key, const char *fallback, const char **value, GError **error)
{
  JsonNode *node = member (config, key);

  if (!node)
    *value = fallback;
  else if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
    *value = json_node_get_string (node);
  else
    return wrong_type (config, key, "a string", error);
  return TRUE;
}

static gboolean
store_ints (JsonObject *config, const char *key, const int *from, int n_from, int *values, int max, int *n, GError **error)
{
  if (n_from > max || (*n > 0 && n_from != *n && n_from != 1)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("The list '%s' of '%s' has %d entries where %d are expected; get a fresh copy of the file."),
                 key, pmt_config_path (config), n_from, *n > 0 ? *n : max);
    return FALSE;
  }
  int wanted = *n > 0 ? *n : n_from;
  for (int i = 0; i < wanted; i++)
    values[i] = from[n_from == 1 ? 0 : i];
  *n = wanted;
  return TRUE;
}

gboolean
pmt_config_ints (JsonObject *config, const char *key, const int *fallback, int n_fallback, int *values, int max, int *n,
                 GError **error)
{
  JsonNode *node = member (config, key);
  int single;

  if (!node)
    return store_ints (config, key, fallback, n_fallback, values, max, n, error);
  if (!JSON_NODE_HOLDS_ARRAY (node)) {
    if (!node_int (node, &single))
      return wrong_type (config, key, "a whole number or a list of them", error);
    return store_ints (config, key, &single, 1, values, max, n, error);
  }
  JsonArray *array = json_node_get_array (node);
  guint length = json_array_get_length (array);
  if (length > (guint) max || (*n > 0 && length != (guint) *n)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("The list '%s' of '%s' has %u entries where %s%d are expected; get a fresh copy of the file."),
                 key, pmt_config_path (config), length, *n > 0 ? "" : "at most ", *n > 0 ? *n : max);
    return FALSE;
  }
  g_autofree int *parsed = g_new (int, length + 1);
  for (guint i = 0; i < length; i++)
    if (!node_int (json_array_get_element (array, i), &parsed[i]))
      return wrong_type (config, key, "a list of whole numbers", error);
  memcpy (values, parsed, length * sizeof *values);
  *n = (int) length;
  return TRUE;
}

gboolean
pmt_config_strings (JsonObject *config, const char *key, const char *const *fallback, char ***values, GError **error)
{
  JsonNode *node = member (config, key);

  if (!node) {
    *values = g_strdupv ((char **) fallback);
    return TRUE;
  }
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return wrong_type (config, key, "a list of strings", error);
  JsonArray *array = json_node_get_array (node);
  guint length = json_array_get_length (array);
  g_auto (GStrv) list = g_new0 (char *, length + 1);
  for (guint i = 0; i < length; i++) {
    JsonNode *item = json_array_get_element (array, i);
    if (!JSON_NODE_HOLDS_VALUE (item) || json_node_get_value_type (item) != G_TYPE_STRING)
      return wrong_type (config, key, "a list of strings", error);
    list[i] = json_node_dup_string (item);
  }
  *values = g_steal_pointer (&list);
  return TRUE;
}
