/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-rerun, Filters > Pentimento > Run Recipe Again: paints once more what made the active layer. */
#pragma once

#include <libgimp/gimp.h>

#define PMT_PROCEDURE_RERUN "plug-in-pentimento-rerun"

GimpProcedure *pmt_rerun_procedure_new (GimpPlugIn *plug_in, const char *name);
