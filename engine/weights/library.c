/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/library.h"

#include <string.h>

#define FOLDERS "folders"

PmtLibraryFolder *
pmt_library_folder_new (const char *path, const char *origin)
{
  PmtLibraryFolder *folder = g_new0 (PmtLibraryFolder, 1);

  folder->path = g_canonicalize_filename (path, NULL);
  folder->origin = origin;
  folder->used = TRUE;
  return folder;
}

static void
folder_free (gpointer data)
{
  PmtLibraryFolder *folder = data;

  g_free (folder->path);
  g_free (folder);
}

char *
pmt_library_own_folder (void)
{
  return g_build_filename (g_get_user_data_dir (), "pentimento", "models", NULL);
}

char *
pmt_library_config_path (void)
{
  return g_build_filename (g_get_user_config_dir (), "pentimento", "models.json", NULL);
}

/* ---- the user's file ---- */

static JsonObject *
config_bad (const char *path, const char *what, GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("The list of model folders '%s' cannot be used (%s); correct it, or remove it to begin anew."), path,
               what);
  return NULL;
}

/* The whole file, checked; new reference. A missing file is an empty object. */
static JsonObject *
read_config (GError **error)
{
  g_autofree char *path = pmt_library_config_path (), *text = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) problem = NULL;
  JsonObject *config;
  JsonNode *list;

  if (!g_file_get_contents (path, &text, NULL, &problem))
    return g_error_matches (problem, G_FILE_ERROR, G_FILE_ERROR_NOENT) ? json_object_new () : config_bad (path, problem->message, error);
  if (!json_parser_load_from_data (parser, text, -1, &problem))
    return config_bad (path, problem->message, error);
  if (!json_parser_get_root (parser) || !JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)))
    return config_bad (path, _("it holds no JSON object"), error);
  config = json_node_get_object (json_parser_get_root (parser));
  list = json_object_get_member (config, FOLDERS);
  if (list && !JSON_NODE_HOLDS_ARRAY (list))
    return config_bad (path, _("\"folders\" is no list"), error);
  for (guint i = 0; list && i < json_array_get_length (json_node_get_array (list)); i++) {
    JsonNode *entry = json_array_get_element (json_node_get_array (list), i);
    JsonNode *where = JSON_NODE_HOLDS_OBJECT (entry) ? json_object_get_member (json_node_get_object (entry), "path") : NULL;
    JsonNode *use = JSON_NODE_HOLDS_OBJECT (entry) ? json_object_get_member (json_node_get_object (entry), "use") : NULL;
    if (!where || json_node_get_value_type (where) != G_TYPE_STRING || (use && json_node_get_value_type (use) != G_TYPE_BOOLEAN))
      return config_bad (path, _("an entry of \"folders\" is not of the form {\"path\": \"…\", \"use\": true}"), error);
  }
  return json_object_ref (config);
}

static gboolean
write_config (JsonObject *config, GError **error)
{
  g_autofree char *path = pmt_library_config_path (), *folder = g_path_get_dirname (path), *text = NULL;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autoptr (GError) problem = NULL;

  json_node_set_object (node, config);
  text = json_to_string (node, TRUE);
  g_mkdir_with_parents (folder, 0700);
  if (g_file_set_contents (path, text, -1, &problem))
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_IO, _("The list of model folders cannot be kept in '%s' (%s); check who may write there."), path,
               problem->message);
  return FALSE;
}

static char *
expand (const char *path)
{
  g_autofree char *home = g_str_has_prefix (path, "~/") ? g_build_filename (g_get_home_dir (), path + 2, NULL) : NULL;

  return g_canonicalize_filename (home ? home : path, NULL);
}

static const char *
entry_path (JsonArray *list, guint i)
{
  return json_object_get_string_member (json_array_get_object_element (list, i), "path");
}

static PmtLibraryFolder *
find_folder (GPtrArray *folders, const char *path)
{
  for (guint i = 0; i < folders->len; i++) {
    PmtLibraryFolder *folder = folders->pdata[i];
    if (strcmp (folder->path, path) == 0)
      return folder;
  }
  return NULL;
}

GPtrArray *
pmt_library_folders (GError **error)
{
  g_autoptr (JsonObject) config = read_config (error);
  g_autofree char *own = pmt_library_own_folder ();
  GPtrArray *folders;
  JsonArray *list;

  if (!config)
    return NULL;
  folders = g_ptr_array_new_with_free_func (folder_free);
  g_ptr_array_add (folders, pmt_library_folder_new (own, "own"));
  pmt_library_add_found (folders);
  list = json_object_has_member (config, FOLDERS) ? json_object_get_array_member (config, FOLDERS) : NULL;
  for (guint i = 0, at = 1; list && i < json_array_get_length (list); i++) {
    JsonObject *entry = json_array_get_object_element (list, i);
    g_autofree char *path = expand (json_object_get_string_member (entry, "path"));
    PmtLibraryFolder *folder = find_folder (folders, path);
    if (!folder) {
      folder = pmt_library_folder_new (path, "added");
      g_ptr_array_insert (folders, (int) at++, folder);
    }
    folder->used = json_object_get_boolean_member_with_default (entry, "use", TRUE);
  }
  return folders;
}

/* The entry for a path in the user's list; appended when it has none. */
static JsonObject *
entry_for (JsonObject *config, const char *path, gint *index)
{
  JsonArray *list;
  JsonObject *entry;

  if (!json_object_has_member (config, FOLDERS))
    json_object_set_array_member (config, FOLDERS, json_array_new ());
  list = json_object_get_array_member (config, FOLDERS);
  for (guint i = 0; i < json_array_get_length (list); i++) {
    g_autofree char *there = expand (entry_path (list, i));
    *index = (gint) i;
    if (strcmp (there, path) == 0)
      return json_array_get_object_element (list, i);
  }
  *index = (gint) json_array_get_length (list);
  entry = json_object_new ();
  json_object_set_string_member (entry, "path", path);
  json_array_add_object_element (list, entry);
  return entry;
}

gboolean
pmt_library_change (const char *path, PmtLibraryChange change, GError **error)
{
  g_autofree char *full = expand (path);
  g_autoptr (GPtrArray) folders = pmt_library_folders (error);
  g_autoptr (JsonObject) config = folders ? read_config (error) : NULL;
  const PmtLibraryFolder *folder = config ? find_folder (folders, full) : NULL;
  JsonObject *entry;
  int index;

  if (!config)
    return FALSE;
  if (change == PMT_LIBRARY_ADD && !folder && !g_file_test (full, G_FILE_TEST_IS_DIR)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, _("There is no folder '%s'; name one that exists."), full);
    return FALSE;
  }
  if (change != PMT_LIBRARY_ADD && !folder) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, _("The folder '%s' is not on the list; 'pentimento-engine models --folders' prints it."), full);
    return FALSE;
  }
  if (!g_utf8_validate (full, -1, NULL)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The folder's name is no UTF-8, which the list cannot hold; give it another name."));
    return FALSE;
  }
  if (change == PMT_LIBRARY_REMOVE && strcmp (folder->origin, "added") != 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The folder '%s' was not added but found; switch it off instead."), full);
    return FALSE;
  }
  entry = entry_for (config, full, &index);
  if (change == PMT_LIBRARY_REMOVE)
    json_array_remove_element (json_object_get_array_member (config, FOLDERS), (guint) index);
  else
    json_object_set_boolean_member (entry, "use", change != PMT_LIBRARY_IGNORE);
  return write_config (config, error);
}
