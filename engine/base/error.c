/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/error.h"

#include <string.h>

G_DEFINE_QUARK (pmt-error-quark, pmt_error)

static const char *const names[] = {
  [PMT_ERROR_INPUT] = "input",
  [PMT_ERROR_NOT_FOUND] = "not-found",
  [PMT_ERROR_FORMAT] = "format",
  [PMT_ERROR_UNSUPPORTED] = "unsupported",
  [PMT_ERROR_MEMORY] = "memory",
  [PMT_ERROR_CANCELLED] = "cancelled",
  [PMT_ERROR_IO] = "io",
  [PMT_ERROR_ENGINE] = "engine",
  [PMT_ERROR_INTERNAL] = "internal",
};

const char *
pmt_error_name (PmtError code)
{
  return (size_t) code < G_N_ELEMENTS (names) ? names[code] : names[PMT_ERROR_INTERNAL];
}

PmtError
pmt_error_from_name (const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_strcmp0 (name, names[i]) == 0)
      return (PmtError) i;
  return PMT_ERROR_INTERNAL;
}

gboolean
pmt_refuse (GError **error, PmtError code, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, PMT_ERROR, code, text);
  return FALSE;
}

char *
pmt_error_shown (const char *sentence)
{
  enum { MOST = 4096 };
  static const char more[] = "…";
  char *valid = g_utf8_make_valid (sentence, -1);

  if (strlen (valid) > MOST) {
    char *end = valid + MOST - (sizeof more - 1);
    while (((guchar) *end & 0xc0) == 0x80) /* inside a character */
      end--;
    strcpy (end, more);
  }
  return valid;
}
