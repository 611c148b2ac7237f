/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/weights/files.h"

#include <string.h>

#include <glib/gstdio.h>
#include <unistd.h>

struct FilesSparse {
  GString *header;
  const char *dtype;
  guint64 value_size, at;
};

char *
files_folder (void)
{
  char *folder = g_dir_make_tmp ("pmt-weights-XXXXXX", NULL);
  g_assert_nonnull (folder);
  return folder;
}

void
files_remove (const char *folder)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (folder, name, NULL);
    if (g_file_test (path, G_FILE_TEST_IS_DIR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
      files_remove (path);
    else
      g_unlink (path);
  }
  if (dir)
    g_dir_close (dir);
  g_rmdir (folder);
}

char *
files_make_folder (const char *folder, const char *name)
{
  char *path = g_build_filename (folder, name, NULL);
  g_assert_cmpint (g_mkdir_with_parents (path, 0700), ==, 0);
  return path;
}

void
files_write (const char *folder, const char *name, const void *bytes, gssize size)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autoptr (GError) error = NULL;
  g_file_set_contents (path, bytes, size, &error);
  g_assert_no_error (error);
}

guint8 *
files_safetensors (const char *header, gssize header_size, guint64 claimed, gsize n_data, gsize *size)
{
  gsize n = header_size < 0 ? strlen (header) : (gsize) header_size;
  guint64 length = claimed ? claimed : n;
  guint8 *bytes = g_malloc (8 + n + n_data);

  memcpy (bytes, &length, 8);
  memcpy (bytes + 8, header, n);
  for (gsize i = 0; i < n_data; i++)
    bytes[8 + n + i] = (guint8) i;
  *size = 8 + n + n_data;
  return bytes;
}

FilesSparse *
files_sparse_new (const char *dtype, int value_size)
{
  FilesSparse *sparse = g_new0 (FilesSparse, 1);
  sparse->header = g_string_new ("{");
  sparse->dtype = dtype;
  sparse->value_size = (guint64) value_size;
  return sparse;
}

void
files_sparse_add_one (FilesSparse *sparse, const char *name, int rank, const gint64 *dim)
{
  guint64 end = sparse->value_size;

  g_string_append_printf (sparse->header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", sparse->header->len > 1 ? "," : "", name,
                          sparse->dtype);
  for (int i = 0; i < rank; i++) {
    g_string_append_printf (sparse->header, "%s%" G_GINT64_FORMAT, i ? "," : "", dim[i]);
    end *= (guint64) dim[i];
  }
  end += sparse->at;
  g_string_append_printf (sparse->header, "],\"data_offsets\":[%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT "]}", sparse->at, end);
  sparse->at = end;
}

void
files_sparse_add (FilesSparse *sparse, JsonArray *names, guint column)
{
  for (guint i = 0; i < json_array_get_length (names); i++) {
    JsonArray *item = json_array_get_array_element (names, i), *shape = json_array_get_array_element (item, 2);
    gint64 dim[8];
    int rank = (int) json_array_get_length (shape);
    for (int d = 0; d < rank; d++)
      dim[d] = json_array_get_int_element (shape, (guint) d);
    files_sparse_add_one (sparse, json_array_get_string_element (item, column), rank, dim);
  }
}

void
files_sparse_dtype (FilesSparse *sparse, const char *dtype)
{
  sparse->dtype = dtype;
  sparse->value_size = pmt_dtype_size (pmt_dtype_from_name (dtype));
  g_assert_cmpuint (sparse->value_size, >, 0);
}

char *
files_sparse_write (FilesSparse *sparse, const char *folder, const char *name)
{
  gsize size;
  g_string_append_c (sparse->header, '}');
  g_autofree guint8 *bytes = files_safetensors (sparse->header->str, -1, 0, 0, &size);
  char *path = g_build_filename (folder, name, NULL);

  files_write (folder, name, bytes, (gssize) size);
  g_assert_cmpint (truncate (path, (off_t) (size + sparse->at)), ==, 0);
  g_string_free (sparse->header, TRUE);
  g_free (sparse);
  return path;
}

JsonObject *
files_names (void)
{
  static JsonNode *root;

  if (!root) {
    g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), "weights", "names.json", NULL);
    g_autoptr (JsonParser) parser = json_parser_new ();
    g_autoptr (GError) error = NULL;
    json_parser_load_from_file (parser, path, &error);
    g_assert_no_error (error);
    root = json_parser_steal_root (parser);
  }
  return json_node_get_object (root);
}

void
files_assert_error (const GError *error, int code, const char *part, const char *other_part)
{
  g_assert_error (error, PMT_ERROR, code);
  for (int i = 0; i < 2; i++) {
    const char *wanted = i ? other_part : part;
    if (wanted && !strstr (error->message, wanted))
      g_error ("'%s' does not say '%s'", error->message, wanted);
  }
  g_assert_null (strchr (error->message, '\n'));
  g_assert_true (g_str_has_suffix (error->message, "."));
}
