/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/diagnostics-row.h"

#include <glib/gi18n.h>

typedef struct Row {
  PmtReportMaker *make;
  gpointer user;
  GtkWidget *everything, *said;
} Row;

static void
on_copy (GtkButton *button, Row *row)
{
  GtkClipboard *clipboard = gtk_widget_get_clipboard (GTK_WIDGET (button), GDK_SELECTION_CLIPBOARD);
  g_autofree char *report = row->make (row->user, gtk_toggle_button_get_active (GTK_TOGGLE_BUTTON (row->everything)));

  gtk_clipboard_set_text (clipboard, report, -1);
  gtk_clipboard_store (clipboard); /* it outlives the dialog */
  gtk_widget_show (row->said);
}

/* What was copied last is not what is ticked now. */
static void
on_toggled (GtkToggleButton *button, Row *row)
{
  gtk_widget_hide (row->said);
}

GtkWidget *
pmt_diagnostics_row_new (PmtReportMaker *make, gpointer user)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2), *line = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 8);
  GtkWidget *button = gtk_button_new_with_label (_("Copy Diagnostics"));
  Row *row = g_new0 (Row, 1);

  row->make = make;
  row->user = user;
  row->everything = gtk_check_button_new_with_label (_("Include prompts and file names"));
  row->said = gtk_label_new (_("Copied: paste it into your report."));
  gtk_label_set_xalign (GTK_LABEL (row->said), 0);
  gtk_widget_set_tooltip_text (button, _("Versions, processor, memory, the engine's last lines and the settings, as a text for a report"));
  gtk_widget_set_tooltip_text (row->everything, _("Without it they are left out of the report"));
  gtk_box_pack_start (GTK_BOX (line), button, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (line), row->everything, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), line, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), row->said, FALSE, FALSE, 0);
  g_signal_connect (button, "clicked", G_CALLBACK (on_copy), row);
  g_signal_connect (row->everything, "toggled", G_CALLBACK (on_toggled), row);
  g_object_set_data_full (G_OBJECT (box), "pmt-row", row, g_free);
  gtk_widget_show_all (box);
  gtk_widget_hide (row->said);
  return box;
}
