/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-recipe-move, Filters > Pentimento > Recipe > Move This: a thing of a generated picture in another place or size. */
#pragma once

#include <libgimp/gimp.h>

#define PMT_PROCEDURE_MOVE "plug-in-pentimento-recipe-move"

GimpProcedure *pmt_move_procedure_new (GimpPlugIn *plug_in, const char *name);
