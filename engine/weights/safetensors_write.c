/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "engine/weights/safetensors.h"

static void
append_string (GString *json, const char *text)
{
  g_string_append_c (json, '"');
  for (const char *c = text; *c; c++) {
    if (*c == '"' || *c == '\\')
      g_string_append_printf (json, "\\%c", *c);
    else if ((unsigned char) *c < 0x20)
      g_string_append_printf (json, "\\u%04x", *c);
    else
      g_string_append_c (json, *c);
  }
  g_string_append_c (json, '"');
}

static uint64_t
tensor_bytes (const PmtSafetensorOut *t)
{
  uint64_t bytes = pmt_dtype_size (t->dtype);
  for (int i = 0; i < t->rank; i++)
    bytes *= (uint64_t) t->dim[i];
  return bytes;
}

static void
append_metadata (GString *json, GHashTable *metadata)
{
  g_autoptr (GList) keys = g_list_sort (g_hash_table_get_keys (metadata), (GCompareFunc) strcmp);

  g_string_append (json, "\"__metadata__\":{");
  for (GList *l = keys; l; l = l->next) {
    if (l != keys)
      g_string_append_c (json, ',');
    append_string (json, l->data);
    g_string_append_c (json, ':');
    append_string (json, g_hash_table_lookup (metadata, l->data));
  }
  g_string_append_c (json, '}');
}

/* Header text padded with spaces to a multiple of 8, so that data is aligned. */
static GString *
make_header (const char *path, const PmtSafetensorOut *tensors, guint n, GHashTable *metadata, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  GString *json = g_string_new ("{");
  uint64_t at = 0;

  if (metadata && g_hash_table_size (metadata) > 0)
    append_metadata (json, metadata);
  for (guint i = 0; i < n; i++) {
    const PmtSafetensorOut *t = &tensors[i];
    if (t->name[0] == 0 || !g_hash_table_add (seen, (gpointer) t->name)) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("'%s' cannot be written: the tensor name '%s' is empty or used twice."), path,
                   t->name);
      g_string_free (json, TRUE);
      return NULL;
    }
    if (json->len > 1)
      g_string_append_c (json, ',');
    append_string (json, t->name);
    g_string_append_printf (json, ":{\"dtype\":\"%s\",\"shape\":[", pmt_dtype_name (t->dtype));
    for (int d = 0; d < t->rank; d++)
      g_string_append_printf (json, "%s%" G_GINT64_FORMAT, d ? "," : "", t->dim[d]);
    uint64_t end = at + tensor_bytes (t);
    g_string_append_printf (json, "],\"data_offsets\":[%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT "]}", at, end);
    at = end;
  }
  g_string_append_c (json, '}');
  while (json->len % 8)
    g_string_append_c (json, ' ');
  return json;
}

static gboolean
write_body (FILE *out, const GString *header, const PmtSafetensorOut *tensors, guint n)
{
  uint64_t length = header->len;

  if (fwrite (&length, 8, 1, out) != 1 || fwrite (header->str, 1, header->len, out) != header->len)
    return FALSE;
  for (guint i = 0; i < n; i++) {
    size_t bytes = tensor_bytes (&tensors[i]);
    if (bytes > 0 && fwrite (tensors[i].data, 1, bytes, out) != bytes)
      return FALSE;
  }
  return fflush (out) == 0;
}

gboolean
pmt_safetensors_write (const char *path, const PmtSafetensorOut *tensors, guint n_tensors, GHashTable *metadata, GError **error)
{
  GString *header = make_header (path, tensors, n_tensors, metadata, error);
  if (!header)
    return FALSE;

  /* A name of this process's own: two writers must not mix their halves. */
  g_autofree char *temporary = g_strdup_printf ("%s.%d.tmp", path, (int) getpid ());
  FILE *out = g_fopen (temporary, "wb");
  gboolean ok = out && write_body (out, header, tensors, n_tensors);
  int code = errno;
  if (out && fclose (out) != 0 && ok) {
    ok = FALSE;
    code = errno;
  }
  if (ok && g_rename (temporary, path) != 0) {
    ok = FALSE;
    code = errno;
  }
  if (!ok) {
    g_unlink (temporary);
    g_set_error (error, PMT_ERROR, PMT_ERROR_IO, _("'%s' cannot be written (%s); check the folder and the free space."), path,
                 g_strerror (code));
  }
  g_string_free (header, TRUE);
  return ok;
}
