/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the job of a dialog would take, always as its settings and the selection stand: asks the engine a moment after they changed. */
#pragma once

#include <gtk/gtk.h>
#include <libgimp/gimp.h>

#include "plugin/job.h"

typedef struct PmtPreflight PmtPreflight;

/* Arguments that this and the preview need; for every procedure that paints. */
void pmt_preflight_add_arguments (GimpProcedure *procedure);

/* start starts the job that is asked about; NULL: pmt_job_start. */
PmtPreflight *pmt_preflight_new (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, PmtJobStart *start);
/* The line itself; the preflight holds it too. */
GtkWidget *pmt_preflight_bar (PmtPreflight *preflight);
/* Whether the user wants a picture that does not fit into memory painted smaller (pmt_job_shrink): as long as the dialog is open, since none of
 * its fields would say so the next time. */
gboolean pmt_preflight_shrinks (PmtPreflight *preflight);
/* Whether the line says already that there is too little memory. */
gboolean pmt_preflight_refuses (PmtPreflight *preflight);
/* While a job runs nothing is asked. */
void pmt_preflight_pause (PmtPreflight *preflight, gboolean pause);
void pmt_preflight_free (PmtPreflight *preflight);

/* The choice of what a running job shows; config has it as "preview". */
GtkWidget *pmt_preflight_preview_choice (GObject *config);
