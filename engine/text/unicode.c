/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/text/unicode.h"

gboolean
pmt_char_is_space (gunichar c)
{
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028
         || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

gboolean
pmt_char_is_letter (gunichar c)
{
  switch (g_unichar_type (c)) {
    case G_UNICODE_UPPERCASE_LETTER:
    case G_UNICODE_LOWERCASE_LETTER:
    case G_UNICODE_TITLECASE_LETTER:
    case G_UNICODE_MODIFIER_LETTER:
    case G_UNICODE_OTHER_LETTER:
      return TRUE;
    default:
      return FALSE;
  }
}

gboolean
pmt_char_is_number (gunichar c)
{
  switch (g_unichar_type (c)) {
    case G_UNICODE_DECIMAL_NUMBER:
    case G_UNICODE_LETTER_NUMBER:
    case G_UNICODE_OTHER_NUMBER:
      return TRUE;
    default:
      return FALSE;
  }
}

gboolean
pmt_char_is_word (gunichar c)
{
  return c == '_' || pmt_char_is_letter (c) || pmt_char_is_number (c);
}

/* GLib maps letters only; Roman numerals and circled letters have lower case too. */
static gunichar
to_lower (gunichar c)
{
  if (c >= 0x2160 && c <= 0x216f)
    return c + 16;
  if (c >= 0x24b6 && c <= 0x24cf)
    return c + 26;
  return g_unichar_tolower (c);
}

char *
pmt_text_clean (const char *text, gssize length)
{
  g_autofree char *composed = g_utf8_normalize (text, length, G_NORMALIZE_DEFAULT_COMPOSE);
  GString *out = g_string_new (NULL);
  gboolean in_space = FALSE;

  for (const char *at = composed; at && *at; at = g_utf8_next_char (at)) {
    gunichar c = g_utf8_get_char (at);
    if (pmt_char_is_space (c)) {
      if (!in_space)
        g_string_append_c (out, ' ');
      in_space = TRUE;
      continue;
    }
    in_space = FALSE;
    if (c == 0x130) /* the one letter whose lower case is two characters in every language */
      g_string_append (out, "i\xcc\x87");
    else
      g_string_append_unichar (out, to_lower (c));
  }
  return g_string_free (out, FALSE);
}
