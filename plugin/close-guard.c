/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/close-guard.h"

typedef struct Guard {
  gboolean (*may_close) (gpointer user);
  gpointer user;
  gboolean stay; /* the delete event under way was refused */
} Guard;

static void
on_response (GtkDialog *dialog, int response, Guard *guard)
{
  if (response != GTK_RESPONSE_CANCEL && response != GTK_RESPONSE_CLOSE && response != GTK_RESPONSE_DELETE_EVENT)
    return;
  if (guard->may_close (guard->user))
    return;
  g_signal_stop_emission_by_name (dialog, "response");
  guard->stay = response == GTK_RESPONSE_DELETE_EVENT;
}

/* Escape and the window's close button are a delete event. GTK's own handler of it comes first: it has emitted the response already. */
static gboolean
on_delete (GtkWidget *widget, GdkEvent *event, Guard *guard)
{
  gboolean stay = guard->stay;

  guard->stay = FALSE;
  return stay ? GDK_EVENT_STOP : GDK_EVENT_PROPAGATE;
}

void
pmt_close_guard_add (GtkDialog *dialog, gboolean (*may_close) (gpointer user), gpointer user)
{
  Guard *guard = g_new0 (Guard, 1);

  guard->may_close = may_close;
  guard->user = user;
  g_object_set_data_full (G_OBJECT (dialog), "pmt-close-guard", guard, g_free);
  g_signal_connect (dialog, "response", G_CALLBACK (on_response), guard);
  g_signal_connect (dialog, "delete-event", G_CALLBACK (on_delete), guard);
}

gboolean
pmt_close_guard_ask (GtkWindow *parent, const char *question, const char *consequence, const char *no, const char *yes)
{
  GtkWidget *asked = gtk_message_dialog_new (parent, GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT, GTK_MESSAGE_QUESTION, GTK_BUTTONS_NONE, NULL);
  int answer;

  g_object_set (asked, "text", question, "secondary-text", consequence, NULL);
  gtk_window_set_title (GTK_WINDOW (asked), question);
  gtk_dialog_add_buttons (GTK_DIALOG (asked), yes, GTK_RESPONSE_YES, no, GTK_RESPONSE_CANCEL, NULL);
  gtk_dialog_set_default_response (GTK_DIALOG (asked), GTK_RESPONSE_CANCEL);
  answer = gtk_dialog_run (GTK_DIALOG (asked));
  gtk_widget_destroy (asked);
  return answer == GTK_RESPONSE_YES;
}
