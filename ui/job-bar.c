/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/job-bar.h"

#include "ui/form.h"

typedef struct Parts {
  GtkWidget *progress, *row, *icon, *label;
  GtkWidget *extra; /* below errors; or NULL */
} Parts;

static Parts *
parts_of (GtkWidget *bar)
{
  return g_object_get_data (G_OBJECT (bar), "pmt-parts");
}

GtkWidget *
pmt_job_bar_new (void)
{
  GtkWidget *bar = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  Parts *parts = g_new0 (Parts, 1);

  parts->progress = gtk_progress_bar_new ();
  gtk_progress_bar_set_show_text (GTK_PROGRESS_BAR (parts->progress), TRUE);
  gtk_progress_bar_set_ellipsize (GTK_PROGRESS_BAR (parts->progress), PANGO_ELLIPSIZE_END);
  parts->row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 8);
  parts->icon = gtk_image_new_from_icon_name ("dialog-warning", GTK_ICON_SIZE_BUTTON);
  gtk_widget_set_valign (parts->icon, GTK_ALIGN_START);
  parts->label = gtk_label_new (NULL);
  gtk_label_set_xalign (GTK_LABEL (parts->label), 0);
  gtk_label_set_line_wrap (GTK_LABEL (parts->label), TRUE);
  gtk_label_set_line_wrap_mode (GTK_LABEL (parts->label), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_selectable (GTK_LABEL (parts->label), TRUE); /* to copy it into a search or a report */
  gtk_widget_set_can_focus (parts->label, FALSE);
  gtk_label_set_max_width_chars (GTK_LABEL (parts->label), 48);
  gtk_box_pack_start (GTK_BOX (parts->row), parts->icon, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (parts->row), parts->label, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (bar), parts->progress, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (bar), parts->row, FALSE, FALSE, 0);
  g_object_set_data_full (G_OBJECT (bar), "pmt-parts", parts, g_free);
  gtk_widget_show (parts->icon);
  gtk_widget_show (parts->label);
  gtk_widget_show (bar);
  return bar;
}

void
pmt_job_bar_progress (GtkWidget *bar, double fraction, const char *text)
{
  Parts *parts = parts_of (bar);

  gtk_widget_hide (parts->row);
  if (parts->extra)
    gtk_widget_hide (parts->extra);
  gtk_widget_show (parts->progress);
  gtk_progress_bar_set_text (GTK_PROGRESS_BAR (parts->progress), text);
  if (fraction < 0)
    gtk_progress_bar_pulse (GTK_PROGRESS_BAR (parts->progress));
  else
    gtk_progress_bar_set_fraction (GTK_PROGRESS_BAR (parts->progress), fraction);
}

/* To who does not see it. */
static void
announce (const Parts *parts, const char *sentence, gboolean error)
{
  atk_object_set_role (gtk_widget_get_accessible (parts->row), error ? ATK_ROLE_ALERT : ATK_ROLE_NOTIFICATION);
#if ATK_CHECK_VERSION(2, 50, 0)
  if (sentence[0])
    g_signal_emit_by_name (gtk_widget_get_accessible (parts->label), "notification", sentence, error ? ATK_LIVE_ASSERTIVE : ATK_LIVE_POLITE);
#endif
}

void
pmt_job_bar_say (GtkWidget *bar, const char *sentence, gboolean error)
{
  Parts *parts = parts_of (bar);

  gtk_widget_hide (parts->progress);
  gtk_label_set_text (GTK_LABEL (parts->label), sentence);
  gtk_widget_set_can_focus (parts->label, error); /* an error can be reached, read again and copied by keyboard */
  gtk_widget_set_visible (parts->icon, error);
  announce (parts, sentence, error);
  gtk_widget_show (parts->row);
  if (parts->extra)
    gtk_widget_set_visible (parts->extra, error);
  /* or the settings above would be squeezed */
  if (sentence[0])
    pmt_window_fit (bar, FALSE);
}

const char *
pmt_job_bar_sentence (GtkWidget *bar)
{
  return gtk_label_get_text (GTK_LABEL (parts_of (bar)->label));
}

void
pmt_job_bar_add (GtkWidget *bar, GtkWidget *below_errors)
{
  Parts *parts = parts_of (bar);

  parts->extra = below_errors;
  gtk_widget_hide (below_errors);
  gtk_box_pack_start (GTK_BOX (bar), below_errors, FALSE, FALSE, 0);
}

void
pmt_job_bar_add_action (GtkWidget *bar, GtkWidget *button)
{
  gtk_box_pack_end (GTK_BOX (parts_of (bar)->row), button, FALSE, FALSE, 0);
}
