/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "engine/base/language.h"
#include "engine/cli/cli.h"
#include "engine/weights/library.h"

/* One object a line, at once: whoever reads shows them as they come. */
static void
print_line (const char *member, JsonObject *object)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *text = NULL;
  JsonObject *line = json_object_new ();

  json_object_set_object_member (line, member, object);
  json_node_take_object (node, line);
  text = json_to_string (node, FALSE);
  puts (text);
  fflush (stdout);
}

static void
print_folder (const PmtLibraryFolder *folder, gboolean json)
{
  gboolean exists = g_file_test (folder->path, G_FILE_TEST_IS_DIR);

  if (json) {
    g_autofree char *path = g_utf8_make_valid (folder->path, -1);
    JsonObject *object = json_object_new ();
    json_object_set_string_member (object, "path", path);
    json_object_set_string_member (object, "origin", folder->origin);
    json_object_set_boolean_member (object, "use", folder->used);
    json_object_set_boolean_member (object, "exists", exists);
    print_line ("folder", object);
  } else
    printf ("%-10s %-4s %s%s\n", folder->origin, folder->used ? "used" : "off", folder->path, exists ? "" : " (not there)");
}

typedef struct Scan {
  PmtLibraryCache *cache;
  const PmtCancel *cancel;
  gboolean json;
  int files;
} Scan;

static gboolean
on_file (const PmtLibraryFile *file, gpointer user)
{
  Scan *scan = user;
  JsonObject *report = pmt_library_cache_report (scan->cache, file);

  scan->files++;
  if (scan->json) {
    print_line ("model", report);
  } else {
    const char *what = json_object_get_string_member_with_default (report, "what", NULL);
    const char *label = json_object_get_string_member_with_default (report, "label", NULL);
    const char *problem = json_object_get_string_member_with_default (report, "problem", NULL);
    if (!what)
      what = file->is_folder ? "a model's folder" : "?";
    printf ("%-48s %8.1f MB  %s%s%s%s%s\n", file->name, (double) file->bytes / 1e6, what, label ? ", " : "", label ? label : "", problem ? "\n    " : "",
            problem ? problem : "");
    json_object_unref (report);
  }
  return !pmt_cancelled (scan->cancel);
}

static gboolean
list (gboolean json, gboolean folders_only, GError **error)
{
  g_autoptr (GPtrArray) folders = pmt_library_folders (error);
  Scan scan = { .json = json };
  const PmtLibraryFolder *cut;
  gboolean complete;

  if (!folders)
    return FALSE;
  for (guint i = 0; i < folders->len && (json || folders_only); i++)
    print_folder (folders->pdata[i], json);
  if (folders_only)
    return TRUE;
  scan.cancel = pmt_cli_cancel ();
  scan.cache = pmt_library_cache_new ();
  cut = pmt_library_walk (folders, on_file, &scan);
  complete = !pmt_cancelled (scan.cancel);
  pmt_library_cache_save (scan.cache, complete);
  if (json) {
    JsonObject *done = json_object_new ();
    json_object_set_int_member (done, "files", scan.files);
    json_object_set_int_member (done, "inspected", pmt_library_cache_inspected (scan.cache));
    if (cut) {
      g_autofree char *path = g_utf8_make_valid (cut->path, -1);
      json_object_set_string_member (done, "cut", path);
    }
    print_line ("done", done);
  } else if (scan.files == 0) {
    g_autofree char *own = pmt_library_own_folder ();
    printf ("There are no models beside the bundled one; put some into %s, or add a folder with --add.\n", own);
  }
  pmt_library_cache_free (scan.cache);
  if (cut && !json)
    printf ("In '%s' only the first %d names were looked at; add the folder of models in it instead.\n", cut->path, PMT_LIBRARY_MOST_ENTRIES);
  if (!complete)
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_CANCELLED, "The search was stopped.");
  return complete;
}

static gboolean
run (int argc, char **argv, GError **error)
{
  gboolean json = FALSE, folders = FALSE, good = TRUE;
  g_autofree char *added = NULL, *removed = NULL, *used = NULL, *ignored = NULL;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON, one object a line, as they are found", NULL },
    { "folders", 0, 0, G_OPTION_ARG_NONE, &folders, "List the folders only", NULL },
    { "add", 0, 0, G_OPTION_ARG_FILENAME, &added, "Add a folder of yours to the list", "FOLDER" },
    { "remove", 0, 0, G_OPTION_ARG_FILENAME, &removed, "Take a folder that was added off the list; its files stay", "FOLDER" },
    { "use", 0, 0, G_OPTION_ARG_FILENAME, &used, "Look in a folder of the list again", "FOLDER" },
    { "ignore", 0, 0, G_OPTION_ARG_FILENAME, &ignored, "Look no more in a folder of the list", "FOLDER" },
    G_OPTION_ENTRY_NULL,
  };

  if (!pmt_cli_parse (&pmt_command_models, NULL, NULL, entries, argc, argv, NULL, 0, error))
    return FALSE;
  if (json)
    pmt_language_use (); /* a dialog shows it */
  const struct {
    const char *path;
    PmtLibraryChange change;
  } changes[] = { { added, PMT_LIBRARY_ADD }, { removed, PMT_LIBRARY_REMOVE }, { used, PMT_LIBRARY_USE }, { ignored, PMT_LIBRARY_IGNORE } };
  for (gsize i = 0; i < G_N_ELEMENTS (changes) && good; i++)
    good = !changes[i].path || pmt_library_change (changes[i].path, changes[i].change, error);
  return good && list (json, folders, error);
}

const PmtCommand pmt_command_models = { "models", "List the models in your folders and those of other programs, and what each is.", run };

/* ---- import ---- */

static void
on_progress (gpointer user, gint64 done, gint64 of)
{
  gint64 *shown = user; /* thousandths: a line for each is enough */
  gint64 now = of > 0 ? done * 1000 / of : 1000;
  JsonObject *object;

  if (now == *shown)
    return;
  *shown = now;
  object = json_object_new ();
  json_object_set_int_member (object, "done", done);
  json_object_set_int_member (object, "of", of);
  print_line ("progress", object);
}

static gboolean
run_import (int argc, char **argv, GError **error)
{
  gboolean json = FALSE;
  gint64 shown = -1;
  g_autofree char *path = NULL, *placed = NULL;
  PmtLibraryImport how = { 0 };
  const GOptionEntry entries[] = {
    { "link", 0, 0, G_OPTION_ARG_NONE, &how.link, "Make a link instead of a copy", NULL },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON, one object a line: progress, then what was imported", NULL },
    G_OPTION_ENTRY_NULL,
  };
  JsonObject *report = NULL;

  if (!pmt_cli_parse (&pmt_command_import, "PATH", NULL, entries, argc, argv, &path, 1, error))
    return FALSE;
  if (json)
    pmt_language_use ();
  how.cancel = pmt_cli_cancel ();
  how.progress = json ? on_progress : NULL;
  how.user = &shown;
  placed = pmt_library_import (path, &how, &report, error);
  if (!placed)
    return FALSE;
  if (json) {
    g_autofree char *valid = g_utf8_make_valid (placed, -1);
    json_object_set_string_member (report, "path", valid);
    print_line ("imported", report);
  } else {
    printf ("%s '%s'\n", how.link ? "linked as" : "copied to", placed);
    json_object_unref (report);
  }
  return TRUE;
}

const PmtCommand pmt_command_import = { "import", "Copy or link a model into Pentimento's own folder, where its kind belongs.", run_import };
