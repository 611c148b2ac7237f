/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "engine/cli/job-options.h"
#include "engine/cli/options-extras.h"
#include "engine/image/file.h"

/* Takes a field that names a file, relative to the job's own folder, out of the job. */
static gboolean
take_file (JsonObject *job, const char *field, const char *folder, char **path, GError **error)
{
  JsonNode *node = json_object_get_member (job, field);

  if (!node)
    return TRUE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The job's field \"%s\" has to be the name of a file; change it.", field);
    return FALSE;
  }
  *path = g_canonicalize_filename (json_node_get_string (node), folder);
  json_object_remove_member (job, field);
  return TRUE;
}

static gboolean
is_png (const char *path)
{
  return g_str_has_suffix (path, ".png") || g_str_has_suffix (path, ".PNG");
}

static JsonObject *
load_job (const char *path, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) problem = NULL;
  g_autofree char *text = NULL;
  gsize length;
  JsonNode *root;

  if (is_png (path)) {
    text = pmt_picture_recipe (path, error);
    if (!text)
      return NULL;
    length = strlen (text);
  } else if (!g_file_get_contents (path, &text, &length, &problem)) {
    gboolean missing = g_error_matches (problem, G_FILE_ERROR, G_FILE_ERROR_NOENT);
    g_set_error (error, PMT_ERROR, missing ? PMT_ERROR_NOT_FOUND : PMT_ERROR_IO, "The job file '%s' %s; check the name.", path,
                 missing ? "does not exist" : "cannot be read");
    return NULL;
  }
  if (!json_parser_load_from_data (parser, text, (gssize) length, &problem)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, "The job file '%s' is not valid JSON (line %u); correct it.", path,
                 json_parser_get_current_line (parser));
    return NULL;
  }
  root = json_parser_get_root (parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT (root)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, "The job file '%s' does not hold a JSON object; a job is one.", path);
    return NULL;
  }
  return json_object_ref (json_node_get_object (root));
}

/* "folder/job.json" -> "folder/job.png"; a picture's recipe does not write over the picture */
static char *
default_out (const char *path)
{
  g_autofree char *stem = g_str_has_suffix (path, ".json") ? g_strndup (path, strlen (path) - 5) : g_strdup (path);

  if (is_png (path))
    stem[strlen (stem) - strlen (".png")] = '\0';
  return g_strconcat (stem, is_png (path) ? "-again.png" : ".png", NULL);
}

static gboolean
run (int argc, char **argv, GError **error)
{
  PmtJobFiles files = { 0 };
  const GOptionEntry entries[] = {
    { "out", 0, 0, G_OPTION_ARG_FILENAME, &files.out, "PNG or JPEG to write (default: the job file's name with .png, a picture's with -again.png)", "FILE.png" },
    { "progress", 0, 0, G_OPTION_ARG_NONE, &files.progress, "One line per step instead of a bar", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autofree char *path = NULL, *folder = NULL, *absolute = NULL;
  JsonObject *job = NULL;
  gboolean good;

  good = pmt_cli_parse (&pmt_command_run, "JOB.json|PICTURE.png",
                        "A job is a recipe as PNG files carry it, with the fields \"image\" and \"mask\" naming files beside the job; \"image\" of a control or\n"
                        "reference does so too. A PNG that carries a recipe serves as well, where that needs no such file.", entries,
                        argc, argv, &path, 1, error) &&
         (job = load_job (path, error)) != NULL;
  if (good) {
    absolute = g_canonicalize_filename (path, NULL);
    folder = g_path_get_dirname (absolute);
    good = take_file (job, "image", folder, &files.image, error) && take_file (job, "mask", folder, &files.mask, error);
  }
  if (good)
    pmt_extra_files_resolve (job, folder);
  if (good && !files.out)
    files.out = default_out (path);
  good = good && pmt_job_execute (job, &files, error);
  g_clear_pointer (&job, json_object_unref);
  pmt_job_files_clear (&files);
  return good;
}

const PmtCommand pmt_command_run = { "run", "Run a job file, or a recipe again.", run };
