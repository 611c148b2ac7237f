/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/weight.h"

#include <math.h>
#include <string.h>

static gboolean
is_part_of_word (gunichar c)
{
  return c && !g_unichar_isspace (c) && !strchr ("(),:", c < 128 ? (int) c : 'x');
}

static void
take_word (GtkTextIter *start, GtkTextIter *end)
{
  GtkTextIter before = *start;

  while (gtk_text_iter_backward_char (&before) && is_part_of_word (gtk_text_iter_get_char (&before)))
    *start = before;
  while (is_part_of_word (gtk_text_iter_get_char (end)))
    gtk_text_iter_forward_char (end);
}

/* The words stand in brackets with a weight of their own: start and end then take in the brackets. */
static gboolean
take_brackets (GtkTextIter *start, GtkTextIter *end, double *weight)
{
  GtkTextIter before = *start, after = *end;
  g_autofree char *text = NULL;
  char *rest;
  double value;

  if (gtk_text_iter_get_char (end) != ':' || !gtk_text_iter_backward_char (&before) || gtk_text_iter_get_char (&before) != '(')
    return FALSE;
  gtk_text_iter_forward_to_line_end (&after);
  text = gtk_text_iter_get_text (end, &after);
  value = g_ascii_strtod (text + 1, &rest);
  if (rest == text + 1 || *rest != ')')
    return FALSE;
  *weight = value;
  *start = before;
  gtk_text_iter_forward_chars (end, (int) (rest - text) + 1);
  return TRUE;
}

gboolean
pmt_weight_change (GtkTextBuffer *buffer, double step)
{
  GtkTextIter start, end;
  g_autofree char *words = NULL, *text = NULL;
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  double weight = 1;
  int first, length;

  if (!gtk_text_buffer_get_selection_bounds (buffer, &start, &end))
    take_word (&start, &end);
  words = gtk_text_iter_get_text (&start, &end);
  if (!words[0])
    return FALSE;
  take_brackets (&start, &end, &weight);
  weight = round (CLAMP (weight + step, 0.1, 2) * 100) / 100;
  text = weight == 1 ? g_strdup (words) : g_strdup_printf ("(%s:%s)", words, g_ascii_formatd (number, sizeof number, "%g", weight));
  first = gtk_text_iter_get_offset (&start) + (weight == 1 ? 0 : 1);
  length = (int) g_utf8_strlen (words, -1);
  gtk_text_buffer_begin_user_action (buffer);
  gtk_text_buffer_delete (buffer, &start, &end);
  gtk_text_buffer_insert (buffer, &start, text, -1);
  gtk_text_buffer_end_user_action (buffer);
  gtk_text_buffer_get_iter_at_offset (buffer, &start, first);
  gtk_text_buffer_get_iter_at_offset (buffer, &end, first + length);
  gtk_text_buffer_select_range (buffer, &start, &end);
  return TRUE;
}
