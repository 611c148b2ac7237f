/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/preflight.h"

#include "ui/form.h"

/* As high as a button, so that nothing moves when one stands in its place. */
#define LINE_HEIGHT 36

typedef struct Parts {
  GtkWidget *icon, *label, *button;
  void (*on_remedy) (gpointer user);
  gpointer user;
} Parts;

static Parts *
parts_of (GtkWidget *bar)
{
  return g_object_get_data (G_OBJECT (bar), "pmt-parts");
}

static void
on_clicked (GtkButton *button, Parts *parts)
{
  if (parts->on_remedy)
    parts->on_remedy (parts->user);
}

GtkWidget *
pmt_preflight_bar_new (void)
{
  GtkWidget *bar = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 8);
  Parts *parts = g_new0 (Parts, 1);

  parts->icon = gtk_image_new_from_icon_name ("dialog-warning", GTK_ICON_SIZE_BUTTON);
  parts->label = gtk_label_new (NULL);
  gtk_label_set_xalign (GTK_LABEL (parts->label), 0);
  gtk_label_set_line_wrap (GTK_LABEL (parts->label), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (parts->label), 48);
  gtk_label_set_selectable (GTK_LABEL (parts->label), TRUE);
  gtk_widget_set_can_focus (parts->label, FALSE);
  parts->button = gtk_button_new_with_mnemonic ("");
  gtk_widget_set_valign (parts->button, GTK_ALIGN_CENTER);
  g_signal_connect (parts->button, "clicked", G_CALLBACK (on_clicked), parts);
  gtk_box_pack_start (GTK_BOX (bar), parts->icon, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (bar), parts->label, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (bar), parts->button, FALSE, FALSE, 0);
  g_object_set_data_full (G_OBJECT (bar), "pmt-parts", parts, g_free);
  gtk_widget_set_size_request (bar, -1, LINE_HEIGHT);
  gtk_widget_show (parts->label);
  gtk_widget_show (bar);
  return bar;
}

/* A size is not torn apart at the end of a line. */
static char *
keep_sizes_together (const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, " × ", -1);

  return g_strjoinv ("\u00a0×\u00a0", parts);
}

static void
say (Parts *parts, const char *text, gboolean warning, const char *remedy)
{
  g_autofree char *shown = keep_sizes_together (text);

  gtk_label_set_text (GTK_LABEL (parts->label), shown);
  gtk_widget_set_opacity (parts->label, 1);
  gtk_widget_set_visible (parts->icon, warning);
  gtk_widget_set_visible (parts->button, remedy != NULL);
  if (remedy)
    gtk_button_set_label (GTK_BUTTON (parts->button), remedy);
  if (warning)
    pmt_window_fit (parts->label, FALSE);
}

void
pmt_preflight_bar_say (GtkWidget *bar, const char *text)
{
  say (parts_of (bar), text, FALSE, NULL);
}

void
pmt_preflight_bar_doubt (GtkWidget *bar)
{
  gtk_widget_set_opacity (parts_of (bar)->label, 0.5);
}

void
pmt_preflight_bar_refuse (GtkWidget *bar, const char *sentence, const char *remedy, void (*on_remedy) (gpointer user), gpointer user)
{
  Parts *parts = parts_of (bar);

  parts->on_remedy = on_remedy;
  parts->user = user;
  say (parts, sentence, TRUE, remedy);
}
