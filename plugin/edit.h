/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-edit, Filters > Pentimento > Edit by Instruction: changes the picture, or the selected part, as one says. */
#pragma once

#include <libgimp/gimp.h>

#define PMT_PROCEDURE_EDIT "plug-in-pentimento-edit"

GimpProcedure *pmt_edit_procedure_new (GimpPlugIn *plug_in, const char *name);
