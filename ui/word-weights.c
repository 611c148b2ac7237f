/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/word-weights.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#define STEP 0.1
#define HEIGHT 170

typedef struct Words {
  GObject *object;
  char *prompt, *weights; /* names of properties */
  GHashTable *values;     /* word to double*, of words that were turned, also where the prompt has lost them */
  double least, most;     /* 1 is as it is */
  char *tip;
  GtkWidget *grid;
} Words;

static void
words_free (gpointer data)
{
  Words *words = data;

  g_object_unref (words->object);
  g_free (words->prompt);
  g_free (words->weights);
  g_free (words->tip);
  g_hash_table_unref (words->values);
  g_free (words);
}

/* Runs of letters and digits, with "-" and "'" in between, each once; words that begin a tag (<lora:…>) and numbers do not count. */
static GPtrArray *
split (const char *prompt)
{
  GPtrArray *found = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GRegex) tags = g_regex_new ("<[^>]*>", 0, 0, NULL), word = g_regex_new ("\\p{L}[\\p{L}\\p{N}'’-]*", 0, 0, NULL);
  g_autofree char *plain = g_regex_replace_literal (tags, prompt, -1, 0, " ", 0, NULL);
  g_autoptr (GMatchInfo) match = NULL;

  for (g_regex_match (word, plain ? plain : "", 0, &match); g_match_info_matches (match); g_match_info_next (match, NULL)) {
    g_autofree char *text = g_match_info_fetch (match, 0);
    if (!g_ptr_array_find_with_equal_func (found, text, g_str_equal, NULL))
      g_ptr_array_add (found, g_steal_pointer (&text));
  }
  return found;
}

static double
value_of (Words *words, const char *word)
{
  const double *value = g_hash_table_lookup (words->values, word);

  return value ? *value : 1;
}

static void
write_weights (Words *words)
{
  g_autofree char *prompt = NULL;
  g_autoptr (GPtrArray) list = NULL;
  g_autoptr (GString) text = g_string_new (NULL);

  g_object_get (words->object, words->prompt, &prompt, NULL);
  list = split (prompt ? prompt : "");
  for (guint i = 0; i < list->len; i++) {
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    const double value = value_of (words, g_ptr_array_index (list, i));
    if (fabs (value - 1) < STEP / 2)
      continue;
    g_ascii_formatd (number, sizeof number, "%.1f", value);
    g_string_append_printf (text, "%s%s:%s", text->len ? "; " : "", (char *) g_ptr_array_index (list, i), number);
  }
  g_object_set (words->object, words->weights, text->str, NULL);
}

static void
on_value (GtkRange *range, Words *words)
{
  double *value = g_new (double, 1);

  *value = gtk_range_get_value (range);
  g_hash_table_insert (words->values, g_strdup (g_object_get_data (G_OBJECT (range), "pmt-word")), value);
  write_weights (words);
}

static void
destroy_child (GtkWidget *child, gpointer unused)
{
  gtk_widget_destroy (child);
}

static void
add_word (Words *words, const char *word, int row)
{
  GtkWidget *label = gtk_label_new (word), *scale = gtk_scale_new_with_range (GTK_ORIENTATION_HORIZONTAL, words->least, words->most, STEP);
  g_autofree char *name = g_strdup_printf (_("Weight of “%s”"), word);

  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  gtk_label_set_width_chars (GTK_LABEL (label), 12);
  gtk_scale_set_value_pos (GTK_SCALE (scale), GTK_POS_RIGHT);
  gtk_scale_add_mark (GTK_SCALE (scale), 1, GTK_POS_BOTTOM, NULL);
  gtk_range_set_value (GTK_RANGE (scale), value_of (words, word));
  gtk_widget_set_hexpand (scale, TRUE);
  gtk_widget_set_tooltip_text (scale, words->tip);
  atk_object_set_name (gtk_widget_get_accessible (scale), name);
  g_object_set_data_full (G_OBJECT (scale), "pmt-word", g_strdup (word), g_free);
  g_signal_connect (scale, "value-changed", G_CALLBACK (on_value), words);
  gtk_grid_attach (GTK_GRID (words->grid), label, 0, row, 1, 1);
  gtk_grid_attach (GTK_GRID (words->grid), scale, 1, row, 1, 1);
  gtk_widget_show (label);
  gtk_widget_show (scale);
}

static void
show_words (Words *words)
{
  g_autofree char *prompt = NULL;
  g_autoptr (GPtrArray) list = NULL;

  g_object_get (words->object, words->prompt, &prompt, NULL);
  list = split (prompt ? prompt : "");
  gtk_container_foreach (GTK_CONTAINER (words->grid), destroy_child, NULL);
  for (guint i = 0; i < list->len; i++)
    add_word (words, g_ptr_array_index (list, i), (int) i);
  write_weights (words);
}

/* What a setting that was kept says. */
static void
read_weights (Words *words)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) parts = NULL;

  g_object_get (words->object, words->weights, &text, NULL);
  parts = g_strsplit (text ? text : "", ";", -1);
  for (char **part = parts; *part; part++) {
    char *colon = strrchr (*part, ':');
    double *value;
    if (!colon)
      continue;
    *colon = '\0';
    value = g_new (double, 1);
    *value = CLAMP (g_ascii_strtod (colon + 1, NULL), words->least, words->most);
    g_hash_table_insert (words->values, g_strdup (g_strstrip (*part)), value);
  }
}

static void
on_destroy (GtkWidget *scroll, Words *words)
{
  g_signal_handlers_disconnect_by_data (words->object, words);
}

GtkWidget *
pmt_word_weights_new (GObject *object, const char *prompt, const char *weights, double least, double most, const char *tip)
{
  GtkWidget *scroll = gtk_scrolled_window_new (NULL, NULL);
  g_autofree char *changed = g_strconcat ("notify::", prompt, NULL);
  Words *words = g_new0 (Words, 1);

  words->object = g_object_ref (object);
  words->prompt = g_strdup (prompt);
  words->weights = g_strdup (weights);
  words->least = least;
  words->most = most;
  words->tip = g_strdup (tip);
  words->values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  words->grid = gtk_grid_new ();
  gtk_grid_set_column_spacing (GTK_GRID (words->grid), 12);
  gtk_widget_set_margin_start (words->grid, 6);
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroll), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (scroll), TRUE);
  gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (scroll), HEIGHT);
  gtk_scrolled_window_set_shadow_type (GTK_SCROLLED_WINDOW (scroll), GTK_SHADOW_IN);
  gtk_container_add (GTK_CONTAINER (scroll), words->grid);
  read_weights (words);
  g_object_set_data_full (G_OBJECT (scroll), "pmt-words", words, words_free);
  g_signal_connect_swapped (object, changed, G_CALLBACK (show_words), words);
  g_signal_connect (scroll, "destroy", G_CALLBACK (on_destroy), words);
  show_words (words);
  gtk_widget_show_all (scroll);
  return scroll;
}
