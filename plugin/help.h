/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pages that F1 and the Help buttons open: data/help beside the program, a folder per language with a gimp-help.xml that names the page
 * of each procedure. GIMP shows them in its help browser or the user's web browser, in English where there is no page in the
 * user's language. */
#pragma once

#include <gtk/gtk.h>
#include <libgimp/gimp.h>

/* Makes GIMP know the pages; it takes this only while it asks for the procedures. */
void pmt_help_register (GimpPlugIn *plug_in);

/* Takes the letter of the dialog's Help button away: F1 does the same, and a dialog full of fields needs the letter. Its word comes from
 * here as well, since GIMP has it in English in some languages. */
void pmt_help_free_letter (GtkDialog *dialog);
