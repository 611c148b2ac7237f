/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the procedures that paint have in common: with a window or without one they run one job (job.h), deliver its layers in one undo
 * step (deliver.h) and return them. A procedure is its arguments, its documentation and its form. */
#pragma once

#include <libgimp/gimp.h>

#include "plugin/job.h"
#include "plugin/paint-dialog.h"

/* In the menu Filters > Pentimento under that label, for every type of image; documentation and arguments are the caller's to add. */
GimpProcedure *pmt_procedure_new (GimpPlugIn *plug_in, const char *name, const char *menu_label, const PmtPaintForm *form);

/* The window of such a procedure, opened by another one with settings that are all in the config; said: pmt_paint_dialog_run. */
PmtDelivered *pmt_procedure_run_dialog (GimpProcedure *procedure, GimpProcedureConfig *config, GimpImage *image, GimpDrawable **drawables,
                                        const char *said, GError **error);
/* The same without a window, for a script. */
PmtDelivered *pmt_procedure_run_settings (GimpProcedure *procedure, GimpProcedureConfig *config, GimpImage *image, GimpDrawable **drawables,
                                        GError **error);

/* Arguments by groups, in the order in which they are added. */
void pmt_procedure_add_model (GimpProcedure *procedure);
void pmt_procedure_add_steps (GimpProcedure *procedure);
void pmt_procedure_add_sampling (GimpProcedure *procedure); /* sampler, seed, variants, full-size */
void pmt_procedure_add_result (GimpProcedure *procedure);   /* methods, convert-indexed, those of preflight.h; and the return values */
void pmt_procedure_add_when_done (GimpProcedure *procedure); /* of its dialog alone: when-done, forget-prompts */
void pmt_procedure_add_layers (GimpProcedure *procedure);    /* the first return value alone */
void pmt_procedure_add_delivered (GimpProcedure *procedure); /* the return values: layers, channels */

/* For a procedure without a form: the same place in the menu, its own run function, and the parts of one. */
GimpProcedure *pmt_procedure_new_with (GimpPlugIn *plug_in, const char *name, const char *menu_label, GimpRunImageFunc run_it);
/* The same in Filters > Pentimento > Recipe; a form's procedure comes there when the form says so. */
GimpProcedure *pmt_procedure_new_recipe (GimpPlugIn *plug_in, const char *name, const char *menu_label, GimpRunImageFunc run_it);
/* A job without a window. */
typedef struct PmtWindowless {
  PmtJob *(*start) (gpointer what, const PmtJobHandlers *handlers, gpointer user, GError **error);
  gpointer what;
  gboolean convert; /* an indexed image */
  gboolean by_hand; /* a person asked for it, no script: they are told what is new */
  gboolean keep;    /* the history gets the results */
} PmtWindowless;

/* Runs the job with GIMP's progress bar, and delivers it. NULL + error. */
PmtDelivered *pmt_procedure_run_job (GimpImage *image, const PmtWindowless *how, GError **error);
/* The return values; takes both. Both NULL: the user changed their mind. */
GimpValueArray *pmt_procedure_return (GimpProcedure *procedure, PmtDelivered *delivered, GError *error);
