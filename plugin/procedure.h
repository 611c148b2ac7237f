/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the procedures that paint have in common: with a window or without one they run one job (job.h), deliver its layers in one undo
 * step (deliver.h) and return them. A procedure is its arguments, its documentation and its form. */
#pragma once

#include <libgimp/gimp.h>

#include "plugin/job.h"
#include "plugin/paint-dialog.h"

/* In the menu Filters > Pentimento under that label, for every type of image; documentation and arguments are the caller's to add. */
GimpProcedure *pmt_procedure_new (GimpPlugIn *plug_in, const char *name, const char *menu_label, const PmtPaintForm *form);

/* The window of such a procedure, opened by another one. */
GimpLayer **pmt_procedure_run_dialog (GimpProcedure *procedure, GimpProcedureConfig *config, GimpImage *image, GimpDrawable **drawables,
                                      GError **error);

/* Arguments by groups, in the order in which they are added. */
void pmt_procedure_add_model (GimpProcedure *procedure);
void pmt_procedure_add_steps (GimpProcedure *procedure);
void pmt_procedure_add_sampling (GimpProcedure *procedure); /* sampler, seed, variants, full-size */
void pmt_procedure_add_result (GimpProcedure *procedure);   /* methods, convert-indexed, those of preflight.h; and the return value, the new layers */
void pmt_procedure_add_when_done (GimpProcedure *procedure); /* of its dialog alone: when-done, forget-prompts */
void pmt_procedure_add_layers (GimpProcedure *procedure);   /* the return value alone */

/* For a procedure without a form: the same place in the menu, its own run function, and the parts of one. */
GimpProcedure *pmt_procedure_new_with (GimpPlugIn *plug_in, const char *name, const char *menu_label, GimpRunImageFunc run_it);
/* The same in Filters > Pentimento > Recipe; a form's procedure comes there when the form says so. */
GimpProcedure *pmt_procedure_new_recipe (GimpPlugIn *plug_in, const char *name, const char *menu_label, GimpRunImageFunc run_it);
typedef PmtJob *PmtJobStarter (gpointer what, const PmtJobHandlers *handlers, gpointer user, GError **error);
/* Runs the job that `start` starts, with GIMP's progress bar and no window, and delivers it: the new layers (free with g_free), or NULL +
 * error. */
GimpLayer **pmt_procedure_run_job (GimpImage *image, gboolean convert, PmtJobStarter *start, gpointer what, GError **error);
/* The return values; takes layers and error. Both NULL: the user changed their mind. */
GimpValueArray *pmt_procedure_return (GimpProcedure *procedure, GimpLayer **layers, GError *error);
