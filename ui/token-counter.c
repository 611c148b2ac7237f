/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/token-counter.h"

#include <glib/gi18n.h>
#include <string.h>

#define WAIT_MS 250
#define WARNING_COLOUR "#c4820e" /* to be read on dark and on light ground */
#define EDGE_TAG "pmt-edge"

typedef struct Counter {
  GtkWidget *label;
  GtkTextBuffer *buffer;
  PmtTokenAsk *ask;
  gpointer user;
  guint timer;
} Counter;

static Counter *
counter_of (GtkWidget *widget)
{
  return g_object_get_data (G_OBJECT (widget), "pmt-counter");
}

static char *
text_of (const Counter *counter)
{
  GtkTextIter start, end;

  gtk_text_buffer_get_bounds (counter->buffer, &start, &end);
  return gtk_text_buffer_get_text (counter->buffer, &start, &end, FALSE);
}

static gboolean
on_timer (gpointer user)
{
  Counter *counter = user;
  g_autofree char *text = text_of (counter);

  counter->timer = 0;
  counter->ask (counter->user, text);
  return G_SOURCE_REMOVE;
}

void
pmt_token_counter_ask (GtkWidget *widget)
{
  Counter *counter = counter_of (widget);

  g_clear_handle_id (&counter->timer, g_source_remove);
  counter->timer = g_timeout_add (WAIT_MS, on_timer, counter);
}

static void
on_changed (GtkTextBuffer *buffer, GtkWidget *label)
{
  pmt_token_counter_ask (label);
}

/* ---- what came back ---- */

static void
unmark (const Counter *counter)
{
  GtkTextIter start, end;

  gtk_text_buffer_get_bounds (counter->buffer, &start, &end);
  gtk_text_buffer_remove_tag_by_name (counter->buffer, EDGE_TAG, &start, &end);
}

/* The word at that byte of the text is underlined; *word is it, newly allocated. */
static void
mark_edge (const Counter *counter, const char *text, int byte, char **word)
{
  GtkTextIter start, end;

  gtk_text_buffer_get_iter_at_offset (counter->buffer, &start, (int) g_utf8_pointer_to_offset (text, text + byte));
  end = start;
  while (!gtk_text_iter_is_end (&end) && !g_unichar_isspace (gtk_text_iter_get_char (&end)))
    gtk_text_iter_forward_char (&end);
  gtk_text_buffer_apply_tag_by_name (counter->buffer, EDGE_TAG, &start, &end);
  g_free (*word);
  *word = gtk_text_iter_get_text (&start, &end);
}

static gboolean
is_edge (const char *text, int byte)
{
  return byte > 0 && (gsize) byte < strlen (text) && ((guchar) text[byte] & 0xc0) != 0x80;
}

static void
show_warning (Counter *counter, const char *text, const PmtTokenCount *count)
{
  g_autofree char *word = NULL, *shown = NULL, *tip = NULL, *markup = NULL;

  for (int i = 0; i < count->n_edges; i++)
    if (is_edge (text, count->edges[i]))
      mark_edge (counter, text, count->edges[i], &word);
    else
      g_clear_pointer (&word, g_free);
  if (count->cut > 0) {
    shown = g_strdup_printf (_("%d / %d, the end is not read"), count->count, count->limit);
    tip = g_strdup_printf (ngettext ("The model reads %d tokens; %d token at the end is left out: shorten the text.",
                                     "The model reads %d tokens; %d tokens at the end are left out: shorten the text.", count->cut),
                           count->limit, count->cut);
  } else {
    shown = g_strdup_printf (_("%d / %d, read in %d parts"), count->count, count->limit, count->n_edges + 1);
    tip = word ? g_strdup_printf (_("The model reads %d tokens at a time. Words in different parts know little of each other; the last part begins at "
                                    "“%s”."),
                                  count->limit, word)
               : g_strdup_printf (_("The model reads %d tokens at a time. Words in different parts know little of each other."), count->limit);
  }
  markup = g_markup_printf_escaped ("<span foreground=\"" WARNING_COLOUR "\">%s</span>", shown);
  gtk_label_set_markup (GTK_LABEL (counter->label), markup);
  gtk_widget_set_tooltip_text (counter->label, tip);
}

void
pmt_token_counter_show (GtkWidget *widget, const char *text, const PmtTokenCount *count)
{
  Counter *counter = counter_of (widget);
  g_autofree char *now = text_of (counter), *shown = NULL;

  if (strcmp (now, text) != 0)
    return;
  unmark (counter);
  gtk_widget_set_visible (widget, count != NULL);
  if (!count)
    return;
  if (count->cut > 0 || count->n_edges > 0) {
    show_warning (counter, text, count);
    return;
  }
  shown = g_strdup_printf (_("%d / %d"), count->count, count->limit);
  gtk_label_set_text (GTK_LABEL (widget), shown);
  gtk_widget_set_tooltip_text (widget, _("Tokens of the text, which are words and parts of words, and the most that the model reads together"));
}

static void
counter_free (gpointer data)
{
  Counter *counter = data;

  g_clear_handle_id (&counter->timer, g_source_remove);
  g_object_unref (counter->buffer);
  g_free (counter);
}

GtkWidget *
pmt_token_counter_new (GtkWidget *text, PmtTokenAsk *ask, gpointer user)
{
  Counter *counter = g_new0 (Counter, 1);

  counter->label = gtk_label_new (NULL);
  counter->buffer = g_object_ref (gtk_text_view_get_buffer (GTK_TEXT_VIEW (text)));
  counter->ask = ask;
  counter->user = user;
  gtk_text_buffer_create_tag (counter->buffer, EDGE_TAG, "underline", PANGO_UNDERLINE_SINGLE, NULL);
  gtk_style_context_add_class (gtk_widget_get_style_context (counter->label), GTK_STYLE_CLASS_DIM_LABEL);
  gtk_label_set_xalign (GTK_LABEL (counter->label), 1);
  g_object_set_data_full (G_OBJECT (counter->label), "pmt-counter", counter, counter_free);
  g_signal_connect_object (counter->buffer, "changed", G_CALLBACK (on_changed), counter->label, 0);
  pmt_token_counter_ask (counter->label);
  return counter->label;
}
