/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a dialog shows while its job runs: the picture in the making in the place of the settings, step and time left, and the button that
 * keeps it as it is. GIMP's own progress bar says the same. */
#pragma once

#include <gtk/gtk.h>

#include "plugin/job.h"

typedef struct PmtDuring PmtDuring;

/* settings: what stands in the place until there is something to see; bar: of ui/job-bar.h; both become children of what follows. keep: called when the button is pressed. */
PmtDuring *pmt_during_new (GtkWidget *settings, GtkWidget *bar, void (*keep) (gpointer user), gpointer user);
/* Both owned by the dialog that they are packed into: the place of the settings; bar and button. */
GtkWidget *pmt_during_stage (PmtDuring *during);
GtkWidget *pmt_during_bar (PmtDuring *during);
void pmt_during_free (PmtDuring *during);

void pmt_during_begin (PmtDuring *during);
void pmt_during_end (PmtDuring *during);
void pmt_during_progress (PmtDuring *during, double fraction, const char *text);
void pmt_during_preview (PmtDuring *during, const PmtJobPreview *preview);
