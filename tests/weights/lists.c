/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/weights/lists.h"

#include <gio/gio.h>
#include <string.h>

static GHashTable *lists; /* name -> GPtrArray of ListRow */
static GPtrArray *order;

static char *
unpacked (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), "lists", "lists.gz", NULL);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GError) error = NULL;
  g_autoptr (GFileInputStream) raw = g_file_read (file, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (GZlibDecompressor) gzip = g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP);
  g_autoptr (GInputStream) stream = g_converter_input_stream_new (G_INPUT_STREAM (raw), G_CONVERTER (gzip));
  g_autoptr (GOutputStream) memory = g_memory_output_stream_new_resizable ();
  g_output_stream_splice (memory, stream, G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, NULL, &error);
  g_assert_no_error (error);
  return g_strndup (g_memory_output_stream_get_data (G_MEMORY_OUTPUT_STREAM (memory)),
                    g_memory_output_stream_get_data_size (G_MEMORY_OUTPUT_STREAM (memory)));
}

static ListRow *
row_of (const char *line)
{
  g_auto (GStrv) fields = g_strsplit (line, " ", -1);
  ListRow *row = g_new0 (ListRow, 1);

  g_assert_cmpuint (g_strv_length (fields), ==, 5);
  row->name = g_strdup (fields[0]);
  row->dtype = g_strdup (fields[1]);
  row->part = g_strdup (fields[3]);
  row->ours = g_strdup (fields[4]);
  if (strcmp (fields[2], "-") != 0) {
    g_auto (GStrv) extents = g_strsplit (fields[2], ",", -1);
    for (; extents[row->rank]; row->rank++)
      row->dim[row->rank] = g_ascii_strtoll (extents[row->rank], NULL, 10);
  }
  return row;
}

static void
load (void)
{
  g_autofree char *text = unpacked ();
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  GPtrArray *rows = NULL;

  lists = g_hash_table_new (g_str_hash, g_str_equal);
  order = g_ptr_array_new ();
  for (guint i = 0; lines[i]; i++) {
    if (*lines[i] == '@') {
      rows = g_ptr_array_new ();
      char *name = g_strdup (lines[i] + 2);
      g_hash_table_insert (lists, name, rows);
      g_ptr_array_add (order, name);
    } else if (*lines[i] && *lines[i] != '#') {
      g_ptr_array_add (rows, row_of (lines[i]));
    }
  }
}

const GPtrArray *
list_rows (const char *list)
{
  if (!lists)
    load ();
  const GPtrArray *rows = g_hash_table_lookup (lists, list);
  if (!rows)
    g_error ("there is no list '%s'", list);
  return rows;
}

const GPtrArray *
list_names (void)
{
  if (!lists)
    load ();
  return order;
}

char *
list_write (const char *list, const char *folder, const char *file)
{
  const GPtrArray *rows = list_rows (list);
  FilesSparse *sparse = files_sparse_new ("F16", 2);

  for (guint i = 0; i < rows->len; i++) {
    const ListRow *row = rows->pdata[i];
    files_sparse_dtype (sparse, row->dtype);
    files_sparse_add_one (sparse, row->name, row->rank, row->dim);
  }
  return files_sparse_write (sparse, folder, file);
}
