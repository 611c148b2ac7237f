/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The row below an error: seen there and nowhere else, and what it copies. */
#include "tests/ui/window.h"
#include "ui/diagnostics-row.h"
#include "ui/job-bar.h"

static char *
make (gpointer user, gboolean everything)
{
  return g_strdup_printf ("%s of %s", everything ? "all" : "some", (const char *) user);
}

static void
test_row (void)
{
  GtkWidget *bar = pmt_job_bar_new (), *row = pmt_diagnostics_row_new (make, "it");
  GtkWidget *window, *button, *tick;
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;

  pmt_job_bar_add (bar, row);
  window = window_new (bar);
  settle ();
  g_assert_false (gtk_widget_get_visible (row));
  pmt_job_bar_say (bar, "Stopped.", FALSE);
  g_assert_false (gtk_widget_get_visible (row));
  pmt_job_bar_say (bar, "The engine stopped before it was done and left no word: start the job again, it starts a new engine.", TRUE);
  g_assert_true (gtk_widget_get_visible (row));
  settle ();
  shot (window, "diagnostics-row");
  button = first_of (row, GTK_TYPE_BUTTON);
  tick = first_of (row, GTK_TYPE_CHECK_BUTTON);
  gtk_button_clicked (GTK_BUTTON (button));
  first = gtk_clipboard_wait_for_text (gtk_widget_get_clipboard (button, GDK_SELECTION_CLIPBOARD));
  g_assert_cmpstr (first, ==, "some of it");
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (tick), TRUE);
  gtk_button_clicked (GTK_BUTTON (button));
  second = gtk_clipboard_wait_for_text (gtk_widget_get_clipboard (button, GDK_SELECTION_CLIPBOARD));
  g_assert_cmpstr (second, ==, "all of it");
  settle ();
  shot (window, "diagnostics-copied");
  pmt_job_bar_progress (bar, 0.5, "Again");
  g_assert_false (gtk_widget_get_visible (row));
  gtk_widget_destroy (window);
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ui/diagnostics/row", test_row);
  return g_test_run ();
}
