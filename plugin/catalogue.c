/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/catalogue.h"

#include <glib/gi18n.h>
#include <libgimp/gimp.h>
#include <string.h>

#include "plugin/error.h"

static gboolean
is_plain_name (const char *name)
{
  return name && name[0] && name[0] != '.' && !strpbrk (name, "/\\\n");
}

static const char *
text_of (JsonObject *entry, const char *member)
{
  JsonNode *node = json_object_get_member (entry, member);

  return node && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING ? json_node_get_string (node) : NULL;
}

static gboolean
is_good (JsonNode *node)
{
  JsonObject *entry = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  const char *url = entry ? text_of (entry, "url") : NULL;
  JsonNode *license = entry ? json_object_get_member (entry, "license") : NULL;

  return url && text_of (entry, "id") && text_of (entry, "title") && text_of (entry, "purpose") && text_of (entry, "kind") &&
         is_plain_name (text_of (entry, "file")) && is_plain_name (text_of (entry, "folder")) && license && JSON_NODE_HOLDS_OBJECT (license) &&
         text_of (json_node_get_object (license), "name") &&
         (g_str_has_prefix (url, "https://") || g_str_has_prefix (url, "http://127.0.0.1") || g_str_has_prefix (url, "http://localhost"));
}

JsonArray *
pmt_catalogue_load (GError **error)
{
  g_autofree char *folder = g_path_get_dirname (gimp_get_progname ()), *path = g_build_filename (folder, "data", "catalogue.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) problem = NULL;
  JsonNode *root, *list;
  JsonArray *models;

  root = json_parser_load_from_file (parser, path, &problem) ? json_parser_get_root (parser) : NULL;
  list = root && JSON_NODE_HOLDS_OBJECT (root) ? json_object_get_member (json_node_get_object (root), "models") : NULL;
  if (!list || !JSON_NODE_HOLDS_ARRAY (list)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The list of models %s cannot be read (%s): install Pentimento again."), path,
                 problem ? problem->message : _("it holds no models"));
    return NULL;
  }
  models = json_array_new ();
  for (guint i = 0; i < json_array_get_length (json_node_get_array (list)); i++) {
    JsonNode *node = json_array_get_element (json_node_get_array (list), i);
    if (is_good (node))
      json_array_add_element (models, json_node_copy (node));
  }
  return models;
}
