/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-fill, Filters > Pentimento > Fill Selection: paints what a text says into the selection; and beside it a procedure for
 * each further mode (modes.h): plug-in-pentimento-expand, -add, -remove, -replace-background, -refine. */
#pragma once

#include <libgimp/gimp.h>

#define PMT_PROCEDURE_FILL "plug-in-pentimento-fill"

GimpProcedure *pmt_fill_procedure_new (GimpPlugIn *plug_in, const char *name);
