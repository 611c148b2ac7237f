/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/help.h"

#include <glib/gi18n.h>

#define DOMAIN "pentimento"

void
pmt_help_register (GimpPlugIn *plug_in)
{
  g_autofree char *folder = g_path_get_dirname (gimp_get_progname ());
  g_autoptr (GFile) pages = g_file_new_build_filename (folder, "data", "help", NULL);

  gimp_plug_in_set_help_domain (plug_in, DOMAIN, pages);
}

void
pmt_help_free_letter (GtkDialog *dialog)
{
  GtkWidget *button = gtk_dialog_get_widget_for_response (dialog, GTK_RESPONSE_HELP);

  if (!button)
    return;
  gtk_button_set_use_underline (GTK_BUTTON (button), FALSE);
  gtk_button_set_label (GTK_BUTTON (button), _("Help"));
  gtk_widget_set_tooltip_text (button, _("What is what in this dialog (F1)"));
}
