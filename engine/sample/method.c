/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/method.h"

#include <string.h>

PmtRow *
pmt_rows_add (PmtRows *rows)
{
  if (rows->n == rows->capacity) {
    rows->capacity = MAX (4, rows->capacity * 2);
    rows->row = g_renew (PmtRow, rows->row, rows->capacity);
  }
  PmtRow *row = &rows->row[rows->n++];
  memset (row, 0, sizeof *row);
  return row;
}

PmtRow *
pmt_rows_add_like (PmtRows *rows, int i, const char *role)
{
  PmtRow *row = pmt_rows_add (rows);
  *row = rows->row[i];
  row->role = role;
  row->prediction = PMT_NO_TENSOR;
  return row;
}

PmtRow *
pmt_rows_find (PmtRows *rows, int track, const char *role)
{
  for (int i = 0; i < rows->n; i++)
    if (rows->row[i].track == track && strcmp (rows->row[i].role, role) == 0)
      return &rows->row[i];
  return NULL;
}

void
pmt_rows_clear (PmtRows *rows)
{
  g_free (rows->row);
  *rows = (PmtRows) { 0 };
}

const PmtMethod *
pmt_method_find (const char *id, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);
  for (int i = 0; pmt_methods[i]; i++) {
    if (g_strcmp0 (id, pmt_methods[i]->id) == 0)
      return pmt_methods[i];
    if (!pmt_methods[i]->internal)
      g_string_append_printf (known, "%s%s", known->len ? ", " : "", pmt_methods[i]->id);
  }
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("There is no method \"%s\"; choose one of %s."), id ? id : "", known->str);
  return NULL;
}
