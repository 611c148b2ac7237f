/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-recipe-vary, Filters > Pentimento > Recipe > Vary: more pictures like that of the active layer; and
 * plug-in-pentimento-recipe-here, … > Run in the Present Selection: the same recipe in another place. */
#pragma once

#include <libgimp/gimp.h>

#define PMT_PROCEDURE_VARY "plug-in-pentimento-recipe-vary"
#define PMT_PROCEDURE_HERE "plug-in-pentimento-recipe-here"

GimpProcedure *pmt_vary_procedure_new (GimpPlugIn *plug_in, const char *name);
GimpProcedure *pmt_here_procedure_new (GimpPlugIn *plug_in, const char *name);
