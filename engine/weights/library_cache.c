/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <locale.h>
#include <string.h>

#include "engine/weights/library.h"
#include "engine/weights/model.h"
#include "pentimento/build-id.h"

struct PmtLibraryCache {
  char *path;
  char *version; /* of what is remembered: the build, since another may see more in the same file, and the language of its sentences */
  JsonObject *known; /* by path: {bytes, changed, report} */
  JsonObject *asked; /* the same, of what was asked for */
  int inspected;
};

PmtLibraryCache *
pmt_library_cache_new (void)
{
  PmtLibraryCache *cache = g_new0 (PmtLibraryCache, 1);
  g_autoptr (JsonParser) parser = json_parser_new ();
  const char *language = setlocale (LC_MESSAGES, NULL); /* "C" unless pmt_language_use was called */
  JsonNode *root, *files;

  cache->path = g_build_filename (g_get_user_cache_dir (), "pentimento", "models.json", NULL);
  cache->version = g_strconcat (PMT_BUILD_ID, " ", strcmp (language, "C") == 0 ? language : g_get_language_names ()[0], NULL);
  cache->asked = json_object_new ();
  root = json_parser_load_from_file (parser, cache->path, NULL) ? json_parser_get_root (parser) : NULL;
  files = root && JSON_NODE_HOLDS_OBJECT (root) ? json_object_get_member (json_node_get_object (root), "files") : NULL;
  if (files && JSON_NODE_HOLDS_OBJECT (files) &&
      g_strcmp0 (json_object_get_string_member_with_default (json_node_get_object (root), "version", NULL), cache->version) == 0)
    cache->known = json_object_ref (json_node_get_object (files));
  else
    cache->known = json_object_new ();
  return cache;
}

static void
copy_member (JsonObject *from, const char *name, JsonObject *to)
{
  JsonNode *node = json_object_get_member (from, name);

  if (node)
    json_object_set_member (to, name, json_node_copy (node));
}

/* What a list of models shows of it. */
static JsonObject *
inspect (const PmtLibraryFile *file)
{
  static const char *const members[] = { "kind", "form", "what", "family", "label", "use" };
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) seen = pmt_model_files_inspect (file->path, &error);
  JsonObject *report = json_object_new ();
  JsonArray *problems = seen ? json_object_get_array_member (seen, "problems") : NULL;
  const char *problem = error ? error->message : NULL;

  for (gsize i = 0; seen && i < G_N_ELEMENTS (members); i++)
    copy_member (seen, members[i], report);
  if (!seen)
    json_object_set_string_member (report, "kind", "unknown");
  if (problems && json_array_get_length (problems) > 0)
    problem = json_array_get_string_element (problems, 0);
  json_object_set_boolean_member (report, "works", !problem);
  if (problem) {
    g_autofree char *shown = pmt_error_shown (problem);
    json_object_set_string_member (report, "problem", shown);
  }
  return report;
}

/* The remembered entry, if the file is still the same. */
static JsonObject *
recall (PmtLibraryCache *cache, const PmtLibraryFile *file)
{
  JsonNode *node = json_object_get_member (cache->known, file->path), *report;
  JsonObject *entry = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;

  if (!entry || json_object_get_int_member_with_default (entry, "bytes", -1) != file->bytes ||
      json_object_get_int_member_with_default (entry, "changed", -1) != file->changed)
    return NULL;
  report = json_object_get_member (entry, "report");
  return report && JSON_NODE_HOLDS_OBJECT (report) ? json_object_ref (entry) : NULL;
}

/* Names on disk are bytes; JSON wants UTF-8. */
static void
set_text (JsonObject *object, const char *name, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);

  json_object_set_string_member (object, name, valid);
}

JsonObject *
pmt_library_cache_report (PmtLibraryCache *cache, const PmtLibraryFile *file)
{
  JsonObject *entry = recall (cache, file), *told, *report;
  g_autoptr (GList) names = NULL;

  if (!entry) {
    entry = json_object_new ();
    json_object_set_int_member (entry, "bytes", file->bytes);
    json_object_set_int_member (entry, "changed", file->changed);
    json_object_set_object_member (entry, "report", inspect (file));
    cache->inspected++;
  }
  report = json_object_get_object_member (entry, "report");
  told = json_object_new ();
  set_text (told, "path", file->path);
  set_text (told, "name", file->name);
  set_text (told, "folder", file->folder->path);
  json_object_set_string_member (told, "origin", file->folder->origin);
  json_object_set_boolean_member (told, "is-folder", file->is_folder);
  json_object_set_int_member (told, "bytes", file->bytes);
  names = json_object_get_members (report);
  for (GList *name = names; name; name = name->next)
    copy_member (report, name->data, told);
  if (g_utf8_validate (file->path, -1, NULL))
    json_object_set_object_member (cache->asked, file->path, entry);
  else
    json_object_unref (entry);
  return told;
}

int
pmt_library_cache_inspected (const PmtLibraryCache *cache)
{
  return cache->inspected;
}

void
pmt_library_cache_save (PmtLibraryCache *cache, gboolean complete)
{
  g_autofree char *folder = g_path_get_dirname (cache->path), *text = NULL;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autoptr (JsonObject) whole = json_object_new ();
  JsonObjectIter iter;
  const char *path;
  JsonNode *entry;

  if (!complete) {
    json_object_iter_init (&iter, cache->known);
    while (json_object_iter_next (&iter, &path, &entry))
      if (!json_object_has_member (cache->asked, path))
        json_object_set_member (cache->asked, path, json_node_copy (entry));
  }
  json_object_set_string_member (whole, "version", cache->version);
  json_object_set_object_member (whole, "files", json_object_ref (cache->asked));
  json_node_set_object (node, whole);
  text = json_to_string (node, FALSE);
  g_mkdir_with_parents (folder, 0700);
  g_file_set_contents (cache->path, text, -1, NULL);
}

void
pmt_library_cache_free (PmtLibraryCache *cache)
{
  if (!cache)
    return;
  json_object_unref (cache->known);
  json_object_unref (cache->asked);
  g_free (cache->path);
  g_free (cache->version);
  g_free (cache);
}
