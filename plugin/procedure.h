/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the procedures that paint have in common: with a window or without one they run one job (job.h), deliver its layers in one undo
 * step (deliver.h) and return them. A procedure is its arguments, its documentation and its form. */
#pragma once

#include <libgimp/gimp.h>

#include "plugin/paint-dialog.h"

/* In the menu Filters > Pentimento under that label, for every type of image; documentation and arguments are the caller's to add. */
GimpProcedure *pmt_procedure_new (GimpPlugIn *plug_in, const char *name, const char *menu_label, const PmtPaintForm *form);

/* Arguments by groups, in the order in which they are added. */
void pmt_procedure_add_model (GimpProcedure *procedure);
void pmt_procedure_add_steps (GimpProcedure *procedure);
void pmt_procedure_add_sampling (GimpProcedure *procedure); /* sampler, seed, variants */
/* context, source, grow, feather, methods, convert-indexed; and the return value, the new layers */
void pmt_procedure_add_region (GimpProcedure *procedure);
